"""What a driver finds out about a print, from a scripted printer that says on each connection what the test wants."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import example, given, settings
from hypothesis import strategies as st

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.escpos import connected as connected_module
from countertop.drivers.escpos.driver import EscPosPrinter
from countertop.drivers.escpos.options import EscPosOptions
from countertop.emulators.escpos.emulator import EscPosEmulator, start
from countertop.sdk.device import Settlement, Unsettled
from countertop.sdk.errors import DeviceFault, LinkFault, NoAnswer
from countertop.sdk.links import parse_link
from countertop.v1 import device_pb2, error_pb2, receipt_printer_pb2
from countertop.v1.device_pb2 import CheckHealthRequest, CheckHealthResult
from countertop.v1.operation_pb2 import Operation, Progress
from countertop.v1.receipt_pb2 import Block, Cut, Paragraph, Receipt, Span
from countertop.v1.receipt_printer_pb2 import OpenDrawerRequest, PrintRequest, PrintResult

COMPLETE = error_pb2.PHYSICAL_EFFECT_COMPLETE
PARTIAL = error_pb2.PHYSICAL_EFFECT_PARTIAL
NONE = error_pb2.PHYSICAL_EFFECT_NONE
UNKNOWN = error_pb2.PHYSICAL_EFFECT_UNKNOWN
PROCESS_ID = receipt_printer_pb2.CONFIRMATION_PROCESS_ID
FENCE = receipt_printer_pb2.CONFIRMATION_FENCE

PATIENCE = 20.0
LINES = 12
TOTAL = LINES + 1
CLEAR = bytes.fromhex("10 14 08 01 03 14 01 06 02 08")
READY = {1: 0x16, 2: 0x12, 3: 0x12, 4: 0x12}
PAPER_OUT = {1: 0x1E, 2: 0x32, 3: 0x12, 4: 0x7E}
INFO = {65: "1.01 ESC/POS", 66: "EPSON", 67: "TM-T88VI", 68: "TEST000001", 69: "CHINA GB18030"}
CUTS, FED = 178, 148
# Short for what is never answered; long for what is answered at once, so that a busy machine is no fault.
OPTIONS: dict[str, Any] = {"answer_seconds": 2.0, "identify_seconds": 2.0, "busy_seconds": 2.0}

_REALTIME = re.compile(rb"\x10\x04(?P<eot>.)|(?P<clear>" + re.escape(CLEAR) + rb")|\x10\x05.", re.DOTALL)
_COMMAND = re.compile(
    rb"\x1dI(?P<info>.)|\x1dr(?P<status>.)|\x1dg2\x00(?P<counter>..)|\x1d\(H\x06\x0000(?P<id>.{4})|(?P<cut>\x1dV[AB].)"
    rb"|\x1ba.|\x1da.|\x1bp...|(?P<lf>\n)|\x1b[3EMR].|\x1d[!B].|\x1d[LP]..|\x1b[$]..|\x1c[&.]|.",
    re.DOTALL,
)


@pytest.fixture(autouse=True)
def nothing_hangs_in_any_printer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port may be given again to another test's printer."""
    monkeypatch.setattr(connected_module, "_LEFTOVERS", set())


class ScriptedPrinter:
    """Works off what it gets, and breaks the link before it answers the process id `breaks_at`, counted from 0."""

    def __init__(self) -> None:
        self.eot = dict(READY)
        self.counters = {CUTS: 40, FED: 9000}
        self.kept: bytes | None = None
        """Sent as soon as somebody connects."""
        self.breaks_at: int | None = None
        self.answers_fence = True
        self.ids: list[bytes] = []
        self.questions: list[int] = []
        """Counters that were asked for."""
        self.cleared = 0
        self.paper: list[str] = [""]
        self._writers: set[asyncio.StreamWriter] = set()

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self.kept is not None:
            self._identify(writer, self.kept)
        buffer = b""
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                for match in _REALTIME.finditer(data):
                    self._realtime(match, writer)
                buffer = self._work_off(buffer + _REALTIME.sub(b"", data), writer)
        self._writers.discard(writer)
        writer.close()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _identify(self, writer: asyncio.StreamWriter, value: bytes) -> None:
        writer.write(b"\x37\x22" + value + b"\0")

    def _realtime(self, match: re.Match[bytes], writer: asyncio.StreamWriter) -> None:
        if match["clear"]:
            self.cleared += 1
            writer.write(b"\x37\x25\x00")
        elif match["eot"]:
            writer.write(bytes([self.eot[match["eot"][0]]]))

    def _work_off(self, buffer: bytes, writer: asyncio.StreamWriter) -> bytes:
        while buffer and not writer.transport.is_closing():
            match = _COMMAND.match(buffer)
            assert match is not None
            if match.end() == len(buffer) and len(match.group()) == 1 and match.group() in b"\x1b\x1c\x1d":
                break
            buffer = buffer[match.end() :]
            self._command(match, writer)
        return buffer

    def _command(self, match: re.Match[bytes], writer: asyncio.StreamWriter) -> None:
        match match.lastgroup, match.group(match.lastgroup or 0):
            case "info", n:
                writer.write(b"_" + INFO[n[0]].encode() + b"\0")
            case "status", _ if self.answers_fence:
                writer.write(b"\x00")
            case "counter", n:
                number = int.from_bytes(n, "little")
                self.questions.append(number)
                writer.write(b"_" + str(self.counters[number]).encode() + b"\0")
            case "id", value:
                if self.breaks_at == len(self.ids):
                    writer.transport.abort()
                    return
                self.ids.append(value)
                self._identify(writer, value)
            case "cut", _:
                self.counters[CUTS] += 1
                self.paper.append("")
            case "lf", _:
                self.counters[FED] += 1
                self.paper[-1] += "|"


class StubRun:
    """A run that keeps what it is told."""

    def __init__(self) -> None:
        self.operation_id = "op-1"
        self.time_left = 60.0
        self.evidence: dict[str, Any] = {}
        self.used_up: list[tuple[str, float]] = []
        self.done = 0

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        self.done = done

    def prompt(self, kind: Any) -> None:
        raise AssertionError("nobody is asked")

    def working(self) -> None:
        raise AssertionError("it never stopped")

    def stop(self, reason: Any, prompt: Any = 0) -> None:
        raise AssertionError("it is not held")

    def emit(self, event: Message) -> None:
        assert isinstance(event, receipt_printer_pb2.BlocksPrinted)

    async def commit_point(self, step: str, evidence: Any = None) -> None:
        self.evidence = dict(evidence or {})

    def effect(self, effect: Any) -> None:
        raise AssertionError("the driver states the effect with its fault")

    def used(self, medium: str, amount: float) -> None:
        self.used_up.append((medium, amount))


@asynccontextmanager
async def served(printer: ScriptedPrinter) -> AsyncIterator[str]:
    server = await asyncio.start_server(printer.client, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        printer.hang_up()
        await server.wait_closed()


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[EscPosPrinter]:
    driver = EscPosPrinter(parse_link(url), EscPosOptions(**{**OPTIONS, **options}))
    try:
        await driver.connect()
        yield driver
    finally:
        await driver.disconnect()


def receipt(lines: int = LINES, *, cut: bool = True) -> Receipt:
    blocks = [Block(paragraph=Paragraph(spans=[Span(text=f"line {n}")])) for n in range(1, lines + 1)]
    return Receipt(blocks=[*blocks, Block(cut=Cut())] if cut else blocks)


async def broken(url: str, *, cut: bool = True) -> StubRun:
    """A print that the link broke under."""
    run = StubRun()
    async with connected(url) as driver:
        with pytest.raises(LinkFault):
            await driver.print(PrintRequest(receipt=receipt(cut=cut)), run)
    assert run.evidence, "it had passed its commit point"
    return run


def unsettled(run: StubRun, verb: str = "print") -> Unsettled:
    return Unsettled(verb, Operation(progress=Progress(done=run.done, unit="blocks")), run.evidence)


async def reconciled(url: str, question: Unsettled, **options: Any) -> Settlement:
    async with asyncio.timeout(PATIENCE), connected(url, **options) as driver:
        return await driver.reconcile(question)


def block_named(settlement: Settlement) -> int:
    found = re.search(r"up to block (\d+) of (\d+)", settlement.message)
    assert found, "the sentence names a block"
    assert int(found[2]) == TOTAL
    return int(found[1])


@pytest.fixture
def printer() -> ScriptedPrinter:
    printer = ScriptedPrinter()
    printer.breaks_at = 4
    return printer


class TestWhatThePrinterSaysByItself:
    async def test_an_earlier_id_tells_the_block_exactly(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.kept = printer.ids[-1]
            settlement = await reconciled(url, unsettled(run))
        assert settlement.effect == PARTIAL
        assert block_named(settlement) == 4

    async def test_the_last_id_says_that_all_is_out(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.kept = id_of(run, TOTAL - 1)
            settlement = await reconciled(url, unsettled(run))
        assert settlement.effect == COMPLETE
        assert settlement.result == PrintResult(confirmation=PROCESS_ID, blocks=TOTAL)

    async def test_another_prints_id_says_nothing(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.kept = id_of(run, TOTAL)
            settlement = await reconciled(url, unsettled(run))
        assert settlement.effect == UNKNOWN

    async def test_blocks_that_were_confirmed_before_are_the_least_that_it_tells(
        self, printer: ScriptedPrinter
    ) -> None:
        async with served(printer) as url:
            run = await broken(url)
            run.done = 7
            settlement = await reconciled(url, unsettled(run))
        assert settlement.effect == UNKNOWN
        assert block_named(settlement) == 7

    @given(kept=st.one_of(st.none(), st.integers(0, TOTAL - 1)), done=st.integers(0, TOTAL), counted=st.booleans())
    @example(kept=TOTAL - 1, done=0, counted=False)
    @example(kept=TOTAL - 2, done=0, counted=True)
    @example(kept=None, done=0, counted=True)
    @settings(max_examples=25, deadline=None)
    async def test_it_never_tells_more_than_was_printed_nor_less_than_was_confirmed(
        self, kept: int | None, done: int, counted: bool
    ) -> None:
        """`kept + 1` chunks were worked off, or any number with no id kept: the answers went into the dead link."""
        printer = ScriptedPrinter()
        printer.breaks_at = 0
        out = TOTAL if kept is None else kept + 1
        done = min(done, out)
        async with served(printer) as url:
            run = await broken(url)
            run.done = done
            printer.kept = None if kept is None else id_of(run, kept)
            printer.counters[CUTS] = run.evidence["cut_counter"] + (out == TOTAL and counted)
            settlement = await reconciled(url, unsettled(run))
        if settlement.effect == COMPLETE:
            assert out == TOTAL
        elif settlement.effect == PARTIAL:
            assert out < TOTAL
            assert done <= block_named(settlement) <= out
        else:
            assert settlement.effect == UNKNOWN
            assert done <= block_named(settlement) <= out


def id_of(run: StubRun, number: int) -> bytes:
    """The process id behind that chunk of the print, from 0; every block has one chunk."""
    assert run.evidence["last_id"] - run.evidence["first_id"] == TOTAL - 1
    value, digits = run.evidence["first_id"] + number, bytearray()
    for _ in range(4):
        value, digit = divmod(value, 95)
        digits.insert(0, 0x20 + digit)
    return bytes(digits)


class TestWhatItsCountersSay:
    async def test_grown_by_the_receipts_cut_it_is_whole(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.counters[CUTS] = run.evidence["cut_counter"] + 1
            settlement = await reconciled(url, unsettled(run))
        assert settlement.effect == COMPLETE
        assert settlement.result == PrintResult(confirmation=FENCE, blocks=TOTAL)

    async def test_grown_by_more_somebody_else_has_cut(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.counters[CUTS] = run.evidence["cut_counter"] + 2
            settlement = await reconciled(url, unsettled(run))
        assert settlement.effect == UNKNOWN

    async def test_a_kept_id_is_believed_rather_than_a_counter(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.kept = printer.ids[-1]
            printer.counters[CUTS] = run.evidence["cut_counter"] + 1
            settlement = await reconciled(url, unsettled(run))
        assert settlement.effect == PARTIAL
        assert block_named(settlement) == 4

    @pytest.mark.parametrize(("grown", "effect"), [(0, PARTIAL), (1, COMPLETE), (2, UNKNOWN)])
    async def test_it_decides_when_only_the_last_id_is_missing(
        self, printer: ScriptedPrinter, grown: int, effect: int
    ) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.kept = id_of(run, TOTAL - 2)
            printer.counters[CUTS] = run.evidence["cut_counter"] + grown
            settlement = await reconciled(url, unsettled(run))
        assert settlement.effect == effect

    @pytest.mark.parametrize(("survive", "effect"), [(False, UNKNOWN), (True, NONE)])
    async def test_unchanged_they_prove_nothing_unless_the_operator_says_so(
        self, printer: ScriptedPrinter, survive: bool, effect: int
    ) -> None:
        printer.breaks_at = 0
        async with served(printer) as url:
            run = await broken(url)
            printer.counters = {CUTS: run.evidence["cut_counter"], FED: run.evidence["line_counter"]}
            settlement = await reconciled(url, unsettled(run), counters_survive_power_loss=survive)
        assert settlement.effect == effect

    async def test_without_a_cut_at_the_end_they_cannot_tell_the_end(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = await broken(url, cut=False)
            printer.counters[CUTS] += 1
            settlement = await reconciled(url, unsettled(run), counters_survive_power_loss=True)
        assert settlement.effect == UNKNOWN

    async def test_a_cut_between_two_prints_is_not_the_receipts(self, printer: ScriptedPrinter) -> None:
        """A self test, another host on the printer's second interface: read long ago, the counter would lie."""
        async with served(printer) as url:
            run = StubRun()
            async with connected(url) as driver:
                await driver.status()
                printer.counters[CUTS] += 1
                with pytest.raises(LinkFault):
                    await driver.print(PrintRequest(receipt=receipt()), run)
            assert run.evidence["cut_counter"] == printer.counters[CUTS]
            settlement = await reconciled(url, unsettled(run))
        assert settlement.effect == UNKNOWN
        assert block_named(settlement) == 4

    async def test_one_question_goes_before_a_print_that_follows_a_poll(self, printer: ScriptedPrinter) -> None:
        printer.breaks_at = None
        async with served(printer) as url, connected(url) as driver:
            for _ in range(2):
                await driver.status()
                printer.questions.clear()
                await driver.print(PrintRequest(receipt=receipt()), StubRun())
                assert printer.questions == [CUTS]


class TestWhatThePrinterStillHolds:
    async def test_blocked_by_its_paper_it_is_cleared(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.kept, printer.eot = printer.ids[-1], dict(PAPER_OUT)
            async with asyncio.timeout(PATIENCE), connected(url) as driver:
                cleared = printer.cleared
                settlement = await driver.reconcile(unsettled(run))
        assert printer.cleared == cleared + 1
        assert settlement.effect == PARTIAL
        assert block_named(settlement) == 4

    async def test_what_cannot_be_cleared_is_asked_for_again(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.kept, printer.eot = printer.ids[-1], dict(PAPER_OUT)
            with pytest.raises(NoAnswer):
                await reconciled(url, unsettled(run), clear=False)
        assert printer.cleared == 0

    async def test_a_question_that_half_a_command_swallowed_is_cleared_away(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.kept = printer.ids[-1]
            async with asyncio.timeout(PATIENCE), connected(url, answer_seconds=0.3) as driver:
                printer.answers_fence = False
                settlement = await driver.reconcile(unsettled(run))
        assert printer.cleared == 1
        assert settlement.effect == PARTIAL

    @pytest.mark.parametrize("whole", [False, True])
    async def test_a_torn_receipt_is_cut_off_before_the_next_a_whole_one_is_not(
        self, printer: ScriptedPrinter, whole: bool
    ) -> None:
        async with served(printer) as url:
            run = await broken(url)
            printer.kept, printer.breaks_at = id_of(run, TOTAL - 1 if whole else 3), None
            async with asyncio.timeout(PATIENCE), connected(url) as driver:
                await driver.reconcile(unsettled(run))
                before = printer.counters[CUTS]
                await driver.print(PrintRequest(receipt=receipt()), StubRun())
        assert printer.counters[CUTS] - before == (1 if whole else 2)
        assert (printer.paper[-2] == "|" * LINES) is not whole, "a torn one does not hang on the next"


class TestOtherVerbs:
    async def test_a_test_slip_that_came_out_is_a_check_that_passed(self, printer: ScriptedPrinter) -> None:
        check = CheckHealthRequest(level=device_pb2.HEALTH_LEVEL_EXTERNAL)
        async with served(printer) as url:
            run = StubRun()
            async with connected(url) as driver:
                with pytest.raises(LinkFault):
                    await driver.check_health(check, run)
            printer.counters[CUTS] = run.evidence["cut_counter"] + 1
            settlement = await reconciled(url, unsettled(run, "check_health"))
        assert settlement.effect == COMPLETE
        assert isinstance(settlement.result, CheckHealthResult)
        assert settlement.result.healthy

    async def test_a_torn_test_slip_is_no_result(self, printer: ScriptedPrinter) -> None:
        check = CheckHealthRequest(level=device_pb2.HEALTH_LEVEL_EXTERNAL)
        printer.breaks_at = 2
        async with served(printer) as url:
            run = StubRun()
            async with connected(url) as driver:
                with pytest.raises(LinkFault):
                    await driver.check_health(check, run)
            printer.kept = printer.ids[-1]
            settlement = await reconciled(url, unsettled(run, "check_health"))
        assert settlement.effect == PARTIAL
        assert settlement.result is None

    async def test_a_drawer_pulse_leaves_no_trace(self, printer: ScriptedPrinter) -> None:
        async with served(printer) as url:
            run = StubRun()
            async with connected(url, drawer_seconds=0) as driver:
                await driver.open_drawer(OpenDrawerRequest(), run)
            settlement = await reconciled(url, unsettled(run, "open_drawer"))
        assert settlement.effect == UNKNOWN
        assert settlement.result is None


LINE_MM = 30 * 25.4 / 180


@asynccontextmanager
async def emulated(**options: Any) -> AsyncIterator[tuple[EscPosEmulator, EscPosPrinter]]:
    emulator = await start({"speed": 0, **options})
    connected_module._LEFTOVERS.discard(emulator.link_url)  # of a printer before it at the same port
    try:
        async with connected(emulator.link_url) as driver:
            yield emulator, driver
    finally:
        await emulator.close()


class TestMedia:
    async def test_what_a_torn_receipt_used_is_counted_once(self) -> None:
        torn = Receipt(blocks=[*receipt(2).blocks, *receipt(6).blocks])
        async with emulated(paper_mm=30.0) as (_, driver):
            run = StubRun()
            with pytest.raises(DeviceFault) as caught:
                await driver.print(PrintRequest(receipt=torn), run)
        assert caught.value.effect == PARTIAL
        assert [medium for medium, _ in run.used_up] == ["paper_mm", "cuts"]
        used = dict(run.used_up)
        lines = run.done - used["cuts"]
        assert 2 < lines < 8
        assert used == {"paper_mm": pytest.approx(lines * LINE_MM, abs=0.01), "cuts": 1}

    async def test_the_cut_below_a_leftover_is_not_taken_from_the_next_receipts(self) -> None:
        async with emulated(paper_mm=2.5 * LINE_MM) as (emulator, driver):
            with pytest.raises(DeviceFault):
                await driver.print(PrintRequest(receipt=receipt(4)), StubRun())
            await emulator.load_paper(bench.LoadPaperRequest())
            run = StubRun()
            await driver.print(PrintRequest(receipt=receipt(1, cut=False)), run)
        assert dict(run.used_up)["cuts"] == 0

    async def test_what_is_not_known_to_have_come_out_is_not_counted(self, printer: ScriptedPrinter) -> None:
        printer.breaks_at = 0
        async with served(printer) as url:
            run = await broken(url)
        assert run.used_up == []
