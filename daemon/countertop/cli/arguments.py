"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from countertop.client import Tls

__all__ = ["add_address", "add_json", "count", "credentials", "seconds"]


def add_address(parser: argparse.ArgumentParser) -> None:
    """`--address`: where the daemon answers, and what proves there who calls."""
    parser.add_argument(
        "--address",
        metavar="ADDR",
        help="where the daemon listens: unix:/PATH, HOST:PORT or tls:HOST:PORT (default: $COUNTERTOP_ADDRESS, else the "
        "daemon's own default socket, else 127.0.0.1:7411)",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="a token is in it (default: $COUNTERTOP_TOKEN, else your own daemon's on this machine)",
    )
    for name, what in (("cert", "your certificate"), ("key", "its key"), ("ca", "the daemon's authority")):
        parser.add_argument(
            f"--tls-{name}", metavar="FILE", help=f"mutual TLS: {what}, PEM (default: $COUNTERTOP_TLS_{name.upper()})"
        )


def credentials(args: argparse.Namespace) -> tuple[str | None, Tls | None]:
    """The token and the certificates of `add_address`'s options, for `connect`. Raises ValueError for some of the
    certificates without the others, OSError.
    """
    from countertop.client import Tls

    token = Path(args.token_file).read_text(encoding="ascii").strip() if args.token_file else None
    given = {name: getattr(args, f"tls_{name}") for name in ("cert", "key", "ca")}
    if not any(given.values()):
        return token, None
    files = [file or os.environ.get(f"COUNTERTOP_TLS_{name.upper()}", "") for name, file in given.items()]
    if not all(files):
        raise ValueError("--tls-cert, --tls-key and --tls-ca belong together")
    return token, Tls(*files)


def add_json(parser: argparse._ActionsContainer) -> None:
    """`--json`: for programs."""
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object a line")


def seconds(text: str) -> float:
    """A time of 0.1 s to 600 s. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.1 <= value <= 600:
        raise argparse.ArgumentTypeError(f"expected seconds, 0.1 to 600, got {text!r}")
    return value


def count(least: int, most: int) -> Callable[[str], int]:
    """A type for argparse: a whole number in a range."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number, {least} to {most}, got {text!r}")
        return value

    return parse
