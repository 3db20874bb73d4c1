"""The driver against the emulated printer: what was laid out is what comes out, and faults end in a known place."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
import zxingcpp
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.escpos.driver import EscPosPrinter
from countertop.drivers.escpos.options import EscPosOptions
from countertop.emulators.escpos.emulator import EscPosEmulator, start
from countertop.sdk.errors import DeviceFault, LinkFault
from countertop.sdk.links import parse_link
from countertop.sdk.receipt import lay_out, to_text
from countertop.sdk.receipt.ir import PictureItem
from countertop.v1 import device_pb2, error_pb2, receipt_pb2, receipt_printer_pb2
from countertop.v1.device_pb2 import ResetDeviceRequest
from countertop.v1.receipt_pb2 import (
    Barcode,
    Block,
    Cut,
    Feed,
    Paragraph,
    Picture,
    Receipt,
    Rule,
    SealField,
    Span,
    Symbol,
    Table,
    TableColumn,
    TableRow,
)
from countertop.v1.receipt_printer_pb2 import BlocksPrinted, OpenDrawerRequest, PrintRequest

PROCESS_ID = receipt_printer_pb2.CONFIRMATION_PROCESS_ID
FENCE = receipt_printer_pb2.CONFIRMATION_FENCE
INSTANT: dict[str, Any] = {"speed": 0}


class StubRun:
    """A run that keeps what it is told, and tells when a block is confirmed."""

    def __init__(self) -> None:
        self.operation_id = "op-1"
        self.time_left = 60.0
        self.evidence: Any = None
        self.media: dict[str, float] = {}
        self.stops: list[int] = []
        self.on_stop: Callable[[int], None] = lambda reason: None
        self.printed: list[BlocksPrinted] = []
        self.reached: list[tuple[int, int, str]] = []
        self.steps: list[str] = []
        self.on_printed: Callable[[int], None] = lambda blocks: None

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        self.reached.append((done, total, unit))

    def prompt(self, kind: Any) -> None:
        raise AssertionError("a receipt printer asks nobody")

    def working(self) -> None:
        assert self.stops, "it goes on after a stop only"

    def emit(self, event: Message) -> None:
        assert isinstance(event, BlocksPrinted)
        self.printed.append(event)
        self.on_printed(event.blocks)

    async def commit_point(self, step: str, evidence: Any = None) -> None:
        self.evidence = evidence
        self.steps.append(step)

    def effect(self, effect: Any) -> None:
        raise AssertionError("the driver states the effect with its fault")

    def used(self, medium: str, amount: float) -> None:
        self.media[medium] = amount

    def stop(self, reason: Any, prompt: Any = 0) -> None:
        self.stops.append(reason)
        self.on_stop(reason)


@asynccontextmanager
async def printing(emulated: dict[str, Any], **options: Any) -> AsyncIterator[tuple[EscPosPrinter, EscPosEmulator]]:
    emulator = await start(emulated)
    driver = EscPosPrinter(parse_link(emulator.link_url), EscPosOptions(**{"answer_seconds": 1.0, **options}))
    try:
        await driver.connect()
        yield driver, emulator
    finally:
        await driver.disconnect()
        await emulator.close()


async def outputs(emulator: EscPosEmulator, *, text_only: bool = True) -> list[bench.Output]:
    answer = await emulator.get_output(bench.GetOutputRequest(limit=20, text_only=text_only))
    return list(answer.outputs)


def paragraph(text: str, **style: Any) -> Block:
    return Block(paragraph=Paragraph(spans=[Span(text=text, **style)]))


def lines(count: int) -> Receipt:
    return Receipt(blocks=[*(paragraph(f"第{n}行 line {n}") for n in range(1, count + 1)), Block(cut=Cut())])


def table() -> Block:
    def row(*cells: str) -> TableRow:
        return TableRow(cells=[Paragraph(spans=[Span(text=cell)]) for cell in cells])

    columns = [TableColumn(weight=1), TableColumn(chars=8, align=receipt_pb2.ALIGN_RIGHT)]
    return Block(
        table=Table(columns=columns, rows=[row("存款", "100.00"), row("利息 Zinsen", "1.25"), row("总计", "101.25")])
    )


def picture_file(width: int, height: int) -> bytes:
    grey = np.add.outer(np.arange(height), np.arange(width)) * 255 // (width + height)
    data = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(data, "PNG")
    return data.getvalue()


def rich_receipt() -> Receipt:
    centre = receipt_pb2.ALIGN_CENTER
    heading = Span(text="业务回单", bold=True, width=2, height=2)
    mixed = [Span(text="户名："), Span(text="测试客户", underline=True), Span(text=" “甲”…", inverted=True)]
    return Receipt(
        blocks=[
            Block(paragraph=Paragraph(spans=[heading], align=centre)),
            Block(rule=Rule()),
            Block(paragraph=Paragraph(spans=mixed)),
            table(),
            Block(rule=Rule(style=receipt_pb2.RULE_STYLE_DOUBLE)),
            paragraph("small print, 小字", small=True),
            Block(symbol=Symbol(data="https://example.com/回单/42", align=centre)),
            Block(
                barcode=Barcode(
                    symbology=receipt_pb2.BARCODE_SYMBOLOGY_CODE128, data="Slip-42", text_below=True, align=centre
                )
            ),
            Block(picture=Picture(data=picture_file(300, 400), align=receipt_pb2.ALIGN_RIGHT)),
            Block(seal_field=SealField(name="客户签名")),
            Block(feed=Feed(mm=3)),
            Block(cut=Cut()),
        ]
    )


def words(text: str) -> list[str]:
    """The lines of text of a dump, what stands for pictures, codes and rules left out."""
    kept = [line.rstrip() for line in text.splitlines()]
    return [line for line in kept if line and not line.startswith("[") and set(line) - set("-= ")]


class TestWhatComesOut:
    @pytest.mark.parametrize("model", ["TM-T88VI", "TM-T20II", "TM-T70II-CH", "TM-T88III"])
    async def test_the_text_is_that_of_the_layout(self, model: str) -> None:
        async with printing({**INSTANT, "model": model}) as (driver, emulator):
            run = StubRun()
            result = await driver.print(PrintRequest(receipt=rich_receipt()), run)
            (output,) = await outputs(emulator)
            expected = to_text(lay_out(rich_receipt(), driver._printer.profile.paper))
        assert result.rasterised_lines == 0
        assert result.blocks == 12
        assert output.finished
        assert [line for line in words(output.text) if line.strip() != "Slip-42"] == words(expected)
        native_qr = '[QR_CODE "https://example.com/回单/42"]' in output.text
        assert native_qr is (model != "TM-T88III")
        assert '[CODE128 "Slip-42"]' in output.text

    async def test_the_picture_is_the_one_that_was_laid_out(self) -> None:
        receipt = Receipt(blocks=[Block(picture=Picture(data=picture_file(300, 400))), Block(cut=Cut())])
        async with printing({**INSTANT, "width_dots": 512}) as (driver, emulator):
            await driver.print(PrintRequest(receipt=receipt), StubRun())
            (output,) = await outputs(emulator, text_only=False)
            item = lay_out(receipt, driver._printer.profile.paper).items[0]
            assert isinstance(item, PictureItem)
        paper = np.asarray(Image.open(io.BytesIO(output.image.data)).convert("L")) < 128
        wanted = np.unpackbits(np.frombuffer(item.bitmap.rows, np.uint8).reshape(400, -1), axis=1)[:, :300]
        top = int(np.argmax(paper.any(axis=1)))
        wanted_top = int(np.argmax(wanted.any(axis=1)))
        assert (paper[top : top + 400 - wanted_top, :300] == wanted[wanted_top:]).all()
        assert not paper[:, 300:].any()

    @pytest.mark.parametrize("model", ["TM-T88VI", "TM-T88III"], ids=["native", "as a picture"])
    async def test_the_qr_code_can_be_read_off_the_paper(self, model: str) -> None:
        receipt = Receipt(
            blocks=[Block(feed=Feed(mm=5)), Block(symbol=Symbol(data="TEST 42", module_dots=6)), Block(cut=Cut())]
        )
        receipt.blocks[1].symbol.align = receipt_pb2.ALIGN_CENTER
        async with printing({**INSTANT, "model": model}) as (driver, emulator):
            await driver.print(PrintRequest(receipt=receipt), StubRun())
            (output,) = await outputs(emulator, text_only=False)
        paper = Image.open(io.BytesIO(output.image.data)).convert("L")
        (code,) = zxingcpp.read_barcodes(np.asarray(paper))
        assert code.text == "TEST 42"

    async def test_what_no_font_has_is_drawn_and_counted(self) -> None:
        receipt = Receipt(blocks=[paragraph("plain"), paragraph("emoji 😀 here"), Block(cut=Cut())])
        async with printing(INSTANT) as (driver, emulator):
            result = await driver.print(PrintRequest(receipt=receipt), StubRun())
            (output,) = await outputs(emulator)
        assert result.rasterised_lines == 1
        assert result.missing_glyphs == 1
        assert words(output.text) == ["plain"]
        assert "?" not in output.text

    async def test_all_text_as_pictures(self) -> None:
        async with printing(INSTANT, text="raster") as (driver, emulator):
            result = await driver.print(PrintRequest(receipt=lines(5)), StubRun())
            (output,) = await outputs(emulator)
        assert result.rasterised_lines == 5
        assert words(output.text) == []
        assert "[image" in output.text

    @given(
        st.lists(
            st.text(
                st.one_of(
                    st.sampled_from("中文国人银行账户，。：；（）《》、“”…—×"),
                    st.characters(min_codepoint=0x21, max_codepoint=0x7E),
                ),
                min_size=1,
                max_size=60,
            ),
            min_size=1,
            max_size=6,
        )
    )
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    async def test_every_text_comes_out_as_laid_out(self, texts: list[str]) -> None:
        receipt = Receipt(blocks=[*(paragraph(text) for text in texts), Block(cut=Cut())])
        async with printing(INSTANT) as (driver, emulator):
            result = await driver.print(PrintRequest(receipt=receipt), StubRun())
            (output,) = await outputs(emulator)
            expected = to_text(lay_out(receipt, driver._printer.profile.paper))
        assert result.rasterised_lines == 0
        assert output.text.rstrip("\n").split("\n") == expected.rstrip("\n").split("\n")

    async def test_over_a_serial_port(self) -> None:
        async with printing({**INSTANT, "pty": True}, window_bytes=0) as (driver, emulator):
            run = StubRun()
            result = await driver.print(PrintRequest(receipt=rich_receipt()), run)
            (output,) = await outputs(emulator)
        assert result.confirmation == PROCESS_ID
        assert output.finished
        assert "业务回单" in output.text


class TestConfirmation:
    async def test_process_ids_name_every_block(self) -> None:
        async with printing(INSTANT) as (driver, _):
            run = StubRun()
            result = await driver.print(PrintRequest(receipt=lines(20)), run)
        assert result.confirmation == PROCESS_ID
        assert [event.blocks for event in run.printed] == list(range(1, 22))
        assert {event.confirmation for event in run.printed} == {PROCESS_ID}

    async def test_a_fence_where_the_model_has_no_process_ids(self) -> None:
        async with printing({**INSTANT, "model": "TM-T88III"}) as (driver, _):
            run = StubRun()
            result = await driver.print(PrintRequest(receipt=lines(20)), run)
        assert result.confirmation == FENCE
        assert run.printed[-1] == BlocksPrinted(blocks=21, confirmation=FENCE)

    async def test_the_paper_laid_out_is_the_paper_used(self) -> None:
        async with printing(INSTANT) as (driver, emulator):
            before = emulator.machine.paper_mm
            result = await driver.print(PrintRequest(receipt=rich_receipt()), StubRun())
            used = before - emulator.machine.paper_mm
        to_the_cutter = 80 * 25.4 / 180
        assert used == pytest.approx(result.paper_mm + to_the_cutter, abs=0.5)


class TestFaults:
    async def test_paper_out_half_way_ends_in_a_known_place(self) -> None:
        line_mm = 30 * 25.4 / 180
        async with printing({**INSTANT, "paper_mm": 7.5 * line_mm}) as (driver, emulator):
            run = StubRun()
            with pytest.raises(DeviceFault) as caught:
                await driver.print(PrintRequest(receipt=lines(12)), run)
            assert caught.value.reason == error_pb2.REASON_PAPER_OUT
            assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_PARTIAL
            assert "Printed up to block 7 of 13." in caught.value.message
            assert run.reached[-1] == (7, 13, "blocks")
            (torn,) = await outputs(emulator)
            assert words(torn.text) == [f"第{n}行 line {n}" for n in range(1, 8)]

            await emulator.load_paper(bench.LoadPaperRequest())
            await emulator.wait_idle()
            assert [words(o.text) for o in await outputs(emulator)] == [words(torn.text)], "nothing comes out later"

            assert (await driver.print(PrintRequest(receipt=lines(2)), StubRun())).blocks == 3
            first, second = await outputs(emulator)
            assert words(first.text) == words(torn.text)
            assert words(second.text) == ["第1行 line 1", "第2行 line 2"]

    async def test_paper_out_in_a_picture_ends_in_a_known_place(self) -> None:
        tall = Block(picture=Picture(data=picture_file(500, 2500)))
        receipt = Receipt(blocks=[paragraph("above"), tall, paragraph("below"), Block(cut=Cut())])
        async with printing({**INSTANT, "paper_mm": 120}) as (driver, emulator):
            with pytest.raises(DeviceFault) as caught:
                await driver.print(PrintRequest(receipt=receipt), StubRun())
            assert "Printed up to block 1 of 4." in caught.value.message
            assert "still come out" not in caught.value.message
            await emulator.load_paper(bench.LoadPaperRequest())
            await emulator.wait_idle()
            (output,) = await outputs(emulator)
            assert "below" not in output.text
            assert (await driver.print(PrintRequest(receipt=lines(1)), StubRun())).blocks == 2

    async def test_an_unplugged_printer_leaves_the_outcome_unknown(self) -> None:
        async with printing({"speed_mm_s": 40.0}) as (driver, emulator):
            run = StubRun()
            unplugging: list[asyncio.Task[Any]] = []

            def pull(blocks: int) -> None:
                if blocks == 3:
                    unplugging.append(asyncio.create_task(emulator.unplug(bench.UnplugRequest())))

            run.on_printed = pull
            with pytest.raises(LinkFault) as caught:
                await driver.print(PrintRequest(receipt=lines(60)), run)
            await asyncio.gather(*unplugging)
        assert caught.value.reason == error_pb2.REASON_LINK_LOST
        assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN
        assert f"Printed up to block {run.printed[-1].blocks} of 61." in caught.value.message
        assert run.printed[-1].blocks < 61

    async def test_an_open_cover_at_the_start_prints_nothing(self) -> None:
        async with printing(INSTANT) as (driver, emulator):
            await emulator.open_cover(bench.OpenCoverRequest())
            run = StubRun()
            with pytest.raises(DeviceFault) as caught:
                await driver.print(PrintRequest(receipt=lines(3)), run)
            assert caught.value.reason == error_pb2.REASON_COVER_OPEN
            assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_NONE
            assert run.steps == []
            await emulator.close_cover(bench.CloseCoverRequest())
            assert (await driver.print(PrintRequest(receipt=lines(3)), StubRun())).blocks == 4
            assert len(await outputs(emulator)) == 1

    async def test_a_cover_opened_half_way(self) -> None:
        async with printing({"speed_mm_s": 100.0}) as (driver, emulator):
            run = StubRun()
            run.on_printed = lambda blocks: emulator.machine.set_cover(is_open=True) if blocks == 4 else None
            with pytest.raises(DeviceFault) as caught:
                await driver.print(PrintRequest(receipt=lines(40)), run)
        assert caught.value.reason == error_pb2.REASON_COVER_OPEN
        assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_PARTIAL

    async def test_a_jammed_cutter_is_told_and_mended_by_a_reset(self) -> None:
        async with printing(INSTANT, answer_seconds=0.5) as (driver, emulator):
            await emulator.inject_fault(bench.InjectFaultRequest(fault="cutter-error"))
            with pytest.raises(DeviceFault) as caught:
                await driver.print(PrintRequest(receipt=lines(3)), StubRun())
            assert caught.value.reason == error_pb2.REASON_CUTTER_ERROR
            assert "block 3 of 4" in caught.value.message
            await emulator.clear_fault(bench.ClearFaultRequest())
            result = await driver.reset(ResetDeviceRequest(), StubRun())
            assert not result.status.conditions
            assert (await driver.print(PrintRequest(receipt=lines(1)), StubRun())).blocks == 2

    async def test_a_hot_head_is_waited_for(self) -> None:
        async with printing({"speed_mm_s": 200.0}, stall_seconds=0.3) as (driver, emulator):
            run = StubRun()

            async def cool_down() -> None:
                request = bench.InjectFaultRequest(fault="overheat")
                request.duration.FromMilliseconds(700)
                await emulator.inject_fault(request)

            heating: list[asyncio.Task[None]] = []
            run.on_printed = lambda blocks: heating.append(asyncio.create_task(cool_down())) if blocks == 2 else None
            assert (await driver.print(PrintRequest(receipt=lines(12)), run)).blocks == 13
            await asyncio.gather(*heating)

    async def test_answers_that_come_byte_by_byte(self) -> None:
        async with printing(INSTANT) as (driver, emulator):
            await emulator.inject_fault(bench.InjectFaultRequest(fault="split-replies"))
            assert not (await driver.status()).conditions
            run = StubRun()
            await driver.print(PrintRequest(receipt=lines(12)), run)
            assert run.printed[-1].blocks == 13

    async def test_a_lost_confirmation_is_made_up_for_by_the_next(self) -> None:
        async with printing({"speed_mm_s": 400.0}) as (driver, emulator):
            run = StubRun()

            def mute(blocks: int) -> None:
                if blocks == 2:
                    emulator._board.inject("mute", 0, 3, None)

            run.on_printed = mute
            assert (await driver.print(PrintRequest(receipt=lines(12)), run)).blocks == 13
            assert len(run.printed) < 13
            assert run.printed[-1].blocks == 13

    async def test_a_printer_that_hangs_ends_by_its_time(self) -> None:
        impatient = {"stall_seconds": 0.3, "answer_seconds": 0.2, "slowest_mm_per_second": 1000}
        async with printing(INSTANT, **impatient) as (driver, emulator):
            request = bench.InjectFaultRequest(fault="stall", after_bytes=120)
            await emulator.inject_fault(request)
            with pytest.raises(DeviceFault) as caught:
                await driver.print(PrintRequest(receipt=lines(12)), StubRun())
            assert caught.value.reason == error_pb2.REASON_NO_ANSWER
            assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN


class TestStatusAndDrawer:
    async def test_the_bench_is_seen_at_once(self) -> None:
        async with printing(INSTANT) as (driver, emulator):
            pushed: asyncio.Queue[device_pb2.DeviceStatus] = asyncio.Queue()
            driver.report = pushed.put_nowait
            await emulator.load_paper(bench.LoadPaperRequest(mm=1000))
            status = await asyncio.wait_for(pushed.get(), 5)
            assert [c.reason for c in status.conditions] == [error_pb2.REASON_PAPER_NEAR_END]
            await emulator.load_paper(bench.LoadPaperRequest(empty=True))
            status = await asyncio.wait_for(pushed.get(), 5)
            assert [c.reason for c in status.conditions] == [error_pb2.REASON_PAPER_OUT]
            assert status.consumables[0].level == device_pb2.SUPPLY_LEVEL_OUT
            assert [c.reason for c in (await driver.status()).conditions] == [error_pb2.REASON_PAPER_OUT]

    async def test_the_drawer_springs_open(self) -> None:
        async with printing({}) as (driver, _):
            assert (await driver.open_drawer(OpenDrawerRequest(), StubRun())).reported_open

    async def test_a_picture_does_not_open_the_drawer(self) -> None:
        kick = b"\x10\x14\x01\x00\x01\x00\x00\x00"
        white = Image.frombytes("1", (64, 64), bytes(byte ^ 0xFF for byte in kick) * 64)
        data = io.BytesIO()
        white.save(data, "PNG")
        picture = Picture(data=data.getvalue(), dither=receipt_pb2.DITHER_THRESHOLD)
        for model in ("TM-T88VI", "TM-T88III"):
            async with printing({**INSTANT, "model": model}) as (driver, emulator):
                await driver.print(PrintRequest(receipt=Receipt(blocks=[Block(picture=picture)])), StubRun())
                await driver.status()
                assert emulator.machine.state.drawer_closed


async def test_a_command_cut_in_two_by_a_broken_link_does_not_swallow_the_next_connections():
    emulator = await start({"speed": 0})
    try:
        url = parse_link(emulator.link_url)
        _, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(b"torn\x1d(H\x06")  # the next two bytes would be a length of 4102
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        driver = EscPosPrinter(url, EscPosOptions(busy_seconds=0.4))
        info = await driver.connect()
        await driver.disconnect()
        assert info.model == "TM-T88VI"
        assert info.receipt_printer.confirmation == receipt_printer_pb2.CONFIRMATION_PROCESS_ID
    finally:
        await emulator.close()
