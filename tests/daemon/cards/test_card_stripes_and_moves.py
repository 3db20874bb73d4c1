"""Stripes, and movements by themselves."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from countertop.bench.v1 import bench_pb2
from countertop.client import Counter, CountertopError, OperationFailed
from countertop.server.config import DeviceConfig
from countertop.v1 import card_pb2, device_pb2, error_pb2, operation_pb2
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1.card_pb2 import CardPlace, StripeData
from tests.daemon.cards.world import (
    DESKTOP,
    DONE,
    KIOSK,
    LEAVES,
    NONE,
    STRIPE,
    TAKES,
    Watch,
    counted,
    fed,
    last_card,
    more_than,
    place_of,
    started,
    terminal,
)


async def test_a_stripe_is_written_read_back_and_read_again(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    written = await printer.encode_stripe(STRIPE)
    assert (written.card.stripe, written.card.place) == (DONE, card_pb2.CARD_PLACE_PRINT)
    found = await printer.read_stripe()
    assert (found.stripe.track1, found.stripe.track2, found.stripe.track3) == (STRIPE.track1, STRIPE.track2, "")
    assert list(found.states) == [cards.TRACK_STATE_READ, cards.TRACK_STATE_READ, cards.TRACK_STATE_BLANK]
    one = await printer.read_stripe([2])
    assert (one.stripe.track1, one.stripe.track2) == ("", STRIPE.track2)
    assert list(one.states) == [cards.TRACK_STATE_UNSPECIFIED, cards.TRACK_STATE_READ, cards.TRACK_STATE_UNSPECIFIED]
    await printer.move(cards.CARD_MOVE_RETAIN)


async def test_a_damaged_track_is_told_and_is_no_error(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    await counter.bench.inject_fault(KIOSK, "stripe-spoilt", times=1)
    with pytest.raises(OperationFailed) as spoilt:
        await printer.encode_stripe(StripeData(track2="9999"))
    assert spoilt.value.device_fault is not None
    assert spoilt.value.device_fault.card.place == card_pb2.CARD_PLACE_PRINT  # perhaps a customer's: it stays
    assert (await printer.read_stripe([2])).states[1] == cards.TRACK_STATE_DAMAGED
    await printer.encode_stripe(StripeData(track2="9999"))
    assert (await printer.read_stripe([2])).stripe.track2 == "9999"


async def test_a_blank_whose_stripe_cannot_be_written_is_put_away(counter: Counter) -> None:
    await counter.bench.inject_fault(KIOSK, "stripe-write", times=1)
    with pytest.raises(OperationFailed) as failed:
        await counter.card_printer(KIOSK).encode_stripe(STRIPE, source=cards.CARD_SOURCE_SUPPLY)
    assert failed.value.device_fault is not None
    assert failed.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN


async def test_a_weakly_magnetised_stripe_does_not_stay_on_a_strong_card(counter: Counter) -> None:
    low = card_pb2.COERCIVITY_LOW
    with pytest.raises(OperationFailed) as failed:
        await counter.card_printer(KIOSK).encode_stripe(STRIPE, coercivity=low, source=cards.CARD_SOURCE_SUPPLY)
    assert failed.value.reason == error_pb2.REASON_STRIPE_WRITE_FAILED


@pytest.mark.parametrize(
    ("device_id", "delivery", "place"),
    [(KIOSK, cards.CARD_DELIVERY_PRESENT, "taken"), (DESKTOP, cards.CARD_DELIVERY_EJECT, "output")],
)
async def test_an_encoded_card_is_given_out(device_id: str, delivery: int, place: str, counter: Counter) -> None:
    printer = counter.card_printer(device_id)
    await printer.encode_stripe(STRIPE, source=cards.CARD_SOURCE_SUPPLY, delivery=delivery)
    card, _ = await last_card(counter, device_id)
    assert (card["place"], card["stripe"]["track2"]) == (place, STRIPE.track2)


async def test_a_stripe_is_read_and_written_only_of_a_card_that_is_inside(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    for call in (printer.read_stripe, lambda: printer.encode_stripe(STRIPE)):
        with pytest.raises(OperationFailed) as none:
            await call()
        assert (none.value.reason, none.value.physical_effect) == (error_pb2.REASON_NO_CARD_INSIDE, NONE)


async def test_a_card_at_the_contacts_is_read_at_the_stripes_station(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    await printer.move(cards.CARD_MOVE_CONTACT)
    written = await printer.encode_stripe(STRIPE)
    assert written.card.place == card_pb2.CARD_PLACE_PRINT
    await printer.move(cards.CARD_MOVE_CONTACT)
    async with Watch(counter) as watch:
        await printer.read_stripe(operation_id="read-at-contacts")
        moved = await watch.until_moved(card_pb2.CARD_MOVEMENT_MOVED)
    assert (moved.place, moved.operation_id) == (card_pb2.CARD_PLACE_PRINT, "read-at-contacts")


async def test_a_card_is_moved_to_every_station_and_out(counter: Counter) -> None:
    printer, before = counter.card_printer(KIOSK), await counted(counter)
    ways = [
        (cards.CARD_MOVE_FEED, "PRINT"),
        (cards.CARD_MOVE_CONTACT, "CONTACT"),
        (cards.CARD_MOVE_PRINT, "PRINT"),
        (cards.CARD_MOVE_RETAIN, "RETAIN_BIN"),
        (cards.CARD_MOVE_FEED, "PRINT"),
        (cards.CARD_MOVE_REJECT, "RETAIN_BIN"),
    ]
    for move, place in ways:
        result = await printer.move(move)
        assert CardPlace.Name(result.card.place) == f"CARD_PLACE_{place}"
        assert await place_of(counter) == place
    assert await more_than(before, counter) == {"supply": -2, "retained": 2}


async def test_a_card_at_the_exit_is_waited_for_or_left_or_taken_in_again(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    await counter.bench.set_customer(LEAVES, KIOSK)
    assert (await printer.move(cards.CARD_MOVE_PRESENT)).card.place == card_pb2.CARD_PLACE_EXIT
    assert (await printer.move(cards.CARD_MOVE_PRINT)).card.place == card_pb2.CARD_PLACE_PRINT
    with pytest.raises(OperationFailed) as forgotten:
        await printer.move(cards.CARD_MOVE_PRESENT, take_within=1, if_not_taken=cards.NOT_TAKEN_LEAVE)
    assert forgotten.value.reason == error_pb2.REASON_CARD_NOT_TAKEN
    assert (await printer.move(cards.CARD_MOVE_PRINT)).card.place == card_pb2.CARD_PLACE_PRINT
    await counter.bench.set_customer(TAKES, KIOSK)
    assert (await printer.move(cards.CARD_MOVE_PRESENT, take_within=5)).card.place == card_pb2.CARD_PLACE_TAKEN


async def test_a_card_that_a_person_brings_is_accepted(counter: Counter) -> None:
    async with Watch(counter) as watch:
        moving = asyncio.create_task(counter.card_printer(KIOSK).move(cards.CARD_MOVE_ACCEPT, timeout=20))
        asked = operation_pb2.PROMPT_KIND_INSERT_CARD
        await watch.until(lambda event: event.operation_changed.prompt == asked)
        await counter.bench.push_card(KIOSK, stripe=StripeData(track2="9999123"))
    assert (await moving).card.place == card_pb2.CARD_PLACE_PRINT
    assert (await counter.card_printer(KIOSK).read_stripe([2])).stripe.track2 == "9999123"


IMPOSSIBLE = [
    (KIOSK, cards.CARD_MOVE_EJECT, True, error_pb2.REASON_NOT_SUPPORTED),
    (KIOSK, cards.CARD_MOVE_CONTACTLESS, True, error_pb2.REASON_NOT_SUPPORTED),
    (DESKTOP, cards.CARD_MOVE_PRESENT, True, error_pb2.REASON_NOT_SUPPORTED),
    (DESKTOP, cards.CARD_MOVE_ACCEPT, False, error_pb2.REASON_NOT_SUPPORTED),
    (KIOSK, cards.CARD_MOVE_FEED, True, error_pb2.REASON_CARD_INSIDE),
    (KIOSK, cards.CARD_MOVE_RETAIN, False, error_pb2.REASON_NO_CARD_INSIDE),
    (KIOSK, cards.CARD_MOVE_PRESENT, False, error_pb2.REASON_NO_CARD_INSIDE),
    (KIOSK, cards.CARD_MOVE_UNSPECIFIED, False, error_pb2.REASON_INVALID_REQUEST),
]


@pytest.mark.parametrize(("device_id", "move", "inside", "reason"), IMPOSSIBLE)
async def test_a_movement_that_is_not_possible_moves_nothing(
    device_id: str, move: Any, inside: bool, reason: int, counter: Counter
) -> None:
    if inside:
        await fed(counter, device_id)
    before = await counted(counter, device_id)
    with pytest.raises(CountertopError) as refused:
        await counter.card_printer(device_id).move(move)
    assert refused.value.reason == reason
    assert refused.value.physical_effect in (NONE, error_pb2.PHYSICAL_EFFECT_UNSPECIFIED)
    assert await more_than(before, counter, device_id) == {}


async def test_a_card_goes_to_the_antenna_and_may_stick_on_its_way(tmp_path: Path) -> None:
    emulator = await started(ribbon="KO")
    link = f"{emulator.link_url}&chip_contactless={emulator.link_url.partition('chip=')[2]}"
    try:
        async with terminal(tmp_path, DeviceConfig(id=KIOSK, driver="evolis", link=link)) as counter:
            printer = counter.card_printer(KIOSK)
            await fed(counter)
            moved = await printer.move(cards.CARD_MOVE_CONTACTLESS)
            assert moved.card.place == card_pb2.CARD_PLACE_CONTACTLESS
            await printer.move(cards.CARD_MOVE_PRINT)
            await emulator.inject_fault(bench_pb2.InjectFaultRequest(fault="jam-contactless", times=1))
            with pytest.raises(OperationFailed) as jammed:
                await printer.move(cards.CARD_MOVE_CONTACTLESS)
            assert jammed.value.reason == error_pb2.REASON_CARD_JAMMED
    finally:
        await emulator.close()


async def test_a_reset_keeps_back_the_card_that_is_inside(counter: Counter) -> None:
    await fed(counter)
    async with Watch(counter) as watch:
        await counter.reset(KIOSK)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_RETAINED)
    assert (await last_card(counter))[0]["place"] == "retained"


async def test_a_card_that_nobody_moved_is_noticed(counter: Counter) -> None:
    await fed(counter)
    async with Watch(counter) as watch:
        await counter.bench.remove_jam(KIOSK)
        removed = await watch.until_moved(card_pb2.CARD_MOVEMENT_REMOVED)
        assert removed.place == card_pb2.CARD_PLACE_NONE
        await counter.bench.set_customer(LEAVES, KIOSK)
        await counter.bench.push_card(KIOSK)
        inserted = await watch.until_moved(card_pb2.CARD_MOVEMENT_INSERTED)
        assert (inserted.place, inserted.operation_id) == (card_pb2.CARD_PLACE_EXIT, "")
        await counter.bench.take_card(KIOSK)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_TAKEN)
        changes = [event.media_changed.media for event in watch.events if event.HasField("media_changed")]
    assert changes == [
        device_pb2.MEDIA_STATE_NOT_PRESENT,
        device_pb2.MEDIA_STATE_PRESENT,
        device_pb2.MEDIA_STATE_NOT_PRESENT,
    ]
