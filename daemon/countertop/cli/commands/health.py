"""`countertop health`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.follow import follow
from countertop.cli.output import console, json_line, table

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.device_pb2 import CheckHealthResult

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `health`."""
    parser.add_argument("device", metavar="DEVICE", help="the device's id, from `countertop devices`")
    parser.add_argument(
        "--level",
        choices=("internal", "external", "interactive"),
        default="internal",
        help="internal asks the device; external does something to be seen, such as a test slip; "
        "interactive asks you to do something (default: internal)",
    )
    add_address(parser)
    add_json(parser)
    parser.epilog = "Exits with 1 when the device is not healthy."


def run(args: argparse.Namespace) -> int:
    """Check it."""

    async def work(counter: Counter) -> int:
        from countertop.v1 import device_pb2

        levels = {
            "internal": device_pb2.HEALTH_LEVEL_INTERNAL,
            "external": device_pb2.HEALTH_LEVEL_EXTERNAL,
            "interactive": device_pb2.HEALTH_LEVEL_INTERACTIVE,
        }
        result = await follow(counter.start_check_health(args.device, levels[args.level]))
        if args.json:
            json_line(result)
        else:
            _show(result)
        return 0 if result.healthy else 1

    return with_counter(args, work)


def _show(result: CheckHealthResult) -> None:
    from rich.markup import escape

    shown = table("", "what", "found")
    for finding in result.findings:
        mark = "[green]ok[/]" if finding.passed else "[red]not ok[/]"
        shown.add_row(mark, escape(finding.item), escape(finding.detail))
    out = console()
    out.print(shown)
    out.print("healthy" if result.healthy else "not healthy")
