"""`countertop doctor`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_json
from countertop.cli.output import Refused, console, say, table

if TYPE_CHECKING:
    from countertop.cli.checks import Finding

__all__ = ["configure", "run"]

_STYLES = {"ok": "green", "limited": "yellow", "missing": "red"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `doctor`."""
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="also look at the USB devices of this configuration"
    )
    add_json(parser)
    parser.epilog = "Exits with 1 when something needed is missing; what is `limited` is needed only by some."


def run(args: argparse.Namespace) -> int:
    """Look, and tell what mends each thing that is not well."""
    from countertop.cli.checks import CHECKS, MISSING, usb_rights

    findings = [finding for check in CHECKS for finding in check()]
    if args.config is not None:
        findings += usb_rights(_links(args.config))
    if args.json:
        for finding in findings:
            say(json.dumps(asdict(finding), ensure_ascii=False))
    else:
        _show(findings)
    return 1 if any(finding.state == MISSING for finding in findings) else 0


def _links(path: Path) -> list[str]:
    from countertop.server.config import ConfigError
    from countertop.server.config_file import load_config
    from countertop.server.plugins import Plugins

    try:
        return [device.link for device in load_config(path, Plugins()).devices if device.link]
    except ConfigError as error:
        raise Refused(str(error), "Mend the configuration first.") from error


def _show(findings: list[Finding]) -> None:
    shown = table("", "what", "found", whole=2)
    for finding in findings:
        style = _STYLES[finding.state]
        shown.add_row(f"[{style}]{finding.state}[/]", finding.item, finding.detail)
    out = console()
    out.print(shown)
    mends = list(dict.fromkeys(finding.mend for finding in findings if finding.mend))
    if mends:
        out.print("What mends it:")
    for mend in mends:
        out.print(f"  {mend}", markup=False, soft_wrap=True)
