"""What goes wrong on a card's way, and where the card is then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from countertop.bench.v1 import bench_pb2
from countertop.client import Counter, OperationFailed
from countertop.server.config import DeviceConfig
from countertop.v1 import card_pb2, device_pb2, error_pb2
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1.card_design_pb2 import CardDesign, CardElement, CardShape, CardSide
from countertop.v1.card_pb2 import CardMovement, StripeData
from countertop.v1.card_printer_pb2 import BlankCheck
from tests.daemon.cards.world import (
    ATR,
    BOX,
    DESIGN,
    DESKTOP,
    DONE,
    FAILED,
    KIOSK,
    LEAVES,
    NONE,
    PARTIAL,
    READ,
    SCRIPT,
    SELECT_APPLICATION,
    SELECT_FILE,
    STRIPE,
    TWO_SIDED,
    Watch,
    counted,
    evolis,
    fed,
    last_card,
    more_than,
    movements,
    place_of,
    standing,
    started,
    terminal,
    until,
    until_ready,
    updates_of,
    waiting_for_its_app,
)

WRONG = [
    (BlankCheck(stripe_begins=StripeData(track2="9998")), "track 2 to begin"),
    (BlankCheck(stripe_blank=True), "track 2 blank"),
    (BlankCheck(atr=bytes.fromhex("3B00")), "the ATR 3B00"),
]


@pytest.mark.parametrize(("blank", "expected"), WRONG, ids=[expected for _, expected in WRONG])
async def test_a_wrong_blank_is_put_away_before_anything_is_written(
    blank: BlankCheck, expected: str, counter: Counter
) -> None:
    await counter.bench.load_cards(5, KIOSK, stripe=StripeData(track2="9999000000000000"), empty=True)
    handle = counter.card_printer(KIOSK).start_issue(DESIGN, {"name": "x"}, stripe=STRIPE, chip=SCRIPT, blank=blank)
    with pytest.raises(OperationFailed) as wrong:
        await handle.result()
    assert (wrong.value.reason, wrong.value.physical_effect) == (error_pb2.REASON_WRONG_BLANK, PARTIAL)
    fault = wrong.value.device_fault
    assert fault is not None
    assert expected in fault.expected
    assert fault.card == card_pb2.CardReport(place=card_pb2.CARD_PLACE_RETAIN_BIN, fed=True)
    card, _ = await last_card(counter)
    assert card["place"] == "retained"
    assert card["stripe"]["track2"] == "9999000000000000"
    assert not card["front"]["printed"]


async def test_the_right_blank_is_checked_in_every_way_and_then_made(counter: Counter) -> None:
    await counter.bench.load_cards(5, KIOSK, stripe=StripeData(track2="9999000000000000"), empty=True)
    blank = BlankCheck(stripe_begins=StripeData(track2="999900"), atr=bytes.fromhex(ATR))
    handle = counter.card_printer(KIOSK).start_issue(DESIGN, {"name": "x"}, stripe=STRIPE, chip=SCRIPT, blank=blank)
    updates = await updates_of(handle)
    assert movements(updates) == ["FED", "MOVED", "MOVED", "MOVED", "MOVED", "PRESENTED", "TAKEN"]
    card, _ = await last_card(counter)
    assert card["stripe"]["track2"] == STRIPE.track2
    assert card["chip"]["files"]["3F00/7F01/EF01"].startswith("DEADBEEF")


async def test_a_card_at_the_contacts_is_checked_and_written_where_the_stripe_is(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    await printer.move(cards.CARD_MOVE_CONTACT)
    blank = BlankCheck(stripe_blank=True, atr=bytes.fromhex(ATR))
    result = await printer.issue(
        source=cards.CARD_SOURCE_INSIDE, blank=blank, stripe=STRIPE, delivery=cards.CARD_DELIVERY_HOLD
    )
    assert (result.card.place, result.card.stripe) == (card_pb2.CARD_PLACE_PRINT, DONE)
    assert await place_of(counter) == "PRINT"


async def test_a_card_that_nobody_takes_is_kept_back(counter: Counter) -> None:
    await counter.bench.set_customer(LEAVES, KIOSK)
    handle = counter.card_printer(KIOSK).start_issue(stripe=STRIPE, take_within=1)
    async with Watch(counter) as watch:
        with pytest.raises(OperationFailed) as forgotten:
            await handle.result()
        await watch.until_moved(card_pb2.CARD_MOVEMENT_RETAINED)
        told = [CardMovement.Name(moved.movement).removeprefix("CARD_MOVEMENT_") for moved in watch.moved()]
    assert told == ["FED", "PRESENTED", "FORGOTTEN", "MOVED", "RETAINED"]
    assert (forgotten.value.reason, forgotten.value.physical_effect) == (error_pb2.REASON_CARD_NOT_TAKEN, PARTIAL)
    assert forgotten.value.device_fault is not None
    assert forgotten.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN
    assert forgotten.value.device_fault.card.stripe == DONE
    assert (await last_card(counter))[0]["place"] == "retained"


async def test_a_card_that_may_stay_at_the_exit_is_taken_later(counter: Counter) -> None:
    await counter.bench.set_customer(LEAVES, KIOSK)
    handle = counter.card_printer(KIOSK).start_issue(stripe=STRIPE, take_within=1, if_not_taken=cards.NOT_TAKEN_LEAVE)
    with pytest.raises(OperationFailed) as forgotten:
        await handle.result()
    assert forgotten.value.device_fault is not None
    assert forgotten.value.device_fault.card.place == card_pb2.CARD_PLACE_EXIT
    device = await until(counter, KIOSK, lambda device: error_pb2.REASON_CARD_AT_EXIT in standing(device))
    assert device.status.card.movement == card_pb2.CARD_MOVEMENT_FORGOTTEN
    async with Watch(counter) as watch:
        assert await counter.bench.take_card(KIOSK)
        taken = await watch.until_moved(card_pb2.CARD_MOVEMENT_TAKEN)
    assert (taken.operation_id, taken.place) == (handle.id, card_pb2.CARD_PLACE_TAKEN)


async def test_a_customer_who_pushes_the_card_back_has_not_taken_it(counter: Counter) -> None:
    await counter.bench.set_customer(bench_pb2.CUSTOMER_HABIT_PUSHES_BACK, KIOSK)
    before = await counted(counter)
    with pytest.raises(OperationFailed) as forgotten:
        await counter.card_printer(KIOSK).issue(stripe=STRIPE, take_within=1)
    assert forgotten.value.reason == error_pb2.REASON_CARD_NOT_TAKEN
    assert await more_than(before, counter) == {"supply": -1, "retained": 1}


JAMS: list[tuple[str, str, dict[str, Any]]] = [
    ("jam-feeder", KIOSK, {"stripe": STRIPE}),
    ("jam-contact", KIOSK, {"chip": SCRIPT}),
    ("jam-print", KIOSK, {"chip": SCRIPT}),
    ("jam-flip", KIOSK, {"design": TWO_SIDED}),
    ("jam-exit", KIOSK, {"stripe": STRIPE}),
    ("jam-output", DESKTOP, {"stripe": STRIPE}),
]


@pytest.mark.parametrize(("fault", "device_id", "asked"), JAMS, ids=[fault for fault, *_ in JAMS])
async def test_a_card_that_sticks_is_told_and_staff_takes_it_out(
    fault: str, device_id: str, asked: dict[str, Any], counter: Counter
) -> None:
    before = await counted(counter, device_id)
    await counter.bench.inject_fault(device_id, fault, times=1)
    with pytest.raises(OperationFailed) as jammed:
        await counter.card_printer(device_id).issue(**asked)
    assert (jammed.value.reason, jammed.value.physical_effect) == (error_pb2.REASON_CARD_JAMMED, PARTIAL)
    assert jammed.value.device_fault is not None
    assert jammed.value.device_fault.card.place == card_pb2.CARD_PLACE_JAMMED
    assert jammed.value.device_fault.card.fed
    device = await until(counter, device_id, lambda device: device.state == device_pb2.DEVICE_STATE_FAULT)
    assert standing(device) == [error_pb2.REASON_CARD_JAMMED]
    assert device.status.media == device_pb2.MEDIA_STATE_JAMMED
    async with Watch(counter) as watch:
        assert await counter.bench.remove_jam(device_id)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_REMOVED)
    await until_ready(counter, device_id)
    assert await more_than(before, counter, device_id) == {"supply": -1, "removed": 1}


async def test_a_wrong_blank_that_sticks_on_its_way_into_the_bin_is_told_there(counter: Counter) -> None:
    await counter.bench.inject_fault(KIOSK, "jam-retain", times=1)
    with pytest.raises(OperationFailed) as wrong:
        await counter.card_printer(KIOSK).issue(blank=BlankCheck(stripe_begins=StripeData(track2="9")))
    assert wrong.value.reason == error_pb2.REASON_WRONG_BLANK
    assert wrong.value.device_fault is not None
    assert wrong.value.device_fault.card.place == card_pb2.CARD_PLACE_JAMMED


MISHAPS: list[tuple[str, int, str, dict[str, Any]]] = [
    ("stripe-write", error_pb2.REASON_STRIPE_WRITE_FAILED, "stripe", {"stripe": STRIPE}),
    ("stripe-spoilt", error_pb2.REASON_STRIPE_WRITE_FAILED, "stripe", {"stripe": STRIPE}),
    ("chip-mute", error_pb2.REASON_CHIP_NOT_ANSWERING, "chip", {"chip": SCRIPT}),
    ("chip-tears", error_pb2.REASON_CHIP_REFUSED, "chip", {"chip": SCRIPT}),
    ("ribbon-break", error_pb2.REASON_RIBBON_OUT, "front", {"design": TWO_SIDED}),
    ("head-error", error_pb2.REASON_PRINTER_FAULT, "front", {"design": TWO_SIDED}),
]


@pytest.mark.parametrize(("fault", "reason", "work", "asked"), MISHAPS, ids=[fault for fault, *_ in MISHAPS])
async def test_a_half_made_card_is_put_away_and_the_failure_says_how_far_it_came(
    fault: str, reason: int, work: str, asked: dict[str, Any], counter: Counter
) -> None:
    before = await counted(counter)
    await counter.bench.inject_fault(KIOSK, fault, times=1)
    with pytest.raises(OperationFailed) as failed:
        await counter.card_printer(KIOSK).issue(**asked)
    assert (failed.value.reason, failed.value.physical_effect) == (reason, PARTIAL)
    assert failed.value.device_fault is not None
    card = failed.value.device_fault.card
    assert (card.place, getattr(card, work)) == (card_pb2.CARD_PLACE_RETAIN_BIN, FAILED)
    assert await more_than(before, counter) == {"supply": -1, "retained": 1}
    assert (await last_card(counter))[0]["place"] == "retained"


async def test_a_card_that_finds_no_room_in_the_output_hopper_is_put_away(counter: Counter) -> None:
    printer = counter.card_printer(DESKTOP)
    for _ in range(2):
        await printer.issue(stripe=STRIPE)
    with pytest.raises(OperationFailed) as full:
        await printer.issue(stripe=STRIPE)
    assert (full.value.reason, full.value.physical_effect) == (error_pb2.REASON_OUTPUT_FULL, PARTIAL)
    assert full.value.device_fault is not None
    assert full.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN


async def test_a_card_that_an_open_cover_holds_inside_is_told_there_and_kept_back_later(counter: Counter) -> None:
    handle = await waiting_for_its_app(counter)
    await counter.bench.open_cover(KIOSK)
    async with counter.card_printer(KIOSK).chip(issue=handle.id):
        pass
    with pytest.raises(OperationFailed) as open_cover:
        await handle.result()
    assert (open_cover.value.reason, open_cover.value.physical_effect) == (error_pb2.REASON_COVER_OPEN, PARTIAL)
    assert open_cover.value.device_fault is not None
    assert open_cover.value.device_fault.card.place == card_pb2.CARD_PLACE_CONTACT
    await counter.bench.close_cover(KIOSK)
    await until(counter, KIOSK, lambda device: standing(device) == [error_pb2.REASON_CARD_INSIDE])
    await counter.reset(KIOSK)
    assert (await last_card(counter))[0]["place"] == "retained"


async def test_a_card_that_the_printer_draws_in_again_is_offered_again(tmp_path: Path) -> None:
    emulator = await started(ribbon="KO", customer="leaves")
    emulator.machine.accepts = True
    try:
        async with terminal(tmp_path, DeviceConfig(id=KIOSK, driver="evolis", link=emulator.link_url)) as counter:
            seen, hands = [], [emulator.take_card, emulator.push_card]
            async for update in counter.card_printer(KIOSK).start_issue(stripe=STRIPE):
                seen.append(update)
                if update.moved.movement == card_pb2.CARD_MOVEMENT_PRESENTED:
                    request = bench_pb2.PushCardRequest() if len(hands) == 2 else bench_pb2.TakeCardRequest()
                    await hands.pop()(request)
            assert movements(seen) == ["FED", "PRESENTED", "MOVED", "PRESENTED", "TAKEN"]
    finally:
        await emulator.close()


async def test_nothing_of_a_card_is_kept_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="countertop")
    async with terminal(tmp_path, evolis(KIOSK)) as counter:
        printer = counter.card_printer(KIOSK)
        await printer.issue(DESIGN, {"name": "王小明"}, stripe=STRIPE, chip=SCRIPT, delivery=cards.CARD_DELIVERY_HOLD)
        assert (await printer.read_stripe()).stripe.track2 == STRIPE.track2
        async with printer.chip() as chip:
            assert await chip.transmit(SELECT_APPLICATION)
            assert (await chip.transmit(SELECT_FILE))[-2:] == b"\x90\x00"
            assert await chip.transmit(READ) == bytes.fromhex("DEADBEEF9000")
        wrong = BlankCheck(stripe_begins=StripeData(track2="99987654321"))
        with pytest.raises(OperationFailed) as refused:
            await printer.issue(source=cards.CARD_SOURCE_INSIDE, blank=wrong)
        told = f"{refused.value!r} {refused.value.device_fault} {refused.value.operation}"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert b"CardPrinterService" in kept
    for secret in ("王小明", "9999012345678901", "SHI/YANG", "DEADBEEF", "99987654321"):
        assert secret.encode() not in kept
        assert secret not in caplog.text
        assert secret not in told
    assert bytes.fromhex("DEADBEEF") not in kept


async def test_the_last_print_of_a_ribbon_is_the_last_card(counter: Counter) -> None:
    await counter.bench.load_ribbon(KIOSK, kind="KO", prints=1)
    await until(counter, KIOSK, lambda device: device.status.consumables[0].remaining == 1)
    await counter.card_printer(KIOSK).issue(DESIGN, {"name": "x"})
    before = await counted(counter)
    with pytest.raises(OperationFailed) as out:
        await counter.card_printer(KIOSK).issue(DESIGN, {"name": "x"})
    assert (out.value.reason, out.value.physical_effect) == (error_pb2.REASON_RIBBON_OUT, NONE)
    assert await more_than(before, counter) == {}


async def test_a_card_is_drawn_for_the_ribbon_that_is_in_the_printer(counter: Counter) -> None:
    colored = CardElement(box=BOX.box, shape=CardShape(fill="#CC2010"))
    design = CardDesign(front=CardSide(elements=[colored]))
    await counter.bench.load_ribbon(KIOSK, kind="YMCKO")
    await until(counter, KIOSK, lambda device: device.status.consumables[0].type == "YMCKO")
    await counter.card_printer(KIOSK).issue(design)
    assert (await last_card(counter))[0]["front"]["dyes"] == ["c", "m", "y"]
    await counter.bench.load_ribbon(KIOSK, kind="K")
    await until(counter, KIOSK, lambda device: device.status.consumables[0].type == "K")
    await counter.card_printer(KIOSK).issue(design)
    front = (await last_card(counter))[0]["front"]
    assert (front["dyes"], front["black"]) == ([], True)


async def test_a_cable_that_breaks_in_the_middle_loses_no_card(counter: Counter) -> None:
    before = await counted(counter)
    await counter.bench.inject_fault(KIOSK, "disconnect", after_bytes=3000, times=1)
    with pytest.raises(OperationFailed) as lost:
        await counter.card_printer(KIOSK).issue(TWO_SIDED, stripe=STRIPE)
    assert lost.value.physical_effect == PARTIAL
    assert lost.value.device_fault is not None
    assert lost.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN
    assert await more_than(before, counter) == {"supply": -1, "retained": 1}
