"""Chips: by a script, by the app, and by apps that break off."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from countertop.bench.v1 import bench_pb2
from countertop.client import Counter, InvalidRequest, OperationFailed, connect
from countertop.server.config import DeviceConfig
from countertop.v1 import card_pb2, device_pb2, error_pb2, operation_pb2
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1.card_pb2 import StripeData
from countertop.v1.card_printer_pb2 import AppDrivenChip, BlankCheck, ChipStep
from tests.daemon.cards.world import (
    APP,
    ATR,
    DESIGN,
    DONE,
    FAILED,
    KIOSK,
    PARTIAL,
    READ,
    SELECT_APPLICATION,
    SELECT_FILE,
    WRITE,
    Watch,
    fed,
    last_card,
    movements,
    place_of,
    started,
    terminal,
    until,
    waiting_for_its_app,
)


async def test_an_app_talks_to_the_chip_and_the_card_goes_to_its_contacts_first(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    async with Watch(counter) as watch, printer.chip(operation_id="talk") as chip:
        moved = await watch.until_moved(card_pb2.CARD_MOVEMENT_MOVED)
        assert (moved.place, moved.operation_id) == (card_pb2.CARD_PLACE_CONTACT, "talk")
        assert chip.atr.hex().upper() == ATR
        assert chip.protocol == 0
        assert (await chip.transmit(SELECT_APPLICATION))[-2:] == b"\x90\x00"
        assert (await chip.transmit(SELECT_FILE))[-2:] == b"\x90\x00"  # 6Cxx is taken care of
        assert await chip.transmit(WRITE) == b"\x90\x00"
        assert await chip.transmit(READ) == bytes.fromhex("DEADBEEF9000")
        assert (await chip.reset()).hex().upper() == ATR
        assert await chip.transmit(READ) == b"\x69\x86"  # a reset forgets what was selected
    assert (await counter.operations.get("talk")).state == operation_pb2.OPERATION_STATE_SUCCEEDED
    assert await place_of(counter) == "CONTACT"
    await printer.move(cards.CARD_MOVE_RETAIN)
    assert (await last_card(counter))[0]["chip"]["files"]["3F00/7F01/EF01"].startswith("DEADBEEF")


async def test_a_chip_is_talked_to_only_where_there_is_one(counter: Counter) -> None:
    with pytest.raises(OperationFailed) as none:
        async with counter.card_printer(KIOSK).chip():
            pass
    assert none.value.reason == error_pb2.REASON_NO_CARD_INSIDE
    await counter.bench.load_cards(5, KIOSK, chip=bench_pb2.BlankChip(absent=True), empty=True)
    await fed(counter)
    with pytest.raises(OperationFailed) as mute:
        async with counter.card_printer(KIOSK).chip():
            pass
    assert mute.value.reason == error_pb2.REASON_CHIP_NOT_ANSWERING


async def test_an_app_drives_the_chip_of_a_card_that_is_being_made(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    handle = printer.start_issue(DESIGN, {"name": "x"}, chip=APP)
    seen = []
    async with asyncio.timeout(20):
        async for update in handle:
            seen.append(update)
            if update.HasField("chip_ready"):
                assert update.chip_ready.atr.hex().upper() == ATR
                async with printer.chip(issue=handle.id) as chip:
                    for command in (SELECT_APPLICATION, SELECT_FILE, WRITE):
                        assert (await chip.transmit(command))[-2:] == b"\x90\x00"
    result = await handle.result()
    assert (result.card.chip, result.card.front) == (DONE, DONE)
    assert movements(seen)[-1] == "TAKEN"
    assert (await last_card(counter))[0]["chip"]["files"]["3F00/7F01/EF01"].startswith("DEADBEEF")


async def test_bytes_that_are_no_command_end_the_call_and_not_the_card(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    handle = await waiting_for_its_app(counter)
    with pytest.raises(InvalidRequest) as mistake:
        async with printer.chip(issue=handle.id) as chip:
            await chip.transmit(b"\0\xa4\0")
    assert list(mistake.value.violations) == ["command.command"]
    async with printer.chip(issue=handle.id) as chip:
        assert (await chip.transmit(SELECT_APPLICATION))[-2:] == b"\x90\x00"
    assert (await handle.result()).card.chip == DONE


async def test_a_stream_that_breaks_may_be_joined_again(counter: Counter) -> None:
    handle = await waiting_for_its_app(counter)
    async with connect(counter.address) as other:
        chip = await other.card_printer(KIOSK).chip(issue=handle.id).__aenter__()
        await chip.transmit(SELECT_APPLICATION)
    async with counter.card_printer(KIOSK).chip(issue=handle.id) as chip:
        assert (await chip.transmit(SELECT_FILE))[-2:] == b"\x90\x00"  # still selected
    assert (await handle.result()).card.chip == DONE


async def test_an_app_that_never_comes_costs_the_card(counter: Counter) -> None:
    step = ChipStep(app=AppDrivenChip(within={"seconds": 1}))
    with pytest.raises(OperationFailed) as failed:
        await counter.card_printer(KIOSK).issue(chip=step)
    assert failed.value.reason == error_pb2.REASON_CHIP_REFUSED
    assert failed.value.device_fault is not None
    assert failed.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN
    assert failed.value.device_fault.card.chip == FAILED


async def test_a_stream_of_its_own_that_breaks_ends_the_exchange_and_leaves_the_card(counter: Counter) -> None:
    await fed(counter)
    async with connect(counter.address) as other:
        await other.card_printer(KIOSK).chip(operation_id="broken").__aenter__()
    states = [operation.state async for operation in counter.operations.watch("broken")]
    assert states[-1] == operation_pb2.OPERATION_STATE_CANCELLED
    async with counter.card_printer(KIOSK).chip() as chip:
        assert (await chip.transmit(SELECT_APPLICATION))[-2:] == b"\x90\x00"


async def test_what_is_no_command_ends_an_exchange_of_its_own(counter: Counter) -> None:
    await fed(counter)
    with pytest.raises(InvalidRequest) as mistake:
        async with counter.card_printer(KIOSK).chip(operation_id="garbage") as chip:
            await chip.transmit(b"\xff\xa4\0\0")
    assert list(mistake.value.violations) == ["command.command"]
    states = [operation.state async for operation in counter.operations.watch("garbage")]
    assert states[-1] == operation_pb2.OPERATION_STATE_CANCELLED


def exchange(channel: grpc.aio.Channel) -> Any:
    """The bare call, as a client in another language makes it."""
    return channel.stream_stream(
        "/countertop.v1.CardPrinterService/ExchangeApdus",
        request_serializer=cards.ExchangeApdusRequest.SerializeToString,
        response_deserializer=cards.ExchangeApdusResponse.FromString,
    )()


OUT_OF_PLACE: list[tuple[list[dict[str, Any]], str]] = [  # a-move and an-issue are operations of that sort
    ([], "open or issue_operation_id"),
    ([{"device_id": KIOSK, "command": {"command": READ}}], "open or issue_operation_id"),
    ([{"open": {}}], "device_id"),
    ([{"device_id": KIOSK, "open": {"protocols": [2]}}], "open.protocols[0]"),
    ([{"device_id": KIOSK, "open": {}}, {"open": {}}], "expected a command or a reset"),
    ([{"device_id": KIOSK, "open": {}}, {"command": {}}], "command.command"),
    ([{"device_id": KIOSK, "issue_operation_id": "nobody"}], "No operation 'nobody'"),
    ([{"device_id": KIOSK, "issue_operation_id": "a-move"}], "IssueCard on this device"),
    ([{"device_id": KIOSK, "issue_operation_id": "an-issue"}], "IssueCard whose `chip` is `app`"),
]


async def read_to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize(("said", "told"), OUT_OF_PLACE)
async def test_a_message_out_of_place_ends_the_exchange_with_a_sentence(
    said: list[dict[str, Any]], told: str, counter: Counter
) -> None:
    printer = counter.card_printer(KIOSK)
    if told.startswith("IssueCard whose"):
        await printer.issue(operation_id="an-issue")
    await printer.move(cards.CARD_MOVE_FEED, operation_id="a-move" if told.startswith("IssueCard on") else None)
    async with grpc.aio.insecure_channel(counter.address) as channel, asyncio.timeout(10):
        call = exchange(channel)
        for message in said:
            await call.write(cards.ExchangeApdusRequest(**message))
        await call.done_writing()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await read_to_the_end(call)
    assert told in str(ended.value.details())
    await printer.move(cards.CARD_MOVE_RETAIN)


async def test_a_client_that_hangs_up_while_the_printer_works_confuses_nobody(tmp_path: Path) -> None:
    """The printer still answers the command that nobody waits for any longer."""
    emulator = await started(ribbon="KO", speed=4)
    try:
        async with terminal(tmp_path, DeviceConfig(id=KIOSK, driver="evolis", link=emulator.link_url)) as counter:
            printer = counter.card_printer(KIOSK)
            await printer.encode_stripe(StripeData(track1="A", track2="9999"), source=cards.CARD_SOURCE_SUPPLY)
            reading = asyncio.create_task(printer.read_stripe())
            await until(counter, KIOSK, lambda device: device.state == device_pb2.DEVICE_STATE_BUSY)
            while 1 in emulator.state.memory.tracks_read:  # noqa: ASYNC110 - until it reads track 1 again
                await asyncio.sleep(0)
            await emulator.inject_fault(bench_pb2.InjectFaultRequest(fault="split-replies"))
            reading.cancel()
            await asyncio.wait({reading})
            await until(counter, KIOSK, lambda device: device.state == device_pb2.DEVICE_STATE_READY)
            found = await printer.read_stripe([1, 2])
            assert (found.stripe.track1, found.stripe.track2) == ("A", "9999")
            assert not (await counter.statistics(KIOSK)).since_start.reconnects
    finally:
        await emulator.close()


async def test_a_card_that_is_taken_out_while_its_chip_is_written_is_told_as_gone(counter: Counter) -> None:
    handle = await waiting_for_its_app(counter)
    await counter.bench.remove_jam(KIOSK)
    with pytest.raises(OperationFailed):
        async with counter.card_printer(KIOSK).chip(issue=handle.id) as chip:
            await chip.transmit(SELECT_APPLICATION)
    with pytest.raises(OperationFailed) as failed:
        await handle.result()
    assert failed.value.physical_effect == PARTIAL
    assert failed.value.device_fault is not None
    assert failed.value.device_fault.card.place == card_pb2.CARD_PLACE_NONE


async def test_a_wrong_card_that_is_inside_is_put_away_too(counter: Counter) -> None:
    await fed(counter)
    blank = BlankCheck(stripe_begins=StripeData(track2="9"))
    with pytest.raises(OperationFailed) as wrong:
        await counter.card_printer(KIOSK).issue(source=cards.CARD_SOURCE_INSIDE, blank=blank)
    assert (wrong.value.reason, wrong.value.physical_effect) == (error_pb2.REASON_WRONG_BLANK, PARTIAL)
    assert (await last_card(counter))[0]["place"] == "retained"
