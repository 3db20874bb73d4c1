"""`countertop serve`: the daemon."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `serve`."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file (default: the emulated terminal, no file needed)"
    )
    parser.add_argument(
        "--listen",
        action="append",
        metavar="ADDR",
        help="unix:/PATH or HOST:PORT on loopback, instead of the configured addresses; may be given again",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="where the journal lies, instead of the configured place; one daemon each",
    )
    parser.add_argument(
        "--console", action="store_true", help="serve the web console, and print its address with a token for it"
    )
    parser.add_argument(
        "--browser",
        default="",
        metavar="HOST:PORT",
        help="the address for web pages, on loopback unless a certificate is configured (default: 127.0.0.1:7480)",
    )
    parser.add_argument("--open", action="store_true", help="open the console in the browser; with --console")
    parser.add_argument("--json-logs", action="store_true", help="one JSON object a line on standard error")
    parser.epilog = "SIGTERM and Ctrl-C end it with exit code 0; running operations get the configured time to end."


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    from countertop.server.serving import serve

    def show(url: str) -> None:
        print(json.dumps({"console": url}) if args.json_logs else f"console: {url}", flush=True)
        if args.open:
            import webbrowser

            webbrowser.open(url)

    return serve(
        args.config,
        args.listen,
        json_logs=args.json_logs,
        state_dir=args.state,
        console=args.console or args.open,
        browser=args.browser,
        on_console=show,
    )
