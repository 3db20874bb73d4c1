"""The terminal that comes up with nothing configured, whole: emulators, drivers, daemon, client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from countertop.client import Counter, connect
from countertop.client.errors import OperationFailed
from countertop.server import app
from countertop.server.app import Daemon
from countertop.server.config import Config, ListenConfig
from countertop.v1 import device_pb2, error_pb2, operation_pb2, receipt_printer_pb2
from countertop.v1.receipt_pb2 import Block, Cut, Paragraph, Receipt, Span


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    config = Config.emulated()
    config.listen = ListenConfig([f"unix:{tmp_path}/t.sock"])
    for device in config.devices:
        device.emulator_options["speed"] = 20
    async with Daemon(config) as daemon, connect(daemon.addresses[0]) as counter:
        yield counter


def receipt(*lines: str) -> Receipt:
    blocks = [Block(paragraph=Paragraph(spans=[Span(text=line)])) for line in lines]
    return Receipt(blocks=[*blocks, Block(cut=Cut())])


async def test_both_devices_are_healthy_inside_and_the_printer_prints_a_test_slip(counter):
    for device_id in ("id-reader", "receipt-printer"):
        assert (await counter.check_health(device_id)).healthy
    result = await counter.check_health("receipt-printer", device_pb2.HEALTH_LEVEL_EXTERNAL)
    assert result.healthy
    assert result.findings[-1].item == "test slip"
    assert len(await counter.bench.output(text_only=True)) == 1


async def asked_for(handle, prompt):
    """Wait until the operation asks a person for this."""
    async for update in handle:
        if update.operation.prompt == prompt:
            return
    raise AssertionError("never asked for")


async def test_a_person_helps_to_check_the_cover(counter):
    handle = counter.start_check_health("receipt-printer", device_pb2.HEALTH_LEVEL_INTERACTIVE)
    await asked_for(handle, operation_pb2.PROMPT_KIND_OPEN_COVER)
    await counter.bench.open_cover()
    await asked_for(handle, operation_pb2.PROMPT_KIND_CLOSE_COVER)
    await counter.bench.close_cover()
    result = await handle.result()
    assert result.healthy
    assert result.findings[-1].item == "cover sensor"


async def test_a_person_helps_to_check_the_reader_and_nothing_of_the_card_is_read(counter):
    handle = counter.start_check_health("id-reader", device_pb2.HEALTH_LEVEL_INTERACTIVE)
    await asked_for(handle, operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT)
    await counter.bench.insert_card()
    result = await handle.result()
    assert result.healthy
    assert result.findings[-1].item == "card detection"
    await counter.id_reader().read()


async def test_a_check_that_nobody_helps_with_ends_as_not_healthy(counter):
    level = device_pb2.HEALTH_LEVEL_INTERACTIVE
    for device_id in ("receipt-printer", "id-reader"):
        result = await counter.check_health(device_id, level, timeout=0.5)
        assert not result.healthy


async def test_a_print_is_confirmed_by_its_own_number_and_lies_on_the_paper(counter):
    result = await counter.receipt_printer().print(receipt("业务回单", "金额 26.00"))
    assert result.confirmation == receipt_printer_pb2.CONFIRMATION_PROCESS_ID
    (output,) = await counter.bench.output()
    assert output.text == "业务回单\n金额 26.00\n"
    assert output.image.data.startswith(b"\x89PNG")


async def test_a_preview_shows_what_the_printer_would_print(counter):
    await counter.receipt_printer().print(receipt("a"))
    preview = await counter.receipt_printer().preview(receipt("业务回单"))
    assert preview.text == "业务回单\n"
    assert preview.image.width == 512


async def test_paper_out_in_the_middle_says_how_much_is_on_paper(counter):
    await counter.bench.load_paper(mm=30)
    with pytest.raises(OperationFailed) as caught:
        await counter.receipt_printer().print(receipt(*(f"line {number}" for number in range(40))))
    assert caught.value.reason == error_pb2.REASON_PAPER_OUT
    assert caught.value.physical_effect == error_pb2.PHYSICAL_EFFECT_PARTIAL
    operation = caught.value.operation
    assert operation is not None
    (output,) = await counter.bench.output(text_only=True)
    assert 0 < operation.progress.done <= len(output.text.splitlines()) < 40


async def test_a_card_is_read_once_and_must_be_lifted(counter):
    await counter.bench.insert_card()
    first = await counter.id_reader().read(photo=True)
    assert first.document.photo.image.media_type == "image/png"
    with pytest.raises(OperationFailed) as caught:
        await counter.id_reader().read(timeout=0.5)
    assert caught.value.reason == error_pb2.REASON_DOCUMENT_ALREADY_READ
    await counter.bench.remove_card()
    with pytest.raises(OperationFailed) as nobody:
        await counter.id_reader().read(timeout=0.5)
    assert nobody.value.reason == error_pb2.REASON_NO_DOCUMENT
    assert nobody.value.code.name == "DEADLINE_EXCEEDED"


async def test_the_drawer_springs_open(counter):
    assert (await counter.receipt_printer().open_drawer()).reported_open


async def test_hands_that_come_before_the_emulators_wait_for_them(tmp_path, monkeypatch):
    waiting, go_on = asyncio.Event(), asyncio.Event()
    start = app.start_emulators

    async def late(*args):
        waiting.set()
        await go_on.wait()
        return await start(*args)

    monkeypatch.setattr(app, "start_emulators", late)
    config = Config.emulated()
    config.listen = ListenConfig([f"unix:{tmp_path}/t.sock"])
    config.terminal.state_dir = f"{tmp_path}/state"
    daemon = Daemon(config)
    starting = asyncio.create_task(daemon.__aenter__())
    try:
        await asyncio.wait_for(waiting.wait(), 20)
        async with connect(f"unix:{tmp_path}/t.sock") as counter:
            assert len(await counter.devices()) == 5, "it answers already"
            inserting = asyncio.create_task(counter.bench.insert_card("id-reader"))
            await counter.terminal()
            assert not inserting.done()
            go_on.set()
            await asyncio.wait_for(inserting, 30)
    finally:
        go_on.set()
        await starting
        await daemon.stop()
