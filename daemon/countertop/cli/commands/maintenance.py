"""`countertop maintenance`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json, seconds
from countertop.cli.calls import with_counter
from countertop.cli.output import json_line, say

if TYPE_CHECKING:
    from countertop.client import Counter

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `maintenance`."""
    parser.add_argument("device", metavar="DEVICE", help="the device's id, from `countertop devices`")
    parser.add_argument("switch", choices=("on", "off"), help="out of use, or back into use")
    parser.add_argument("--reason", default="", help="told to whoever is refused; no customer data")
    parser.add_argument(
        "--drain", type=seconds, metavar="SECONDS", help="longest time for what runs and waits (default: 60)"
    )
    add_address(parser)
    add_json(parser)
    parser.epilog = "It takes no new work from now on, finishes what it has, and stays so over a restart."


def run(args: argparse.Namespace) -> int:
    """Switch it."""

    async def work(counter: Counter) -> int:
        if args.switch == "on" and not args.json:
            say(f"{args.device} takes no new work; waiting for what it has ...")
        device = await counter.set_maintenance(args.device, args.switch == "on", args.reason, args.drain)
        if args.json:
            json_line(device)
        else:
            say(f"{args.device} is {'in maintenance' if args.switch == 'on' else 'in use'}.")
        return 0

    return with_counter(args, work)
