"""`countertop inventory`: hoppers, bins and ribbon of card printers, and what became of the cards."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.output import Refused, complain, console, json_line, say, table, word

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.card_printer_pb2 import CardInventory

__all__ = ["configure", "run"]

MOST = "10000"
"""Cards of a unit; more than the message holds must not reach it."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `inventory`."""
    parser.add_argument("device", nargs="?", metavar="DEVICE", help="a card printer's id (default: all of them)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--begin", action="store_true", help="begin an exchange: the device takes no work until its end")
    what.add_argument(
        "--end",
        nargs="*",
        metavar="UNIT=COUNT",
        help="end the exchange, and say how many cards are where; other units keep their counts",
    )
    parser.add_argument(
        "--threshold", action="append", default=[], metavar="UNIT=COUNT", help="with --end: where LOW or HIGH begins"
    )
    parser.add_argument("--by", default="", metavar="WHO", help="who does it: a staff number or a role")
    add_address(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Show it, or begin or end an exchange."""
    if args.device is None and (args.begin or args.end is not None):
        raise Refused("An exchange is done on one device; name it.", "See: countertop inventory")
    counts, thresholds = _counts(args.end or [], "--end"), _counts(args.threshold, "--threshold")
    lacking = sorted(thresholds.keys() - counts.keys())
    if lacking:
        raise Refused(f"--threshold: expected a count in --end for {', '.join(lacking)}.")

    async def work(counter: Counter) -> int:
        printer = counter.card_printer(args.device)
        if args.begin:
            return _show([await printer.begin_exchange(by=args.by)], args)
        if args.end is not None:
            return _show([await printer.end_exchange(counts, thresholds=thresholds, by=args.by)], args)
        device_ids = [args.device] if args.device else [item.id for item in await counter.devices(printer.kind)]
        if not device_ids:
            complain("This terminal has no card printer.")
        return _show([await counter.card_printer(item).inventory() for item in device_ids], args)

    return with_counter(args, work)


def _counts(given: list[str], option: str) -> dict[str, int]:
    found = {}
    for item in given:
        unit, _, count = item.partition("=")
        if not unit or not (count.isascii() and count.isdigit() and len(count) <= len(MOST)):
            raise Refused(f"{option}: expected UNIT=COUNT, such as feeder=100, with a count of at most {MOST}.")
        found[unit] = int(count)
    return found


def _show(inventories: list[CardInventory], args: argparse.Namespace) -> int:
    if args.json:
        for inventory in inventories:
            json_line(inventory)
        return 0
    for inventory in inventories:
        _show_one(inventory)
    return 0


def _show_one(inventory: CardInventory) -> None:
    from countertop.v1 import card_pb2, device_pb2

    shown = table(inventory.device_id, "level", "count", "at exchange", "threshold", "capacity")
    for item in inventory.units:
        counts = (item.count, item.initial, item.threshold, item.unit.capacity)
        counted = [str(number or "") for number in counts[1:]]
        shown.add_row(
            f"{item.unit.name} ({word(card_pb2.CardUnitKind, item.unit.kind, 'CARD_UNIT_KIND_').lower()})",
            word(card_pb2.CardUnitLevel, item.level, "CARD_UNIT_LEVEL_"),
            str(item.count) if item.counted else f"{item.count} (never counted)",
            *counted,
        )
    for supply in inventory.consumables:
        left = f"{supply.remaining}" if supply.HasField("remaining") else ""
        level = word(device_pb2.SupplyLevel, supply.level, "SUPPLY_LEVEL_")
        shown.add_row(f"{supply.name} {supply.type}".strip(), level, left, "", "", str(supply.capacity or ""))
    console().print(shown)
    totals = inventory.totals
    names = ("taken", "ejected", "retained", "rejected", "removed", "inside")
    went = ", ".join(f"{getattr(totals, name)} {name}" for name in names)
    say(f"Since the last exchange: {totals.fed} fed, {totals.inserted} inserted; {went}.")
    if inventory.exchanging:
        say("An exchange is under way; end it with --end.")
