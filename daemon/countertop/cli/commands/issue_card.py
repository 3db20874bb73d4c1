"""`countertop issue-card`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countertop.cli.arguments import add_address, add_json, seconds
from countertop.cli.calls import with_counter
from countertop.cli.follow import follow
from countertop.cli.output import Refused, complain, error_console, json_line, say, word

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.card_design_pb2 import CardDesign, CardValue
    from countertop.v1.card_pb2 import CardReport, StripeData
    from countertop.v1.card_printer_pb2 import IssueCardResponse

__all__ = ["configure", "describe", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `issue-card`."""
    parser.add_argument("device", metavar="DEVICE", help="the printer's id, from `countertop devices`")
    parser.add_argument("--design", type=Path, metavar="FILE", help="the design, as YAML or JSON; without it unprinted")
    parser.add_argument("--data", type=Path, metavar="FILE", help="the fields of the design, as JSON or YAML")
    parser.add_argument(
        "--stripe",
        action="append",
        default=[],
        metavar="TRACK=TEXT",
        help="write a track, 1 to 3, without sentinels; may be repeated",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--eject", action="store_true", help="into the output hopper, not to the customer")
    where.add_argument("--hold", action="store_true", help="keep it inside, for another operation")
    parser.add_argument("--take-within", type=seconds, metavar="S", help="time to take the card (default: 30)")
    parser.add_argument("--leave", action="store_true", help="leave it at the exit when nobody takes it")
    parser.add_argument("--operation-id", metavar="ID", help="to attach to the same card again (default: a new one)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="save there what an emulated printer made")
    add_address(parser)
    add_json(parser)
    parser.epilog = "Progress goes to standard error. Ctrl-C cancels a card that has not begun; any other goes its way."


def run(args: argparse.Namespace) -> int:
    """Make one card."""
    design, data = _artwork(args)
    options = _options(args)

    async def work(counter: Counter) -> int:
        handle = counter.card_printer(args.device).start_issue(design, data, **options)
        result = await follow(handle, _tell_moved)
        if args.json:
            json_line(result)
        else:
            say(describe(result.card))
        if args.out is not None:
            await _save(counter, args)
        return 0

    return with_counter(args, work)


def describe(card: CardReport) -> str:
    """What was made and where it is, in a sentence."""
    from countertop.v1 import card_pb2

    done = [name for name in ("stripe", "chip", "front", "back") if getattr(card, name) == card_pb2.CARD_WORK_DONE]
    place = word(card_pb2.CardPlace, card.place, "CARD_PLACE_").lower().replace("_", " ")
    made = f"{', '.join(done)} done" if done else "nothing was written or printed"
    return f"The card: {made}; it is {_WHERE.get(place, f'at {place}')}."


_WHERE = {
    "taken": "with the customer",
    "output": "in the output hopper",
    "retain bin": "in the bin for retained cards",
    "exit": "at the exit",
}


def _artwork(args: argparse.Namespace) -> tuple[CardDesign | None, dict[str, CardValue]]:
    if args.design is None:
        if args.data is not None:
            raise Refused("--data says what is on a design; give --design too.")
        return None, {}
    from countertop.cli.card_file import read_data, read_design

    design = read_design(args.design)
    return design, read_data(args.data, design) if args.data is not None else {}


def _options(args: argparse.Namespace) -> dict[str, Any]:
    from countertop.v1 import card_printer_pb2

    options: dict[str, Any] = {}
    if args.stripe:
        options["stripe"] = _stripe(args.stripe)
    if args.eject:
        options["delivery"] = card_printer_pb2.CARD_DELIVERY_EJECT
    if args.hold:
        options["delivery"] = card_printer_pb2.CARD_DELIVERY_HOLD
    if args.take_within is not None:
        options["take_within"] = args.take_within
    if args.leave:
        options["if_not_taken"] = card_printer_pb2.NOT_TAKEN_LEAVE
    if args.operation_id is not None:
        options["operation_id"] = args.operation_id
    return options


def _stripe(given: list[str]) -> StripeData:
    from countertop.v1.card_pb2 import StripeData

    stripe = StripeData()
    for item in given:
        track, equals, text = item.partition("=")
        if track not in ("1", "2", "3") or not equals or not text:
            raise Refused("--stripe: expected TRACK=TEXT with a track of 1 to 3.")
        setattr(stripe, f"track{track}", text)
    return stripe


def _tell_moved(update: IssueCardResponse) -> None:
    from countertop.v1 import card_pb2

    if update.HasField("moved"):
        movement = word(card_pb2.CardMovement, update.moved.movement, "CARD_MOVEMENT_")
        error_console().print(f"  the card was {movement.lower()}")


async def _save(counter: Counter, args: argparse.Namespace) -> None:
    """The last card that the emulated printer made."""
    last = await counter.bench.last_output(args.device)
    if last is None:
        complain("The printer has put no card out.")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    for name, image in (("card-front.png", last.image), ("card-back.png", last.back)):
        if image.data:
            (args.out / name).write_bytes(image.data)
            say(f"saved {args.out / name}")
    (args.out / "card.json").write_text(last.text + "\n", encoding="utf-8")
    say(f"saved {args.out / 'card.json'}")
