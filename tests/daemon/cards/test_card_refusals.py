"""What is refused before a card moves."""

from __future__ import annotations

from typing import Any

import pytest

from countertop.client import Counter, CountertopError, InvalidRequest, OperationFailed
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1 import error_pb2
from countertop.v1.card_design_pb2 import CardDesign, CardElement, CardSide, CardText
from countertop.v1.card_pb2 import StripeData
from countertop.v1.card_printer_pb2 import ApduScript, AppDrivenChip, BlankCheck, ChipStep, ScriptedApdu
from tests.daemon.cards.world import (
    BOX,
    DESIGN,
    DESKTOP,
    KIOSK,
    LEAVES,
    NONE,
    SELECT_FILE,
    STRIPE,
    TWO_SIDED,
    counted,
    fed,
    more_than,
    standing,
    until,
)


def text(value: str) -> CardDesign:
    return CardDesign(front=CardSide(elements=[CardElement(box=BOX.box, text=CardText(text=value, size_pt=9))]))


def script(*commands: bytes) -> ChipStep:
    return ChipStep(script=ApduScript(commands=[ScriptedApdu(command=command) for command in commands]))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"stripe": StripeData(track2="99990123A")}, "stripe.track2"),
    ({"stripe": StripeData(track1="lower case")}, "stripe.track1"),
    ({"stripe": StripeData()}, "stripe"),
    ({"stripe": StripeData(track3="9" * 105)}, "stripe.track3"),
    ({"design": text("{nmae}")}, "artwork.design.front.elements[0].text.text"),
    ({"design": DESIGN}, "artwork.data"),
    ({"design": DESIGN, "data": {"name": "x" * 21}}, "artwork.data[name]"),
    ({"design": TWO_SIDED, "data": {"extra": "x"}}, "artwork.data[extra]"),
    ({"chip": ChipStep()}, "chip"),
    ({"chip": script(SELECT_FILE, b"\0\xa4\0")}, "chip.script.commands[1].command"),
    ({"chip": ChipStep(script=ApduScript())}, "chip.script.commands"),
    ({"chip": ChipStep(app=AppDrivenChip(within={"seconds": 601}))}, "chip.app.within"),
    ({"take_within": 0.5}, "take_within"),
    ({"take_within": 601}, "take_within"),
    ({"blank": BlankCheck(stripe_begins=StripeData(track2="9" * 38))}, "blank.stripe_begins.track2"),
]


@pytest.mark.parametrize(("asked", "field"), REFUSED, ids=[field for _, field in REFUSED])
async def test_a_mistake_is_named_by_its_field_and_nothing_moves(
    asked: dict[str, Any], field: str, counter: Counter
) -> None:
    before = await counted(counter)
    with pytest.raises(InvalidRequest) as mistake:
        await counter.card_printer(KIOSK).issue(**asked)
    assert any(place.startswith(field) for place in mistake.value.violations), mistake.value.violations
    assert await more_than(before, counter) == {}


LACKING = [
    (KIOSK, {"delivery": cards.CARD_DELIVERY_EJECT}),
    (DESKTOP, {"delivery": cards.CARD_DELIVERY_PRESENT}),
    (DESKTOP, {"source": cards.CARD_SOURCE_EXIT, "timeout": 1.0}),
]


@pytest.mark.parametrize(("device_id", "asked"), LACKING)
async def test_what_the_printer_cannot_do_uses_no_card_up(
    device_id: str, asked: dict[str, Any], counter: Counter
) -> None:
    before = await counted(counter, device_id)
    with pytest.raises(CountertopError) as refused:
        await counter.card_printer(device_id).issue(stripe=STRIPE, **asked)
    assert refused.value.reason == error_pb2.REASON_NOT_SUPPORTED
    assert refused.value.physical_effect == NONE
    assert await more_than(before, counter, device_id) == {}


async def staff_empties_the_feeder(counter: Counter) -> None:
    await counter.bench.load_cards(0, KIOSK, empty=True)


async def staff_opens_the_cover(counter: Counter) -> None:
    await counter.bench.open_cover(KIOSK)


async def staff_takes_the_ribbon_out(counter: Counter) -> None:
    await counter.bench.load_ribbon(KIOSK, absent=True)
    await until(counter, KIOSK, lambda device: error_pb2.REASON_RIBBON_OUT in standing(device))


async def the_bin_fills_up(counter: Counter) -> None:
    for _ in range(30):
        await counter.card_printer(KIOSK).move(cards.CARD_MOVE_FEED)
        await counter.card_printer(KIOSK).move(cards.CARD_MOVE_RETAIN)


async def a_card_is_inside(counter: Counter) -> None:
    await fed(counter)


async def a_card_lies_at_the_exit(counter: Counter) -> None:
    await counter.bench.set_customer(LEAVES, KIOSK)
    await fed(counter)
    await counter.card_printer(KIOSK).move(cards.CARD_MOVE_PRESENT)


OBSTACLES = [
    (staff_empties_the_feeder, error_pb2.REASON_CARDS_OUT),
    (staff_opens_the_cover, error_pb2.REASON_COVER_OPEN),
    (staff_takes_the_ribbon_out, error_pb2.REASON_RIBBON_OUT),
    (the_bin_fills_up, error_pb2.REASON_RETAIN_BIN_FULL),
    (a_card_is_inside, error_pb2.REASON_CARD_INSIDE),
    (a_card_lies_at_the_exit, error_pb2.REASON_CARD_AT_EXIT),
]


@pytest.mark.parametrize(("happens", "reason"), OBSTACLES, ids=[happens.__name__ for happens, _ in OBSTACLES])
async def test_what_stands_in_the_way_is_told_before_a_card_is_used(
    happens: Any, reason: int, counter: Counter
) -> None:
    await happens(counter)
    before = await counted(counter)
    with pytest.raises(OperationFailed) as refused:
        await counter.card_printer(KIOSK).issue(DESIGN, {"name": "x"})
    assert (refused.value.reason, refused.value.physical_effect) == (reason, NONE)
    assert await more_than(before, counter) == {}
