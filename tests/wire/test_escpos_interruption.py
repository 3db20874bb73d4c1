"""Receipts that are interrupted: by a printer that needs a hand, and by a link that breaks under them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.protobuf.message import Message

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.escpos import connected as connected_module
from countertop.drivers.escpos.driver import EscPosPrinter
from countertop.drivers.escpos.options import EscPosOptions
from countertop.emulators.escpos.emulator import EscPosEmulator, start
from countertop.sdk.device import Settlement, Unsettled
from countertop.sdk.errors import CountertopError, DeviceFault, LinkFault, NoAnswer
from countertop.sdk.links import parse_link
from countertop.v1 import error_pb2, operation_pb2, receipt_printer_pb2
from countertop.v1.operation_pb2 import Operation, OperationOptions, Progress
from countertop.v1.receipt_pb2 import Block, Cut, Paragraph, Receipt, Span
from countertop.v1.receipt_printer_pb2 import PrintRequest

CONTINUE = receipt_printer_pb2.INTERRUPTION_CONTINUE
REPRINT = receipt_printer_pb2.INTERRUPTION_REPRINT
PROCESS_ID = receipt_printer_pb2.CONFIRMATION_PROCESS_ID
FENCE = receipt_printer_pb2.CONFIRMATION_FENCE

PAPER_OUT = (error_pb2.REASON_PAPER_OUT, operation_pb2.PROMPT_KIND_LOAD_PAPER)
COVER_OPEN = (error_pb2.REASON_COVER_OPEN, operation_pb2.PROMPT_KIND_CLOSE_COVER)
CUTTER_ERROR = (error_pb2.REASON_CUTTER_ERROR, operation_pb2.PROMPT_KIND_UNSPECIFIED)

COMPLETE = error_pb2.PHYSICAL_EFFECT_COMPLETE
PARTIAL = error_pb2.PHYSICAL_EFFECT_PARTIAL
NONE = error_pb2.PHYSICAL_EFFECT_NONE
UNKNOWN = error_pb2.PHYSICAL_EFFECT_UNKNOWN

INSTANT: dict[str, Any] = {"speed": 0}
PACED: dict[str, Any] = {"speed_mm_s": 400.0}
"""Slow enough that a hand comes between two lines."""
LINE_MM = 30 * 25.4 / 180
TO_THE_CUTTER_MM = 80 * 25.4 / 180
PATIENCE = 10.0
HASTY: dict[str, Any] = {"answer_seconds": 0.4, "identify_seconds": 0.2, "busy_seconds": 0.2}
"""For printers that hold nothing to print: what is not answered at once was swallowed by half a command."""


@pytest.fixture(autouse=True)
def no_leftovers_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed print left is kept by the printer's address, and addresses are used again."""
    monkeypatch.setattr(connected_module, "_LEFTOVERS", set())


class StubRun:
    """A run that keeps what it is told. `on_stop`, `on_working` and `on_printed` are hands at the printer."""

    def __init__(self) -> None:
        self.operation_id = "op-1"
        self.time_left = 60.0
        self.evidence: dict[str, Any] | None = None
        self.media: dict[str, float] = {}
        self.stops: list[tuple[int, int]] = []
        self.resumed = 0
        self.printed: list[int] = []
        self.done = 0
        self.on_stop: Callable[[], None] = lambda: None
        self.on_working: Callable[[], None] = lambda: None
        self.on_printed: Callable[[int], None] = lambda blocks: None
        self._hands: list[asyncio.Task[Any]] = []

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        assert unit == "blocks"
        self.done = done

    def prompt(self, kind: Any) -> None:
        raise AssertionError("a stop says what is asked for")

    def working(self) -> None:
        self.resumed += 1
        assert self.resumed == len(self.stops), "it goes on once after each stop"
        self.on_working()

    def emit(self, event: Message) -> None:
        assert isinstance(event, receipt_printer_pb2.BlocksPrinted)
        self.printed.append(event.blocks)
        self.on_printed(event.blocks)

    async def commit_point(self, step: str, evidence: Any = None) -> None:
        self.evidence = dict(evidence)

    def effect(self, effect: Any) -> None:
        raise AssertionError("the driver states the effect with its fault")

    def used(self, medium: str, amount: float) -> None:
        self.media[medium] = self.media.get(medium, 0) + amount

    def stop(self, reason: Any, prompt: Any = 0) -> None:
        self.stops.append((reason, prompt))
        self.on_stop()

    def hand(self, *deeds: Callable[[], Awaitable[Any]]) -> Callable[[], None]:
        """Does one of the deeds each time that it is called; the last one ever again."""
        left = list(deeds)

        async def act() -> None:
            await (left.pop(0) if len(left) > 1 else left[0])()

        return lambda: self._hands.append(asyncio.get_running_loop().create_task(act()))

    async def hands_off(self) -> None:
        await asyncio.gather(*self._hands)


@asynccontextmanager
async def emulated(options: dict[str, Any]) -> AsyncIterator[EscPosEmulator]:
    emulator = await start(options)
    connected_module._LEFTOVERS.discard(emulator.link_url)  # of a printer before it at the same port
    try:
        yield emulator
    finally:
        await emulator.close()


def driver_of(emulator: EscPosEmulator, **options: Any) -> EscPosPrinter:
    quick: dict[str, Any] = {"answer_seconds": 0.5, "identify_seconds": 0.2, "busy_seconds": 0.5}
    return EscPosPrinter(parse_link(emulator.link_url), EscPosOptions(**{**quick, **options}))


@asynccontextmanager
async def connected(emulator: EscPosEmulator, **options: Any) -> AsyncIterator[EscPosPrinter]:
    driver = driver_of(emulator, **options)
    try:
        await driver.connect()
        yield driver
    finally:
        await driver.disconnect()


@asynccontextmanager
async def printing(options: dict[str, Any]) -> AsyncIterator[tuple[EscPosPrinter, EscPosEmulator, StubRun]]:
    async with emulated(options) as emulator, connected(emulator) as driver:
        run = StubRun()
        yield driver, emulator, run
        await run.hands_off()


def texts(count: int, first: int = 1) -> list[str]:
    return [f"第{n}行 line {n}" for n in range(first, first + count)]


def paragraph(text: str) -> Block:
    return Block(paragraph=Paragraph(spans=[Span(text=text)]))


def receipt(count: int) -> Receipt:
    return Receipt(blocks=[*map(paragraph, texts(count)), Block(cut=Cut())])


def request(count: int, interruption: Any = 0, copy_of: str = "") -> PrintRequest:
    return PrintRequest(receipt=receipt(count), interruption=interruption, options=OperationOptions(copy_of=copy_of))


async def papers(emulator: EscPosEmulator) -> list[list[str]]:
    """The lines on each piece of paper, the oldest first; the piece that hangs in the printer is the last."""
    answer = await emulator.get_output(bench.GetOutputRequest(limit=50, text_only=True))
    return [[line.strip() for line in output.text.splitlines() if line.strip()] for output in answer.outputs]


async def papers_cut(emulator: EscPosEmulator) -> list[list[str]]:
    """Those that have come out of the printer."""
    return (await papers(emulator))[: len(emulator.machine.roll.receipts)]


async def lines_printed(emulator: EscPosEmulator) -> list[str]:
    return [line for paper in await papers(emulator) for line in paper]


def block_named(message: str) -> int:
    found = re.search(r"up to block (\d+) of", message)
    assert found, "the sentence names a block"
    return int(found[1])


def load(emulator: EscPosEmulator, mm: float = 0.0) -> Callable[[], Awaitable[Any]]:
    return lambda: emulator.load_paper(bench.LoadPaperRequest(mm=mm))


def close_cover(emulator: EscPosEmulator) -> Callable[[], Awaitable[Any]]:
    return lambda: emulator.close_cover(bench.CloseCoverRequest())


def open_cover_at(emulator: EscPosEmulator, *blocks: int) -> Callable[[int], None]:
    """Somebody opens the cover the first time that each of these blocks is confirmed."""
    left = list(blocks)

    def look(confirmed: int) -> None:
        if left and confirmed == left[0]:
            del left[0]
            emulator.machine.set_cover(is_open=True)

    return look


class TestContinue:
    @pytest.mark.parametrize(("model", "how"), [("TM-T88VI", PROCESS_ID), ("TM-T88III", FENCE)])
    async def test_it_waits_for_paper_and_goes_on(self, model: str, how: int) -> None:
        async with printing({**INSTANT, "model": model, "paper_mm": 7.5 * LINE_MM}) as (driver, emulator, run):
            run.on_stop = run.hand(load(emulator))
            result = await driver.print(request(20, CONTINUE), run)
            assert await papers(emulator) == [texts(20)]
        assert run.stops == [PAPER_OUT]
        assert run.resumed == 1
        assert result.confirmation == how
        assert not result.reprinted
        assert run.done == result.blocks == 21

    async def test_it_waits_as_often_as_needed(self) -> None:
        async with printing({"speed_mm_s": 200.0, "paper_mm": 3.5 * LINE_MM}) as (driver, emulator, run):
            run.on_stop = run.hand(load(emulator, 4.5 * LINE_MM), load(emulator, 6.5 * LINE_MM), load(emulator))
            await driver.print(request(20, CONTINUE), run)
            assert await papers(emulator) == [texts(20)]
        assert run.stops == [PAPER_OUT] * 3

    async def test_it_waits_for_the_cover(self) -> None:
        async with printing(PACED) as (driver, emulator, run):
            run.on_printed = open_cover_at(emulator, 4)
            run.on_stop = run.hand(close_cover(emulator))
            result = await driver.print(request(30, CONTINUE), run)
            assert await papers(emulator) == [texts(30)]
        assert run.stops == [COVER_OPEN]
        assert result.confirmation == PROCESS_ID
        assert run.printed == list(range(1, 32))

    async def test_it_recovers_the_cutter_and_cuts(self) -> None:
        doc = Receipt(blocks=[*map(paragraph, texts(6)), Block(cut=Cut()), *receipt(4).blocks])
        async with printing(INSTANT) as (driver, emulator, run):
            await emulator.inject_fault(bench.InjectFaultRequest(fault="cutter-error"))
            run.on_stop = run.hand(lambda: emulator.clear_fault(bench.ClearFaultRequest(fault="cutter-error")))
            result = await driver.print(PrintRequest(receipt=doc, interruption=CONTINUE), run)
            assert await papers(emulator) == [texts(6), texts(4)]
        assert run.stops == [CUTTER_ERROR]
        assert result.confirmation == PROCESS_ID
        assert run.media["cuts"] == 2

    async def test_nobody_comes_in_time(self) -> None:
        async with printing({**INSTANT, "paper_mm": 7.5 * LINE_MM}) as (driver, emulator, run):

            def time_is_up() -> None:
                run.time_left = 0.0

            run.on_stop = time_is_up
            with pytest.raises(DeviceFault) as caught:
                await driver.print(request(12, CONTINUE), run)
            assert caught.value.reason == error_pb2.REASON_PAPER_OUT
            assert caught.value.effect == PARTIAL
            assert block_named(caught.value.message) == run.done == 7
            assert run.resumed == 0
            await emulator.load_paper(bench.LoadPaperRequest())
            await emulator.wait_idle()
            assert await papers(emulator) == [texts(7)], "the rest was dropped"
            await driver.print(request(2), StubRun())
            assert await papers(emulator) == [texts(7), texts(2)]

    async def test_an_unplugged_printer_is_not_waited_for(self) -> None:
        async with printing({**INSTANT, "paper_mm": 7.5 * LINE_MM}) as (driver, emulator, run):
            run.on_stop = run.hand(lambda: emulator.unplug(bench.UnplugRequest()))
            with pytest.raises(LinkFault) as caught:
                await driver.print(request(12, CONTINUE), run)
        assert caught.value.effect == UNKNOWN


class TestReprint:
    async def test_what_came_out_is_cut_off_and_all_is_printed_anew(self) -> None:
        async with printing({**INSTANT, "paper_mm": 7.5 * LINE_MM}) as (driver, emulator, run):
            run.on_stop = run.hand(load(emulator))
            result = await driver.print(request(12, REPRINT), run)
            assert await papers(emulator) == [texts(7), ["补打", *texts(12)]]
        assert run.stops == [PAPER_OUT]
        assert result.reprinted
        assert result.confirmation == PROCESS_ID
        assert run.done == result.blocks == 13
        assert run.printed[-13:] == list(range(1, 14))

    async def test_interrupted_again_it_begins_again(self) -> None:
        short = TO_THE_CUTTER_MM + 5.5 * LINE_MM
        async with printing({**INSTANT, "paper_mm": 7.5 * LINE_MM}) as (driver, emulator, run):
            run.on_stop = run.hand(load(emulator, short), load(emulator))
            result = await driver.print(request(12, REPRINT), run)
            first, second, third = await papers(emulator)
        assert first == texts(7)
        assert second == ["补打", *texts(len(second) - 1)]
        assert 1 < len(second) < 12
        assert third == ["补打", *texts(12)]
        assert run.stops == [PAPER_OUT] * 2
        assert result.reprinted

    async def test_after_an_open_cover(self) -> None:
        async with printing(PACED) as (driver, emulator, run):
            run.on_printed = open_cover_at(emulator, 4)
            run.on_stop = run.hand(close_cover(emulator))
            result = await driver.print(request(30, REPRINT), run)
            torn, whole = await papers(emulator)
        assert torn == texts(len(torn))
        assert 4 <= len(torn) < 30
        assert whole == ["补打", *texts(30)]
        assert run.stops == [COVER_OPEN]
        assert result.reprinted

    async def test_after_a_jammed_cutter(self) -> None:
        async with printing(INSTANT) as (driver, emulator, run):
            await emulator.inject_fault(bench.InjectFaultRequest(fault="cutter-error"))
            run.on_stop = run.hand(lambda: emulator.clear_fault(bench.ClearFaultRequest()))
            result = await driver.print(request(3, REPRINT), run)
            assert await papers(emulator) == [texts(3), ["补打", *texts(3)]]
        assert run.stops == [CUTTER_ERROR]
        assert result.reprinted

    async def test_nothing_is_marked_that_was_not_interrupted(self) -> None:
        async with printing(INSTANT) as (driver, emulator, run):
            result = await driver.print(request(3, REPRINT), run)
            assert await papers(emulator) == [texts(3)]
        assert not result.reprinted
        assert run.stops == []

    async def test_nobody_comes_in_time(self) -> None:
        async with printing({**INSTANT, "paper_mm": 7.5 * LINE_MM}) as (driver, emulator, run):

            def time_is_up() -> None:
                run.time_left = 0.0

            run.on_stop = time_is_up
            with pytest.raises(DeviceFault) as caught:
                await driver.print(request(12, REPRINT), run)
            assert caught.value.reason == error_pb2.REASON_PAPER_OUT
            assert caught.value.effect == PARTIAL
            assert block_named(caught.value.message) == 7
            assert await papers(emulator) == [texts(7)]

    async def test_a_printer_that_cannot_drop_what_it_holds_refuses(self) -> None:
        async with printing({**INSTANT, "model": "TM-T88III"}) as (driver, emulator, run):
            with pytest.raises(CountertopError) as caught:
                await driver.print(request(3, REPRINT), run)
            assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED
            assert run.evidence is None
            await emulator.wait_idle()
            assert await papers(emulator) == []

    async def test_a_stop_between_two_attempts_does_not_undo_what_came_out(self) -> None:
        """The cover is opened as soon as the paper is in: 7 lines lie there, so that NONE would be a lie."""
        async with printing({**INSTANT, "paper_mm": 7.5 * LINE_MM}) as (driver, emulator, run):
            run.on_stop = run.hand(load(emulator), close_cover(emulator))
            run.on_working = lambda: emulator.machine.set_cover(is_open=True) if run.resumed == 1 else None
            result = await driver.print(request(12, REPRINT), run)
            assert await papers(emulator) == [texts(7), ["补打", *texts(12)]]
        assert run.stops == [PAPER_OUT, COVER_OPEN]
        assert result.reprinted


class TestAfterAStop:
    async def test_the_counters_are_known_before_the_next_print(self) -> None:
        async with printing({**INSTANT, "paper_mm": 2.5 * LINE_MM}) as (driver, emulator, run):
            with pytest.raises(DeviceFault):
                await driver.print(request(4), StubRun())
            await emulator.load_paper(bench.LoadPaperRequest())
            await driver.print(request(4), run)
        assert run.evidence is not None
        assert run.evidence["cut_counter"] >= 0
        assert run.evidence["line_counter"] >= 0


class TestCopies:
    async def test_a_copy_has_the_mark_and_the_callers_block_numbers(self) -> None:
        async with printing(INSTANT) as (driver, emulator, run):
            result = await driver.print(request(5, copy_of="op-0"), run)
            assert await papers(emulator) == [["补打", *texts(5)]]
        assert run.printed == [1, 2, 3, 4, 5, 6]
        assert result.blocks == 6
        assert not result.reprinted

    async def test_a_copy_that_stops_names_the_callers_block(self) -> None:
        async with printing({**INSTANT, "paper_mm": 7.5 * LINE_MM}) as (driver, emulator, run):
            with pytest.raises(DeviceFault) as caught:
                await driver.print(request(12, copy_of="op-0"), run)
            assert await papers(emulator) == [["补打", *texts(6)]]
        assert block_named(caught.value.message) == run.done == 6


class TestMedia:
    async def test_paper_and_cuts_are_counted(self) -> None:
        doc = Receipt(blocks=[paragraph("one"), Block(cut=Cut()), paragraph("two"), Block(cut=Cut())])
        async with printing(INSTANT) as (driver, _, run):
            result = await driver.print(PrintRequest(receipt=doc), run)
        assert run.media == {"paper_mm": result.paper_mm, "cuts": 2}
        assert result.paper_mm == pytest.approx(2 * LINE_MM, abs=0.01)


# -- the link is lost, another driver asks -----------------------------------------------------------------------------


async def reconciled(driver: EscPosPrinter, run: StubRun) -> Settlement:
    assert run.evidence is not None, "the print had passed its commit point"
    operation = Operation(progress=Progress(done=run.done, unit="blocks"))
    async with asyncio.timeout(PATIENCE):
        return await driver.reconcile(Unsettled("print", operation, run.evidence))


def link_lost(emulator: EscPosEmulator) -> asyncio.Event:
    """Set once the printer has noticed that its client is gone; all that was sent has reached it then."""
    lost, disconnected = asyncio.Event(), emulator.machine.disconnected

    def notice() -> None:
        disconnected()
        lost.set()

    emulator.machine.disconnected = notice  # type: ignore[method-assign]
    return lost


def on_line(emulator: EscPosEmulator, text: str, deed: Callable[[], None]) -> None:
    """Do something at the moment at which this line comes out."""
    write = emulator.machine.roll.write

    def look(line: str) -> None:
        write(line)
        if line.strip() == text:
            deed()

    emulator.machine.roll.write = look  # type: ignore[method-assign]


async def leave(driver: EscPosPrinter, emulator: EscPosEmulator, run: StubRun, doc: PrintRequest, block: int) -> None:
    """Print, and be gone when this block was confirmed: the daemon died."""
    lost = link_lost(emulator)
    reached = asyncio.Event()
    run.on_printed = lambda blocks: reached.set() if blocks >= block else None
    job = asyncio.create_task(driver.print(doc, run))
    async with asyncio.timeout(PATIENCE):
        await reached.wait()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        await driver.disconnect()
        await lost.wait()


async def printed_in_vain(driver: EscPosPrinter, run: StubRun, doc: PrintRequest) -> bool:
    """Print; whether the link broke."""
    try:
        await driver.print(doc, run)
    except LinkFault:
        return True
    return False


def is_true(settlement: Settlement, whole: list[str], paper: list[str], *, finished: bool) -> None:
    """What was told of a receipt of these lines fits the paper."""
    all_out = paper == whole and finished
    match settlement.effect:
        case error_pb2.PHYSICAL_EFFECT_COMPLETE:
            assert all_out
        case error_pb2.PHYSICAL_EFFECT_PARTIAL:
            assert not all_out
        case error_pb2.PHYSICAL_EFFECT_NONE:
            assert paper == []
    if re.search(r"up to block \d+", settlement.message):
        assert block_named(settlement.message) <= len(paper)


class TestABrokenLink:
    """A link that breaks after any number of bytes; what comes after them is lost."""

    @staticmethod
    async def broken_after(sent: int, *, survive: bool = False, leftover: bool = False) -> int | None:
        """What a second driver finds out when the link of the first broke there; None when it did not break. All of it
        is checked against the paper.
        """
        async with emulated(INSTANT) as emulator:
            old, run = driver_of(emulator), StubRun()
            try:
                await old.connect()
                if leftover:
                    emulator.machine.load_paper(2.5 * LINE_MM)
                    with pytest.raises(DeviceFault):
                        await old.print(request(4), StubRun())
                    emulator.machine.load_paper(80_000)
                    await old.status()
                await emulator.inject_fault(bench.InjectFaultRequest(fault="disconnect", after_bytes=sent, times=1))
                if not await printed_in_vain(old, run, request(6)):
                    return None
            finally:
                await old.disconnect()
            await emulator.wait_idle()
            async with connected(emulator, **HASTY, counters_survive_power_loss=survive) as new:
                before = texts(2) if leftover else []
                if run.evidence is None:
                    assert await lines_printed(emulator) == before
                    return UNKNOWN
                settlement = await reconciled(new, run)
                lines = await lines_printed(emulator)
                assert lines[: len(before)] == before
                is_true(settlement, texts(6), lines[len(before) :], finished=texts(6) in await papers_cut(emulator))
                await new.print(request(2), StubRun())
                assert (await papers(emulator))[-1] == texts(2), "the next receipt is a piece of its own"
                assert await lines_printed(emulator) == [*lines, *texts(2)], "nothing came out later"
            return settlement.effect

    @pytest.mark.parametrize("survive", [False, True])
    async def test_the_paper_is_what_the_printer_tells(self, survive: bool) -> None:
        found = []
        sent = 5
        while (effect := await self.broken_after(sent, survive=survive)) is not None:
            found.append(effect)
            sent += 7
        assert {COMPLETE, PARTIAL} <= set(found)
        assert (NONE in found) is survive

    async def test_the_cut_below_a_leftover_is_not_taken_for_the_receipts(self) -> None:
        """The counter of cuts is read before what a failed print left is cut off: that cut is not the receipt's."""
        sent = 5
        while await self.broken_after(sent, leftover=True) is not None:
            sent += 7
        assert sent > 100


class TestADeadDaemon:
    async def test_the_kept_process_id_tells_that_all_came_out(self) -> None:
        async with emulated({"speed_mm_s": 200.0}) as emulator:
            run, old = StubRun(), driver_of(emulator)
            await old.connect()
            await leave(old, emulator, run, request(12), 2)
            assert run.done < 13
            await emulator.wait_idle()
            assert await papers(emulator) == [texts(12)]
            async with connected(emulator) as new:
                settlement = await reconciled(new, run)
                await new.print(request(2), StubRun())
                assert await papers(emulator) == [texts(12), texts(2)]
        assert settlement.effect == COMPLETE
        assert settlement.result == receipt_printer_pb2.PrintResult(confirmation=PROCESS_ID, blocks=13)

    async def test_the_cut_counter_tells_it_when_no_answer_was_read(self) -> None:
        async with emulated(INSTANT) as emulator:
            run, old = StubRun(), driver_of(emulator)
            await old.connect()
            out, lost = asyncio.Event(), link_lost(emulator)
            commit_point = run.commit_point

            async def deafen(step: str, evidence: Any = None) -> None:
                await commit_point(step, evidence)
                await emulator.inject_fault(bench.InjectFaultRequest(fault="mute"))

            run.commit_point = deafen  # type: ignore[method-assign]
            emulator.machine.roll._on_receipt = lambda paper: out.set()
            job = asyncio.create_task(old.print(request(12), run))
            async with asyncio.timeout(PATIENCE):
                await out.wait()
                job.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await job
                await old.disconnect()
                await lost.wait()
            await emulator.clear_fault(bench.ClearFaultRequest())
            assert run.printed == []
            async with connected(emulator) as new:
                settlement = await reconciled(new, run)
            assert await papers(emulator) == [texts(12)]
        assert settlement.effect == COMPLETE
        assert settlement.result == receipt_printer_pb2.PrintResult(confirmation=FENCE, blocks=13)

    async def test_the_rest_behind_an_open_cover_is_dropped(self) -> None:
        async with emulated({"speed_mm_s": 150.0}) as emulator:
            run, old = StubRun(), driver_of(emulator)
            await old.connect()
            opened = asyncio.Event()

            def open_cover() -> None:
                emulator.machine.set_cover(is_open=True)
                opened.set()

            on_line(emulator, texts(1, 9)[0], open_cover)
            await leave(old, emulator, run, request(20), 2)
            async with asyncio.timeout(PATIENCE):
                await opened.wait()
                await emulator.wait_idle()
            torn = await lines_printed(emulator)
            async with connected(emulator) as new:
                settlement = await reconciled(new, run)
                await emulator.close_cover(bench.CloseCoverRequest())
                await emulator.wait_idle()
                assert await lines_printed(emulator) == torn, "nothing came out later"
            assert torn == texts(9)
            assert settlement.effect == PARTIAL
            assert run.done < block_named(settlement.message) <= 9

    async def test_a_leftover_is_cut_off_though_the_printer_was_identified_anew(self) -> None:
        """Behind an open cover the printer cannot tell its model: the driver that settles is not the next to print."""
        async with emulated({"speed_mm_s": 150.0}) as emulator:
            run, old = StubRun(), driver_of(emulator)
            await old.connect()
            on_line(emulator, texts(1, 5)[0], lambda: emulator.machine.set_cover(is_open=True))
            await leave(old, emulator, run, request(20), 2)
            await emulator.wait_idle()
            torn = await lines_printed(emulator)
            async with connected(emulator) as new:
                await reconciled(new, run)
                await emulator.close_cover(bench.CloseCoverRequest())
                with pytest.raises(LinkFault):
                    await new.status()
            async with connected(emulator) as newest:
                await newest.print(request(2), StubRun())
            assert await papers(emulator) == [torn, texts(2)]

    async def test_a_power_failure_leaves_it_unknown(self) -> None:
        async with emulated({"speed_mm_s": 150.0}) as emulator:
            run, old = StubRun(), driver_of(emulator)
            await old.connect()
            await leave(old, emulator, run, request(20), 4)
            await emulator.power_cycle(bench.PowerCycleRequest())
            await emulator.wait_idle()
            lines = await lines_printed(emulator)
            async with connected(emulator) as new:
                settlement = await reconciled(new, run)
            assert await lines_printed(emulator) == lines
        assert settlement.effect == UNKNOWN
        assert block_named(settlement.message) == run.done
        assert 4 <= run.done <= len(lines) < 20

    async def test_while_it_still_prints_the_answer_fits_the_paper(self) -> None:
        async with emulated({"speed_mm_s": 60.0}) as emulator:
            run, old = StubRun(), driver_of(emulator)
            await old.connect()
            await leave(old, emulator, run, request(20), 2)
            async with connected(emulator) as new:
                settlement = await reconciled(new, run)
                lines = await lines_printed(emulator)
                is_true(settlement, texts(20), lines, finished=texts(20) in await papers_cut(emulator))
                assert settlement.effect in (COMPLETE, PARTIAL)
                await emulator.wait_idle()
                assert await lines_printed(emulator) == lines, "it holds nothing more"

    async def test_a_printer_without_ids_and_counters_cannot_tell(self) -> None:
        async with emulated({"speed_mm_s": 200.0, "model": "TM-T88III"}) as emulator:
            run, old = StubRun(), driver_of(emulator)
            await old.connect()
            out, lost = asyncio.Event(), link_lost(emulator)
            emulator.machine.roll._on_receipt = lambda paper: out.set()
            began = asyncio.Event()
            on_line(emulator, texts(1)[0], began.set)
            job = asyncio.create_task(old.print(request(12), run))
            async with asyncio.timeout(PATIENCE):
                await began.wait()
                job.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await job
                await old.disconnect()
                await lost.wait()
                await out.wait()
            async with connected(emulator) as new:
                settlement = await reconciled(new, run)
            assert await papers(emulator) == [texts(12)]
        assert settlement.effect == UNKNOWN

    async def test_what_it_cannot_drop_is_waited_for(self) -> None:
        async with emulated({"speed_mm_s": 200.0, "model": "TM-T88III"}) as emulator:
            run, old = StubRun(), driver_of(emulator)
            await old.connect()
            lost, opened = link_lost(emulator), asyncio.Event()

            def open_cover() -> None:
                emulator.machine.set_cover(is_open=True)
                opened.set()

            on_line(emulator, texts(1, 3)[0], open_cover)
            job = asyncio.create_task(old.print(request(12), run))
            async with asyncio.timeout(PATIENCE):
                await opened.wait()
                job.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await job
                await old.disconnect()
                await lost.wait()
            async with connected(emulator) as new:
                with pytest.raises(NoAnswer):
                    await reconciled(new, run)
            await emulator.close_cover(bench.CloseCoverRequest())
            await emulator.wait_idle()
            assert await papers(emulator) == [texts(12)]
            async with connected(emulator) as newest:
                assert (await reconciled(newest, run)).effect == UNKNOWN

    async def test_the_evidence_of_something_else_tells_nothing(self) -> None:
        async with emulated(INSTANT) as emulator, connected(emulator) as driver:
            for evidence in ({}, {"drawer": 1}):
                settlement = await driver.reconcile(Unsettled("open_drawer", Operation(), evidence))
                assert settlement.effect == UNKNOWN


class TestABrokenLinkWhileReprinting:
    @pytest.mark.parametrize("survive", [False, True])
    async def test_the_first_attempt_is_on_paper_whatever_became_of_the_second(self, survive: bool) -> None:
        broke = False
        for sent in range(4, 400, 17):
            async with emulated({**INSTANT, "paper_mm": 2.5 * LINE_MM}) as emulator:
                old, run = driver_of(emulator), StubRun()
                await old.connect()

                async def mend(emulator: EscPosEmulator = emulator, sent: int = sent) -> None:
                    await emulator.load_paper(bench.LoadPaperRequest())
                    await emulator.inject_fault(bench.InjectFaultRequest(fault="disconnect", after_bytes=sent, times=1))

                run.on_stop = run.hand(mend)
                broken = await printed_in_vain(old, run, request(6, REPRINT))
                await run.hands_off()
                await old.disconnect()
                await emulator.wait_idle()
                if not broken:
                    assert await papers(emulator) == [texts(2), ["补打", *texts(6)]]
                    continue
                broke = True
                async with connected(emulator, **HASTY, counters_survive_power_loss=survive) as new:
                    settlement = await reconciled(new, run)
                assert settlement.effect != NONE, "two lines are on paper"
                if settlement.effect == COMPLETE:
                    assert await papers(emulator) == [texts(2), ["补打", *texts(6)]]
        assert broke
