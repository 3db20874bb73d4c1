"""The driver on the emulated printer: all that a daemon does with it, over the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from countertop.bench.v1.bench_pb2 import CUSTOMER_HABIT_LEAVES
from countertop.client import CountertopError
from countertop.client.sync import Bench, CardPrinter, Counter
from countertop.v1 import card_pb2, operation_pb2
from countertop.v1.card_design_pb2 import CardBox, CardDesign, CardElement, CardSide, CardText
from countertop.v1.card_pb2 import StripeData
from countertop.v1.device_pb2 import DEVICE_STATE_OFFLINE, DEVICE_STATE_READY, DeviceState

QUICK = {"speed": 0}
pytestmark = pytest.mark.terminal(devices=[{"id": "acme", "emulator": "acme", "emulator_options": QUICK}])
NAME = CardElement(box=CardBox(x_mm=10, y_mm=30, width_mm=60, height_mm=8), text=CardText(text="Mo Ling"))
DESIGN = CardDesign(front=CardSide(elements=[NAME]), back=CardSide(elements=[NAME]))
STRIPE = StripeData(track2="6227001234567890=3012")


def cards(bench: Bench) -> list[dict[str, Any]]:
    """Each card that left the printer, and the one inside."""
    return [json.loads(output.text) for output in bench.output("acme", limit=20, text_only=True)]


def test_who_is_there_is_told(counter: Counter) -> None:
    device = counter.device("acme")
    assert (device.info.vendor, device.info.model, device.info.serial) == ("Acme", "AC-1", "AC100001")
    assert device.info.card_printer.color
    assert [unit.name for unit in device.status.card_units] == ["feeder", "bin"]


def test_a_card_is_made_and_taken(card_printer: CardPrinter, bench: Bench) -> None:
    result = card_printer.issue(DESIGN, stripe=STRIPE)
    assert result.card.place == card_pb2.CARD_PLACE_TAKEN
    (card,) = cards(bench)
    assert card["stripe"]["track2"] == STRIPE.track2
    assert (card["front"]["printed"], card["back"]["printed"]) == (True, True)
    counts = bench.count_cards("acme")
    assert (counts.supply, counts.taken) == (49, 1)


def test_a_card_that_nobody_takes_is_kept_back(card_printer: CardPrinter, bench: Bench) -> None:
    bench.set_customer(CUSTOMER_HABIT_LEAVES, "acme")
    with pytest.raises(CountertopError, match="CARD_NOT_TAKEN"):
        card_printer.issue(DESIGN, take_within=1)
    assert bench.count_cards("acme").retained == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("stripe-write", "STRIPE_WRITE_FAILED"),
        ("stripe-refused", "STRIPE_WRITE_FAILED"),
        ("ribbon-tears", "RIBBON_OUT"),
    ],
)
def test_a_card_that_goes_wrong_never_reaches_the_customer(
    card_printer: CardPrinter, bench: Bench, fault: str, reason: str
) -> None:
    bench.inject_fault("acme", fault)
    with pytest.raises(CountertopError, match=reason):
        card_printer.issue(DESIGN, stripe=STRIPE)
    counts = bench.count_cards("acme")
    assert (counts.retained, counts.taken, counts.inside) == (1, 0, 0)


def test_a_jam_is_told_with_the_card(card_printer: CardPrinter, bench: Bench) -> None:
    bench.inject_fault("acme", "jam-exit", times=1)
    with pytest.raises(CountertopError, match="CARD_JAMMED") as raised:
        card_printer.issue(DESIGN)
    assert raised.value.device_fault is not None
    assert raised.value.device_fault.card.place == card_pb2.CARD_PLACE_JAMMED
    assert bench.remove_jam("acme")


def test_no_cards_and_no_ribbon_are_told_before_anything_moves(card_printer: CardPrinter, bench: Bench) -> None:
    bench.load_ribbon("acme", absent=True)
    with pytest.raises(CountertopError):
        card_printer.issue(DESIGN)
    bench.load_ribbon("acme", kind="K")
    bench.load_cards(0, "acme", empty=True)
    with pytest.raises(CountertopError, match="CARDS_OUT"):
        card_printer.issue(DESIGN)
    counts = bench.count_cards("acme")
    assert (counts.inside, counts.retained, counts.taken) == (0, 0, 0)


@pytest.mark.parametrize("fault", ["mute", "corrupt-reply", "noise", "split-replies"])
@pytest.mark.parametrize("after_bytes", [1, 30, 60])
def test_one_fault_of_the_line_costs_nothing_and_makes_no_second_card(
    card_printer: CardPrinter, bench: Bench, fault: str, after_bytes: int
) -> None:
    bench.inject_fault("acme", fault, times=1, after_bytes=after_bytes)
    card_printer.issue(stripe=STRIPE)
    counts = bench.count_cards("acme")
    assert (counts.supply, counts.taken) == (49, 1)


@pytest.mark.parametrize("after_bytes", [5, 20, 45, 70, 100])
def test_a_link_that_breaks_anywhere_loses_no_card(
    counter: Counter, card_printer: CardPrinter, bench: Bench, after_bytes: int
) -> None:
    bench.inject_fault("acme", "disconnect", times=1, after_bytes=after_bytes)
    handle = card_printer.start_issue(stripe=STRIPE)
    with suppress(CountertopError):
        handle.result()
    operation, counts = counter.operations.get(handle.id), bench.count_cards("acme")
    assert counts.inside == 0
    assert counts.taken == (operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED)
    assert counts.supply + counts.taken + counts.retained == 50


def test_a_plug_that_is_pulled_and_put_back(
    card_printer: CardPrinter, bench: Bench, until: Callable[[DeviceState], None]
) -> None:
    bench.unplug("acme")
    until(DEVICE_STATE_OFFLINE)
    bench.replug("acme")
    until(DEVICE_STATE_READY)
    card_printer.issue(stripe=STRIPE)
    assert bench.count_cards("acme").taken == 1
