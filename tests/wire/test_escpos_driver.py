"""The driver against a small scripted printer on loopback TCP."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from google.protobuf.message import Message

from countertop.drivers.escpos.driver import EscPosPrinter
from countertop.drivers.escpos.options import EscPosOptions
from countertop.sdk.errors import DeviceFault, InvalidRequest, LinkFault, NoAnswer
from countertop.sdk.links import parse_link
from countertop.v1 import device_pb2, error_pb2, receipt_printer_pb2
from countertop.v1.device_pb2 import CheckHealthRequest, DeviceStatus, ResetDeviceRequest
from countertop.v1.receipt_pb2 import Block, Cut, Paragraph, Receipt, Span, Symbol
from countertop.v1.receipt_printer_pb2 import BlocksPrinted, OpenDrawerRequest, PrintRequest

PROCESS_ID = receipt_printer_pb2.CONFIRMATION_PROCESS_ID
FENCE = receipt_printer_pb2.CONFIRMATION_FENCE
WRITTEN = receipt_printer_pb2.CONFIRMATION_WRITTEN
NONE, PARTIAL, UNKNOWN = (
    error_pb2.PHYSICAL_EFFECT_NONE,
    error_pb2.PHYSICAL_EFFECT_PARTIAL,
    error_pb2.PHYSICAL_EFFECT_UNKNOWN,
)

EPSON = {65: "1.01 ESC/POS", 66: "EPSON", 67: "TM-T88VI", 68: "TEST000001", 69: "CHINA GB18030"}
CLEAR = bytes.fromhex("10 14 08 01 03 14 01 06 02 08")
READY = {1: 0x16, 2: 0x12, 3: 0x12, 4: 0x12}
PAPER_OUT = {1: 0x1E, 2: 0x32, 3: 0x12, 4: 0x7E}
PAPER_OUT_ASB = b"\x1c\x00\x0c\x00"
OVERHEATED = {1: 0x1E, 2: 0x52, 3: 0x52, 4: 0x12}
COVER_OPEN = {1: 0x1E, 2: 0x16, 3: 0x12, 4: 0x12}

_REALTIME = re.compile(rb"\x10\x04(.)|" + re.escape(CLEAR) + rb"|\x10\x05(.)", re.DOTALL)
_COMMAND = re.compile(
    rb"\x1dI(?P<info>.)|\x1dr(?P<status>.)|\x1d\(H\x06\x0000(?P<id>.{4})|\x1bp(?P<pulse>...)|\x1da(?P<asb>.)"
    rb"|(?P<lf>\n)|\x1dV[AB].|\x1b[3EMR].|\x1d[!B].|\x1d[LP]..|\x1b[$]..|\x1c[&.]|.",
    re.DOTALL,
)


class ScriptedPrinter:
    """Two stages as in a real printer: real-time commands at once, the rest in order until something stops it."""

    def __init__(self) -> None:
        self.info: dict[int, str] = dict(EPSON)
        self.eot: dict[int, int] = dict(READY)
        self.answers_ids = self.answers_gs_r = self.answers_clear = self.reports = True
        self.lines = 0
        self.at_line: dict[int, Callable[[], None]] = {}
        self.stopped = False
        self.received = b""
        self.printed = b""
        self.ids: list[bytes] = []
        self.unanswered = self.most_unanswered = 0
        self.delay = 0.0
        self.drawer_opens = True
        self._buffer = b""
        self._writer: asyncio.StreamWriter | None = None
        self.heard = asyncio.Event()

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, self._buffer = writer, b""
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                self.received += data
                for match in _REALTIME.finditer(data):
                    self._realtime(match)
                self._buffer += _REALTIME.sub(b"", data)
                self.go()
                self.heard.set()
        writer.close()

    def send(self, data: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)

    def unplug(self) -> None:
        self.stopped = True
        if self._writer is not None:
            self._writer.transport.abort()

    def run_out_of_paper(self) -> None:
        self.stopped, self.eot = True, dict(PAPER_OUT)
        if self.reports:
            self.send(PAPER_OUT_ASB)

    def load_paper(self) -> None:
        self.stopped, self.eot = False, dict(READY)
        self.go()

    def overheat(self) -> None:
        self.stopped, self.eot = True, dict(OVERHEATED)
        self.send(b"\x1c\x40\x00\x00")

    def _realtime(self, match: re.Match[bytes]) -> None:
        if match.group(1):
            self.unanswered += 1
            self.most_unanswered = max(self.most_unanswered, self.unanswered)
            if match.group(1)[0] in self.eot:
                asyncio.get_running_loop().call_later(self.delay, self._answer_eot, match.group(1)[0])
        elif match.group() == CLEAR and self.answers_clear:
            self._buffer = b""
            self.send(b"\x37\x25\x00")

    def _answer_eot(self, n: int) -> None:
        self.unanswered -= 1
        self.send(bytes([self.eot[n]]))

    def go(self) -> None:
        """Work on what is in the buffer."""
        while not self.stopped and self._buffer:
            match = _COMMAND.match(self._buffer)
            assert match is not None
            if match.end() == len(self._buffer) and len(match.group()) == 1 and match.group() in b"\x1b\x1c\x1d":
                return  # the rest of the command is on its way
            self._buffer = self._buffer[match.end() :]
            self.printed += match.group()
            self._command(match)

    def _command(self, match: re.Match[bytes]) -> None:
        match match.lastgroup, match.group(match.lastgroup or 0):
            case "info", n if n[0] in self.info:
                self.send(b"_" + self.info[n[0]].encode() + b"\0")
            case "status", n if self.answers_gs_r:
                self.send(b"\x00")
            case "id", value if self.answers_ids:
                self.ids.append(value)
                self.send(b"\x37\x22" + value + b"\0")
            case "asb", _ if self.reports:
                self.send(b"\x14\x00\x00\x0f")
            case "pulse", _ if self.drawer_opens:
                self.eot[1] = 0x12
                self.send(b"\x10\x00\x00\x00")
            case "lf", _:
                self.lines += 1
                self.at_line.pop(self.lines, lambda: None)()


class StubRun:
    """A run that keeps what it is told."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.operation_id = "op-1"
        self._until = asyncio.get_running_loop().time() + seconds
        self.events: list[Message] = []
        self.reached: list[tuple[int, int, str]] = []
        self.steps: list[str] = []
        self.on_commit: Callable[[], None] = lambda: None
        self.evidence: Any = None
        self.media: dict[str, float] = {}
        self.stops: list[int] = []
        self.on_stop: Callable[[int], None] = lambda reason: None

    @property
    def time_left(self) -> float:
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        self.reached.append((done, total, unit))

    def prompt(self, kind: Any) -> None:
        raise AssertionError("a receipt printer asks nobody")

    def working(self) -> None:
        assert self.stops, "it goes on after a stop only"

    def emit(self, event: Message) -> None:
        self.events.append(event)

    async def commit_point(self, step: str, evidence: Any = None) -> None:
        self.evidence = evidence
        self.steps.append(step)
        self.on_commit()

    def effect(self, effect: Any) -> None:
        raise AssertionError("the driver states the effect with its fault")

    def used(self, medium: str, amount: float) -> None:
        self.media[medium] = amount

    def stop(self, reason: Any, prompt: Any = 0) -> None:
        self.stops.append(reason)
        self.on_stop(reason)


@asynccontextmanager
async def served(printer: ScriptedPrinter) -> AsyncIterator[str]:
    server = await asyncio.start_server(printer.client, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        server.close()
        printer.unplug()
        await server.wait_closed()


FAST: dict[str, Any] = {
    "answer_seconds": 0.3,
    "identify_seconds": 0.15,
    "stall_seconds": 0.6,
    "slowest_mm_per_second": 1000,
}


@asynccontextmanager
async def connected(printer: ScriptedPrinter, **options: Any) -> AsyncIterator[EscPosPrinter]:
    async with served(printer) as url:
        driver = EscPosPrinter(parse_link(url), EscPosOptions(**{**FAST, **options}))
        try:
            await driver.connect()
            yield driver
        finally:
            await driver.disconnect()


def receipt(lines: int = 12, *, cut: bool = True) -> Receipt:
    blocks = [Block(paragraph=Paragraph(spans=[Span(text=f"line {n}")])) for n in range(1, lines + 1)]
    return Receipt(blocks=[*blocks, Block(cut=Cut())] if cut else blocks)


def request(lines: int = 12, *, cut: bool = True) -> PrintRequest:
    return PrintRequest(receipt=receipt(lines, cut=cut))


class TestConnecting:
    async def test_a_printer_that_tells_its_model_gets_that_profile(self) -> None:
        async with served(ScriptedPrinter()) as url:
            driver = EscPosPrinter(parse_link(url), EscPosOptions())
            info = await driver.connect()
            await driver.disconnect()
        assert (info.vendor, info.model, info.serial) == ("EPSON", "TM-T88VI", "TEST000001")
        assert info.firmware == "1.01 ESC/POS"
        assert info.receipt_printer == device_pb2.ReceiptPrinterCapabilities(
            width_dots=512,
            columns=42,
            dpi=180,
            cutter=True,
            drawer=True,
            chinese_text=True,
            confirmation=PROCESS_ID,
            profile="epson-tm-t88vi",
        )

    async def test_a_printer_that_does_not_know_gs_i_is_a_generic_one(self) -> None:
        printer = ScriptedPrinter()
        printer.info = {}
        async with served(printer) as url:
            driver = EscPosPrinter(parse_link(url), EscPosOptions(**FAST))
            info = await driver.connect()
            await driver.disconnect()
        assert info.receipt_printer.profile == "generic-80mm"
        assert info.receipt_printer.confirmation == FENCE

    async def test_a_printer_without_gs_r_is_trusted_with_what_was_written(self) -> None:
        printer = ScriptedPrinter()
        printer.info, printer.answers_gs_r = {}, False
        async with served(printer) as url:
            driver = EscPosPrinter(parse_link(url), EscPosOptions(**FAST, busy_seconds=0.4))
            info = await driver.connect()
            await driver.disconnect()
        assert info.receipt_printer.confirmation == WRITTEN

    async def test_a_printer_that_answers_nothing_is_refused(self) -> None:
        printer = ScriptedPrinter()
        printer.info, printer.eot, printer.answers_gs_r = {}, {}, False
        with pytest.raises(NoAnswer):
            async with connected(printer):
                raise AssertionError("connected")

    async def test_unless_the_operator_wants_it_so(self) -> None:
        printer = ScriptedPrinter()
        printer.info, printer.eot = {}, {}
        printer.answers_gs_r = printer.reports = False
        async with connected(printer, confirm="written") as driver:
            result = await driver.print(request(2), StubRun())
            assert result.confirmation == WRITTEN
            assert not (await driver.status()).conditions

    async def test_nobody_listens(self) -> None:
        async with served(ScriptedPrinter()) as url:
            pass
        driver = EscPosPrinter(parse_link(url), EscPosOptions())
        with pytest.raises(LinkFault) as caught:
            await driver.connect()
        await driver.disconnect()
        assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE

    async def test_a_printer_out_of_order_is_identified_once_it_is_ready(self) -> None:
        printer = ScriptedPrinter()
        printer.run_out_of_paper()
        async with connected(printer) as driver:
            status = await driver.status()
            assert [c.reason for c in status.conditions] == [error_pb2.REASON_PAPER_OUT]
            printer.load_paper()
            with pytest.raises(LinkFault) as caught:
                await driver.status()
            assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE

    async def test_no_task_is_left_after_disconnecting(self) -> None:
        before = asyncio.all_tasks()
        async with connected(ScriptedPrinter()) as driver:
            await driver.print(request(2), StubRun())
        assert {task for task in asyncio.all_tasks() - before if "escpos" in task.get_name()} == set()

    @pytest.mark.parametrize(
        "options", [{"profile": "nonsense"}, {"code_pages": {0: "nonsense"}}, {"code_pages": {300: "cp437"}}]
    )
    def test_wrong_options_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="expected"):
            EscPosOptions(**options)


class TestPrinting:
    async def test_every_block_is_confirmed_by_a_process_id(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            run = StubRun()
            before = len(printer.received)
            result = await driver.print(request(), run)
            sent = len(printer.received) - before
        assert result.confirmation == PROCESS_ID
        assert result.blocks == 13
        assert 0 < result.bytes <= sent
        assert result.paper_mm == pytest.approx(12 * 30 * 25.4 / 180, abs=0.01)
        assert (result.rasterised_lines, result.missing_glyphs) == (0, 0)
        assert [event.blocks for event in run.events if isinstance(event, BlocksPrinted)] == list(range(1, 14))
        assert run.reached[-1] == (13, 13, "blocks")
        assert printer.printed.index(printer.ids[-1]) > printer.printed.index(b"\x1dVB")

    async def test_the_commit_point_comes_before_the_first_byte_of_the_receipt(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            run = StubRun()
            committed: list[bytes] = []
            run.on_commit = lambda: committed.append(printer.received)
            await driver.print(request(), run)
        assert run.steps == ["first byte"]
        assert b"\x1b@" not in committed[0]
        assert b"line 1" not in committed[0]

    async def test_a_fence_confirms_where_there_are_no_process_ids(self) -> None:
        printer = ScriptedPrinter()
        printer.info = {}
        async with connected(printer) as driver:
            run = StubRun()
            result = await driver.print(request(400), run)
        assert result.confirmation == FENCE
        printed = [event for event in run.events if isinstance(event, BlocksPrinted)]
        assert printed[-1] == BlocksPrinted(blocks=401, confirmation=FENCE)
        assert len(printed) > 2
        assert printer.ids == []

    async def test_otherwise_it_was_written(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer, confirm="written") as driver:
            run = StubRun()
            result = await driver.print(request(400), run)
        assert result.confirmation == WRITTEN
        assert run.reached[-1] == (401, 401, "blocks")
        assert run.events == []
        assert b"line 400\n" in printer.printed

    async def test_all_text_as_pictures(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer, text="raster", profile="generic-80mm", confirm="written") as driver:
            result = await driver.print(request(3, cut=False), StubRun())
        assert result.rasterised_lines == 3
        assert b"line" not in printer.received
        assert b"\x1d\x76\x30\x00" in printer.received

    async def test_no_more_than_the_window_is_on_its_way_unconfirmed(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer, window_bytes=2000) as driver:
            printer.stopped = True
            before = len(printer.received)
            work = asyncio.create_task(driver.print(request(400), StubRun()))
            printer.heard.clear()
            while len(printer.received) - before < 1000:
                await asyncio.wait_for(printer.heard.wait(), 5)
                printer.heard.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(printer.heard.wait(), 0.2)
            assert len(printer.received) - before < 2200
            printer.stopped = False
            printer.go()
            assert (await work).blocks == 401

    async def test_a_document_that_cannot_be_laid_out_prints_nothing(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            run = StubRun()
            bad = Receipt(blocks=[Block(symbol=Symbol(data="x" * 2048, module_dots=16))])
            bad.blocks.add().picture.data = b"no picture"
            with pytest.raises(InvalidRequest):
                await driver.print(PrintRequest(receipt=bad), run)
        assert run.steps == []
        assert b"\x1b@" not in printer.received

    async def test_status_requests_are_never_sent_before_the_last_one_is_answered(self) -> None:
        printer = ScriptedPrinter()
        printer.delay = 0.01
        async with connected(printer) as driver:
            await driver.status()
            await driver.print(request(), StubRun())
        assert printer.most_unanswered == 1


class TestFaultsWhilePrinting:
    async def test_an_open_cover_is_told_before_anything_is_printed(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            printer.eot = dict(COVER_OPEN)
            run = StubRun()
            with pytest.raises(DeviceFault) as caught:
                await driver.print(request(), run)
        assert caught.value.reason == error_pb2.REASON_COVER_OPEN
        assert caught.value.effect == NONE
        assert run.steps == []
        assert b"line" not in printer.received

    @pytest.mark.parametrize("reports", [True, False], ids=["reported", "found by asking"])
    async def test_paper_out_half_way_names_the_block(self, reports: bool) -> None:
        printer = ScriptedPrinter()
        printer.reports = reports
        printer.at_line[8] = printer.run_out_of_paper
        async with connected(printer) as driver:
            run = StubRun()
            with pytest.raises(DeviceFault) as caught:
                await driver.print(request(), run)
            fault = caught.value
            assert fault.reason == error_pb2.REASON_PAPER_OUT
            assert fault.effect == PARTIAL
            assert "Printed up to block 7 of 13." in fault.message
            assert "still come out" not in fault.message
            assert run.reached[-1] == (7, 13, "blocks")
            assert CLEAR in printer.received, "the rest must not come out when paper is loaded"

            printer.load_paper()
            assert b"line 9" not in printer.printed
            result = await driver.print(request(2), StubRun())
            assert result.blocks == 3
        again = printer.printed[printer.printed.rindex(b"\x1b@") :]
        assert again.index(b"\x1dVB\x00") < again.index(b"line 1"), "the torn receipt is cut off first"

    async def test_a_printer_that_cannot_clear_says_so(self) -> None:
        printer = ScriptedPrinter()
        printer.info = {}
        printer.at_line[8] = printer.run_out_of_paper
        async with connected(printer) as driver:
            with pytest.raises(DeviceFault) as caught:
                await driver.print(request(), StubRun())
            assert caught.value.reason == error_pb2.REASON_PAPER_OUT
            assert caught.value.effect == UNKNOWN, "all was sent: the rest may come out when paper is loaded"
            assert "may still come out" in caught.value.message
            assert CLEAR not in printer.received[printer.received.index(b"line 1") :]
            printer.load_paper()
            result = await driver.print(request(3), StubRun())
            assert result.confirmation == FENCE
            assert b"line 3" in printer.printed[printer.printed.rindex(b"\x1b@") :]

    async def test_paper_that_ends_behind_the_last_line_is_no_fault_of_this_receipt(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            printer.at_line[3] = lambda: printer.send(PAPER_OUT_ASB)
            result = await driver.print(request(3, cut=False), StubRun())
        assert result.blocks == 3

    async def test_a_lost_link_leaves_the_outcome_unknown(self) -> None:
        printer = ScriptedPrinter()
        printer.at_line[5] = printer.unplug
        async with connected(printer) as driver:
            with pytest.raises(LinkFault) as caught:
                await driver.print(request(), StubRun())
            assert caught.value.reason == error_pb2.REASON_LINK_LOST
            assert caught.value.effect == UNKNOWN
            assert "of 13." in caught.value.message
            with pytest.raises(LinkFault):
                await driver.status()

    async def test_a_link_lost_before_the_first_byte_did_nothing(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            run = StubRun()
            gone = asyncio.Event()
            driver.report = lambda status: gone.set()
            session = driver._printer.session
            assert session is not None

            async def lose(step: str, evidence: Any) -> None:
                printer.unplug()
                with suppress(LinkFault):
                    while True:
                        await session.heard(5)

            run.commit_point = lose  # type: ignore[method-assign]
            with pytest.raises(LinkFault) as caught:
                await driver.print(request(), run)
            assert caught.value.effect == NONE

    async def test_a_printer_that_hangs_ends_by_its_time(self) -> None:
        printer = ScriptedPrinter()

        def hang() -> None:
            printer.stopped, printer.eot, printer.answers_clear = True, {}, False

        printer.at_line[4] = hang
        async with connected(printer) as driver:
            started = asyncio.get_running_loop().time()
            with pytest.raises(DeviceFault) as caught:
                await driver.print(request(), StubRun())
            assert asyncio.get_running_loop().time() - started < 5
        assert caught.value.reason == error_pb2.REASON_NO_ANSWER
        assert caught.value.effect == UNKNOWN
        assert "block 3 of 13" in caught.value.message

    async def test_the_operations_own_time_ends_it_as_well(self) -> None:
        printer = ScriptedPrinter()
        printer.at_line[4] = lambda: setattr(printer, "stopped", True)
        async with connected(printer, stall_seconds=60) as driver:
            with pytest.raises(DeviceFault) as caught:
                await driver.print(request(), StubRun(seconds=0.4))
        assert caught.value.reason == error_pb2.REASON_DEVICE_TIMEOUT
        assert caught.value.effect == PARTIAL, "the printer dropped the rest"

    async def test_a_hot_head_is_waited_for(self) -> None:
        printer = ScriptedPrinter()
        printer.at_line[4] = printer.overheat
        async with connected(printer, stall_seconds=0.3, answer_seconds=5) as driver:
            work = asyncio.create_task(driver.print(request(), StubRun()))
            done, _ = await asyncio.wait([work], timeout=0.7)
            assert not done
            printer.send(b"\x14\x00\x00\x00")
            printer.load_paper()
            assert (await work).blocks == 13

    async def test_a_late_confirmation_during_the_clean_up_counts(self) -> None:
        printer = ScriptedPrinter()
        printer.at_line[12] = lambda: printer.send(PAPER_OUT_ASB)
        async with connected(printer) as driver:
            result = await driver.print(request(), StubRun())
        assert result.blocks == 13


class TestCancelling:
    @pytest.mark.parametrize("line", [0, 1, 6, 12])
    async def test_the_driver_goes_on_after_a_cancelled_print(self, line: int) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            if line:
                printer.at_line[line] = lambda: setattr(printer, "stopped", True)
            else:
                printer.stopped = True
            printer.heard.clear()
            work = asyncio.create_task(driver.print(request(), StubRun()))
            while b"line 12" not in printer.received:
                await asyncio.wait_for(printer.heard.wait(), 5)
                printer.heard.clear()
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            assert not (await driver.status()).conditions
            printer.stopped = False
            assert (await driver.print(request(2), StubRun())).blocks == 3
            assert CLEAR in printer.received

    async def test_at_any_turn_of_the_loop(self) -> None:
        """Cancel after 0, 1, 2, … turns of the event loop, until the print is through."""
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            for turns in range(0, 400, 3):
                work = asyncio.create_task(driver.print(request(3), StubRun()))
                for _ in range(turns):
                    await asyncio.sleep(0)
                finished = work.done()
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
                assert not (await driver.status()).conditions
                if finished:
                    break
            assert finished
            assert (await driver.print(request(2), StubRun())).blocks == 3


class TestStatus:
    async def test_reports_are_pushed(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            await driver.status()
            pushed: asyncio.Queue[DeviceStatus] = asyncio.Queue()
            driver.report = pushed.put_nowait
            printer.send(b"\x3c\x00\x00\x00")
            status = await asyncio.wait_for(pushed.get(), 5)
            assert [c.reason for c in status.conditions] == [error_pb2.REASON_COVER_OPEN]
            printer.send(b"\x3c\x00\x00\x00\x14\x00\x00\x0f")
            assert not (await asyncio.wait_for(pushed.get(), 5)).conditions
            assert pushed.empty(), "what has not changed is not pushed again"

    async def test_asking_finds_paper_and_its_level(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            printer.eot[4] = 0x1E
            status = await driver.status()
        assert [c.reason for c in status.conditions] == [error_pb2.REASON_PAPER_NEAR_END]
        assert status.consumables[0].level == device_pb2.SUPPLY_LEVEL_LOW

    async def test_a_printer_that_falls_silent_is_told(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            printer.eot = {}
            with pytest.raises(NoAnswer):
                await driver.status()

    async def test_an_unplugged_printer_is_told(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            printer.unplug()
            with pytest.raises(LinkFault):
                await driver.status()


class TestOtherVerbs:
    async def test_reset_clears_and_initialises(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            await driver.status()
            before = len(printer.received)
            result = await driver.reset(ResetDeviceRequest(), StubRun())
            assert printer.received[before:].startswith(CLEAR + b"\x1b@\x1da\xff")
        assert not result.status.conditions

    async def test_reset_of_a_printer_without_clear_recovers_by_enq(self) -> None:
        printer = ScriptedPrinter()
        printer.info = {}
        async with connected(printer) as driver:
            await driver.status()
            before = len(printer.received)
            await driver.reset(ResetDeviceRequest(), StubRun())
            assert printer.received[before:].startswith(b"\x10\x05\x02\x1b@\x1da\xff")

    async def test_an_internal_check_prints_nothing(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            result = await driver.check_health(CheckHealthRequest(), StubRun())
        assert result.healthy
        assert b"\n" not in printer.printed

    async def test_an_external_check_prints_a_slip(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            run = StubRun()
            result = await driver.check_health(CheckHealthRequest(level=device_pb2.HEALTH_LEVEL_EXTERNAL), run)
        assert result.healthy
        assert result.findings[-1].item == "test slip"
        assert b"Test slip" in printer.printed
        assert run.steps == ["first byte"]

    async def test_an_external_check_of_a_printer_without_paper_fails(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            printer.run_out_of_paper()
            request = CheckHealthRequest(level=device_pb2.HEALTH_LEVEL_EXTERNAL)
            result = await driver.check_health(request, StubRun())
        assert not result.healthy
        assert b"Test slip" not in printer.received

    async def test_a_drawer_that_springs_open_is_reported(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            run = StubRun()
            result = await driver.open_drawer(OpenDrawerRequest(), run)
        assert result.reported_open
        assert run.steps == ["drawer pulse"]
        assert b"\x1bp\x00\x32\x64" in printer.received

    async def test_a_drawer_without_a_switch_is_not(self) -> None:
        printer = ScriptedPrinter()
        printer.drawer_opens = False
        async with connected(printer, drawer_seconds=0.2) as driver:
            result = await driver.open_drawer(OpenDrawerRequest(drawer=2), StubRun())
        assert not result.reported_open
        assert b"\x1bp\x01" in printer.received

    async def test_no_pulse_while_the_printer_would_not_give_it(self) -> None:
        printer = ScriptedPrinter()
        async with connected(printer) as driver:
            printer.run_out_of_paper()
            run = StubRun()
            with pytest.raises(DeviceFault) as caught:
                await driver.open_drawer(OpenDrawerRequest(), run)
        assert caught.value.effect == NONE
        assert run.steps == []
        assert b"\x1bp" not in printer.received
