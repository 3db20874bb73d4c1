"""A box of several devices, claims, and a driver in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from countertop.client import Counter, CountertopError, DeviceUnavailable, NotFound, OperationFailed, connect
from countertop.server.config import DeviceConfig
from countertop.v1 import card_pb2, device_pb2, error_pb2, operation_pb2
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1.card_pb2 import StripeData
from countertop.v1.card_printer_pb2 import AppDrivenChip, BlankCheck, ChipStep
from tests.daemon.cards.world import (
    APP,
    DESIGN,
    DONE,
    KIOSK,
    LEAVES,
    READY,
    SELECT_APPLICATION,
    SELECT_FILE,
    STRIPE,
    TWO_SIDED,
    WRITE,
    Watch,
    evolis,
    last_card,
    mended,
    movements,
    terminal,
    until,
    until_ready,
)

UNIT, READER, PRINTER, LEAVING = "issuer", "issuer-reader", "issuer-printer", "leaving"


@pytest.fixture(scope="module")
async def box(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Counter]:
    """A portable issuer, and a printer beside it whose cards are left alone."""
    reader = DeviceConfig(id=READER, emulator="sdt", unit=UNIT, emulator_options={"speed": 0})
    devices = (reader, evolis(PRINTER, unit=UNIT), evolis(LEAVING, safe_state="leave"))
    async with terminal(tmp_path_factory.mktemp("box"), *devices) as counter:
        yield counter


@pytest.fixture
async def issuer(box: Counter) -> Counter:
    await asyncio.gather(mended(box, PRINTER), mended(box, LEAVING))
    return box


async def test_the_devices_of_a_box_are_shown_as_one_unit(issuer: Counter) -> None:
    units = {unit.id: list(unit.device_ids) for unit in await issuer.units()}
    assert units == {UNIT: [READER, PRINTER], LEAVING: [LEAVING]}
    assert [(device.id, device.unit) for device in await issuer.devices()] == [
        (READER, UNIT),
        (PRINTER, UNIT),
        (LEAVING, LEAVING),
    ]


async def test_only_card_printers_make_and_hold_cards(issuer: Counter) -> None:
    for device_id, reason in (("nobody", error_pb2.REASON_DEVICE_NOT_FOUND), (READER, error_pb2.REASON_WRONG_KIND)):
        printer = issuer.card_printer(device_id)
        for call in (printer.issue(), printer.inventory(), printer.begin_exchange(), printer.preview(TWO_SIDED)):
            with pytest.raises(CountertopError) as refused:
                await call
            assert refused.value.reason == reason


async def test_a_claim_of_a_unit_takes_the_whole_box(issuer: Counter) -> None:
    async with connect(issuer.address) as other, issuer.claim(units=[UNIT], label="counter 3") as claim:
        assert claim.fences.keys() == {READER, PRINTER}
        for call in (other.id_reader(READER).read(), other.card_printer(PRINTER).issue(stripe=STRIPE)):
            with pytest.raises(DeviceUnavailable, match="'counter 3'") as refused:
                await call
            assert refused.value.reason == error_pb2.REASON_CLAIMED_BY_OTHER
        await other.card_printer(LEAVING).issue(stripe=STRIPE)
        await issuer.card_printer(PRINTER).issue(stripe=STRIPE, claim_token=claim.token)
    async with issuer.claim(READER, units=[UNIT], label="again") as claim:
        assert claim.fences.keys() == {READER, PRINTER}
    with pytest.raises(NotFound, match="issuer, leaving"):
        await issuer.claim(units=["nobody"], label="x").acquire()


async def test_who_has_no_claim_cannot_join_the_chip_of_a_claimed_card(issuer: Counter) -> None:
    async with connect(issuer.address) as other, issuer.claim(PRINTER, label="one") as claim:
        step = ChipStep(app=AppDrivenChip(within={"seconds": 20}))
        handle = issuer.card_printer(PRINTER).start_issue(chip=step, claim_token=claim.token)
        async for update in handle:
            if update.HasField("chip_ready"):
                break
        with pytest.raises(DeviceUnavailable):
            await other.card_printer(PRINTER).chip(issue=handle.id).__aenter__()
        async with issuer.card_printer(PRINTER).chip(issue=handle.id, claim_token=claim.token) as chip:
            await chip.transmit(SELECT_APPLICATION)
        assert (await handle.result()).card.chip == DONE


async def test_the_plug_of_a_box_is_pulled_and_put_back_as_one(issuer: Counter) -> None:
    await issuer.bench.unplug(UNIT)
    for device_id in (READER, PRINTER):
        await until(issuer, device_id, lambda device: device.state == device_pb2.DEVICE_STATE_OFFLINE)
    assert (await issuer.device(LEAVING)).state in READY
    await issuer.bench.replug(UNIT)
    for device_id in (READER, PRINTER):
        await until_ready(issuer, device_id)
    await issuer.bench.power_cycle(UNIT)
    await issuer.card_printer(PRINTER).issue(stripe=STRIPE)
    with pytest.raises(CountertopError) as not_one:
        await issuer.bench.open_cover(UNIT)  # only its power is the box's own
    assert not_one.value.reason == error_pb2.REASON_DEVICE_NOT_FOUND


async def test_a_card_that_is_inside_when_a_claim_ends_is_kept_back(issuer: Counter) -> None:
    async with Watch(issuer) as watch:
        async with issuer.claim(units=[UNIT], label="one") as claim:
            await issuer.card_printer(PRINTER).move(cards.CARD_MOVE_FEED, claim_token=claim.token)
        retained = await watch.until_moved(card_pb2.CARD_MOVEMENT_RETAINED)
    assert (retained.device_id, retained.place) == (PRINTER, card_pb2.CARD_PLACE_RETAIN_BIN)
    operation = await issuer.operations.get(retained.operation_id)
    assert operation.verb == "countertop.v1.CardPrinterService/MoveCard"
    assert (await last_card(issuer, PRINTER))[0]["place"] == "retained"


async def test_a_card_that_is_to_be_left_stays_inside_when_a_claim_ends(issuer: Counter) -> None:
    printer = issuer.card_printer(LEAVING)
    async with issuer.claim(LEAVING, label="one") as claim:
        await printer.encode_stripe(STRIPE, source=cards.CARD_SOURCE_SUPPLY, claim_token=claim.token)
    async with issuer.claim(LEAVING, label="other") as claim:
        assert (await printer.read_stripe([2], claim_token=claim.token)).stripe.track2 == STRIPE.track2


async def test_a_card_that_waits_to_be_taken_is_not_pulled_away_when_a_claim_ends(issuer: Counter) -> None:
    await issuer.bench.set_customer(LEAVES, PRINTER)
    claim = await issuer.claim(PRINTER, label="one").acquire()
    handle = issuer.card_printer(PRINTER).start_issue(stripe=STRIPE, claim_token=claim.token)
    async for update in handle:
        if update.operation.prompt == operation_pb2.PROMPT_KIND_TAKE_CARD:
            break
    await claim.release()
    assert await issuer.bench.take_card(PRINTER)
    assert (await handle.result()).card.place == card_pb2.CARD_PLACE_TAKEN


async def test_a_card_left_in_a_printer_that_is_away_is_kept_back_when_it_returns(issuer: Counter) -> None:
    async with issuer.claim(units=[UNIT], label="one") as claim:
        await issuer.card_printer(PRINTER).move(cards.CARD_MOVE_FEED, claim_token=claim.token)
        await issuer.bench.unplug(UNIT)
        await until(issuer, PRINTER, lambda device: device.state == device_pb2.DEVICE_STATE_OFFLINE)
    async with Watch(issuer) as watch:
        await issuer.bench.replug(UNIT)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_RETAINED)
    assert (await last_card(issuer, PRINTER))[0]["place"] == "retained"


async def test_a_driver_in_its_own_process_makes_cards_and_tells_where_they_are(tmp_path: Path) -> None:
    async with terminal(tmp_path, evolis(KIOSK, isolation="process")) as counter:
        printer = counter.card_printer(KIOSK)
        handle = printer.start_issue(DESIGN, {"name": "王小明"}, stripe=STRIPE, chip=APP)
        seen = []
        async with asyncio.timeout(30):
            async for update in handle:
                seen.append(update)
                if update.HasField("chip_ready"):
                    async with printer.chip(issue=handle.id) as chip:
                        for command in (SELECT_APPLICATION, SELECT_FILE, WRITE):
                            assert (await chip.transmit(command))[-2:] == b"\x90\x00"
        assert movements(seen) == ["FED", "MOVED", "MOVED", "PRESENTED", "TAKEN"]
        card, _ = await last_card(counter)
        assert card["chip"]["files"]["3F00/7F01/EF01"].startswith("DEADBEEF")
        assert card["front"]["printed"]
        with pytest.raises(OperationFailed) as wrong:
            await printer.issue(blank=BlankCheck(stripe_begins=StripeData(track2="9")))
        assert wrong.value.device_fault is not None
        assert wrong.value.device_fault.card == card_pb2.CardReport(place=card_pb2.CARD_PLACE_RETAIN_BIN, fed=True)
