"""`countertop reset`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.follow import follow
from countertop.cli.output import json_line, say, word

if TYPE_CHECKING:
    from countertop.client import Counter

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `reset`."""
    parser.add_argument("device", metavar="DEVICE", help="the device's id, from `countertop devices`")
    add_address(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Reset it, and tell what stands against it now."""

    async def work(counter: Counter) -> int:
        from countertop.v1 import error_pb2

        result = await follow(counter.start_reset(args.device))
        if args.json:
            json_line(result)
            return 0
        standing = [word(error_pb2.Reason, condition.reason, "REASON_") for condition in result.status.conditions]
        say(f"{args.device} was reset; {'it reports ' + ', '.join(standing) if standing else 'all is well'}.")
        return 0

    return with_counter(args, work)
