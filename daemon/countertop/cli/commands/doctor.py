"""`countertop doctor`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_json
from countertop.cli.output import console, say, table

if TYPE_CHECKING:
    from countertop.cli.checks import Finding

__all__ = ["configure", "run"]

_STYLES = {"ok": "green", "limited": "yellow", "missing": "red"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `doctor`."""
    add_json(parser)
    parser.epilog = "Exits with 1 when something needed is missing; what is `limited` is needed only by some."


def run(args: argparse.Namespace) -> int:
    """Look, and tell what mends each thing that is not well."""
    from countertop.cli.checks import CHECKS, MISSING

    findings = [finding for check in CHECKS for finding in check()]
    if args.json:
        for finding in findings:
            say(json.dumps(asdict(finding), ensure_ascii=False))
    else:
        _show(findings)
    return 1 if any(finding.state == MISSING for finding in findings) else 0


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
