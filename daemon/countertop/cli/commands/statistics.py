"""`countertop statistics`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.output import console, json_line, local_time, table, word

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.device_pb2 import GetStatisticsResponse, Histogram, Statistics

__all__ = ["configure", "median", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `statistics`."""
    parser.add_argument("device", metavar="DEVICE", help="the device's id, from `countertop devices`")
    add_address(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Show them."""

    async def work(counter: Counter) -> int:
        found = await counter.statistics(args.device)
        if args.json:
            json_line(found)
        else:
            _show(found)
        return 0

    return with_counter(args, work)


def _show(found: GetStatisticsResponse) -> None:
    from rich.markup import escape

    shown = table("", "since it was installed", "since the daemon started")
    both = (found.since_install, found.since_start)
    shown.add_row("since", *(local_time(item.since) for item in both))
    ever, now = _facts(both[0]), _facts(both[1])
    for name in dict.fromkeys([*ever, *now]):
        shown.add_row(escape(name), ever.get(name, "0"), now.get(name, "0"))
    out = console()
    out.print(shown)
    for seen in found.firmware:
        out.print(f"firmware {escape(seen.version)} {escape(seen.serial)} since {local_time(seen.since)}")


def _facts(statistics: Statistics) -> dict[str, str]:
    from countertop.v1 import operation_pb2

    facts: dict[str, str] = {}
    for item in statistics.operations:
        state = word(operation_pb2.OperationState, item.state, "OPERATION_STATE_")
        facts[f"{item.verb.rpartition('/')[2]} {state}"] = str(item.count)
    facts |= {item.name: f"{item.amount:g}" for item in statistics.media}
    facts["reconnects"] = str(statistics.reconnects)
    facts["time in the queue, median"] = median(statistics.queue_time)
    facts["time on the device, median"] = median(statistics.device_time)
    return facts


def median(histogram: Histogram) -> str:
    """The bound below which half of all times lie."""
    half, seen = sum(histogram.counts) / 2, 0
    if not half:
        return "-"
    for bound, count in zip(histogram.bounds, histogram.counts, strict=False):
        seen += count
        if seen >= half:
            return f"<= {bound:g} s"
    return f"> {histogram.bounds[-1]:g} s"
