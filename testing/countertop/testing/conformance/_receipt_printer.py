"""What every driver of a receipt printer must do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from countertop.sdk.device import ReceiptPrinter, Unsettled
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.testing.conformance._paper import Slip, paper, quiet_paper
from countertop.testing.conformance._receipt_cut_off import ReceiptsCutOff
from countertop.testing.conformance._receipt_troubles import ReceiptTroubles
from countertop.testing.conformance._requirement import RequirementBroken, expect, requirement
from countertop.testing.conformance._rig import Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.v1 import device_pb2, error_pb2, receipt_printer_pb2
from countertop.v1.operation_pb2 import Operation
from countertop.v1.receipt_pb2 import BARCODE_SYMBOLOGY_EAN13, Barcode, Block, Cut, Paragraph, Receipt, Span
from countertop.v1.receipt_printer_pb2 import BlocksPrinted, OpenDrawerRequest, PrintRequest, PrintResult

__all__ = ["ReceiptPrinterConformance"]

CHINESE = "收据：人民币壹佰元整"


class ReceiptPrinterConformance(ReceiptTroubles, ReceiptsCutOff):
    """The suite for receipt printers."""

    kind = device_pb2.DEVICE_KIND_RECEIPT_PRINTER
    base = ReceiptPrinter
    capabilities = "receipt_printer"
    canaries = ("Kanarienvogel 4711", "丝雀")

    async def use(self, rig: Rig, driver: Any, run: RecordingRun) -> PrintResult:
        """Print a short receipt with customer's data on it."""
        lines = [Block(paragraph=Paragraph(spans=[Span(text=mark)])) for mark in self.canaries]
        result: PrintResult = await driver.print(PrintRequest(receipt=Receipt(blocks=[*lines, Block(cut=Cut())])), run)
        return result

    # --- printing --------------------------------------------------------------------------------------------------

    @requirement("P-01", "A receipt is on paper as it was asked for: every line once, in its order, and cut off.")
    async def test_p01_as_asked(self, rig: Rig) -> None:
        """Four lines that can be told apart are printed and looked for on the paper; at a real printer a person looks
        for them.
        """
        slip = Slip.new()
        async with rig.connected() as driver:
            result = await self.printed(rig, driver, slip)
            expect(result.blocks == len(slip.receipt.blocks), "The result must count every block of the receipt.")
            expect(result.paper_mm > 0, "The result must tell how much paper was used.")
            if rig.emulator is None:
                await rig.saw(f"Did one receipt come out with the lines {', '.join(slip.marks)}?")
            else:
                slip.expect_whole_on(rig, await quiet_paper(rig), result)

    @requirement("P-02", "Two receipts are two pieces of paper.")
    async def test_p02_two_pieces(self, rig: Rig) -> None:
        """What one customer gets must not hang on what the next one gets. Printers without a cutter are left out."""
        first, second = Slip.new(), Slip.new()
        rig.needs_emulator()
        async with rig.connected() as driver:
            if not rig.info.receipt_printer.cutter:
                pytest.skip("the printer has no cutter")
            result = await self.printed(rig, driver, first)
            await self.printed(rig, driver, second)
            pieces = await quiet_paper(rig)
        first.expect_whole_on(rig, pieces, result)
        second.expect_whole_on(rig, pieces, result)
        for piece in pieces:
            both = first.found_on([piece]) and second.found_on([piece])
            expect(not both, "Two receipts must not be on one piece of paper.")

    @requirement("P-03", "The commit point comes before anything is on paper.")
    async def test_p03_commit_first(self, rig: Rig) -> None:
        """The daemon writes down that something may be printed before anything is: else a crash in between prints a
        receipt that nobody knows of. At the commit point the paper is watched until it is at rest.
        """
        slip = Slip.new()
        at_commit: list[list[str]] = []

        async def look() -> None:
            at_commit.append(slip.found_on(await quiet_paper(rig)))

        rig.needs_emulator()
        async with rig.connected() as driver:
            run = rig.run(on_commit=look)
            await self.printed(rig, driver, slip, run)
        expect(at_commit, "Printing uses paper: it must pass a commit point.")
        expect(not at_commit[0], "Lines of the receipt were on paper when its commit point came.")

    @requirement("P-04", "A commit point that cannot be kept prints nothing.")
    async def test_p04_journal_failed(self, rig: Rig) -> None:
        """`commit_point` raises JOURNAL_FAILED when the disk is full: the driver passes that on and sends nothing. A
        receipt that is printed afterwards must be all that is on the paper.
        """
        slip, next_slip = Slip.new(), Slip.new()

        async def fail() -> None:
            raise CountertopError(error_pb2.REASON_JOURNAL_FAILED)

        rig.needs_emulator()
        async with rig.connected() as driver:
            with rig.refuses("a print whose commit point fails", error_pb2.REASON_JOURNAL_FAILED):
                await self.printed(rig, driver, slip, rig.run(on_commit=fail))
            result = await self.printed(rig, driver, next_slip)
            pieces = await quiet_paper(rig)
        expect(not slip.found_on(pieces), "Lines were printed although the commit point had failed.")
        next_slip.expect_whole_on(rig, pieces, result)

    @requirement("P-05", "Cancelled at the commit point, nothing is printed, and the next receipt comes out right.")
    async def test_p05_cancelled(self, rig: Rig) -> None:
        """An app that gives up before the commit point has its word: nothing may come out, then or with the next
        receipt.
        """
        slip, next_slip, reached = Slip.new(), Slip.new(), asyncio.Event()

        async def wait_for_ever() -> None:
            reached.set()
            await asyncio.Event().wait()

        rig.needs_emulator()
        async with rig.connected() as driver:
            task = asyncio.ensure_future(self.printed(rig, driver, slip, rig.run(on_commit=wait_for_ever)))
            waiting = asyncio.ensure_future(reached.wait())
            await asyncio.wait({task, waiting}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
            expect(reached.is_set(), "Printing must come to a commit point.")
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=3)
            expect(done, "A cancelled print must end within 3 s.")
            result = await self.printed(rig, driver, next_slip)
            pieces = await quiet_paper(rig)
        expect(not slip.found_on(pieces), "Lines were printed of a receipt that was cancelled before.")
        next_slip.expect_whole_on(rig, pieces, result)

    @requirement("P-06", "The progress goes up to all blocks, and what is told of them agrees with it.")
    async def test_p06_progress(self, rig: Rig) -> None:
        """`progress(done, total, "blocks")` never goes back and ends at the total; BlocksPrinted goes up to it too
        where the printer confirms what it has printed.
        """
        slip = Slip.new(lines=8)
        async with rig.connected() as driver:
            run = rig.run()
            result = await self.printed(rig, driver, slip, run)
        total = len(slip.receipt.blocks)
        done = [done for done, _, _ in run.steps]
        expect(run.steps, "Printing must tell its progress.")
        expect(all(step[1:] == (total, "blocks") for step in run.steps), f"Progress counts {total} blocks.")
        expect(done == sorted(done), f"The progress must not go back; got {done}.")
        expect(done[-1] == total, f"The progress must end at {total}; got {done[-1]}.")
        told = [event for event in run.events if isinstance(event, BlocksPrinted)]
        counts = [event.blocks for event in told]
        expect(counts == sorted(set(counts)), f"BlocksPrinted must grow with each event; got {counts}.")
        expect(all(count <= total for count in counts), f"BlocksPrinted goes up to {total}; got {counts}.")
        best = rig.info.receipt_printer.confirmation
        expect(all(0 < event.confirmation <= best for event in told), "BlocksPrinted claims a confirmation it lacks.")
        if result.confirmation >= receipt_printer_pb2.CONFIRMATION_FENCE:
            expect(counts and counts[-1] == total, "What the printer has confirmed must be told as BlocksPrinted.")

    @requirement("P-07", "The confirmation in the result is true.")
    async def test_p07_confirmation(self, rig: Rig) -> None:
        """It is stated, and no better than the capabilities promise. When the printer itself has confirmed the receipt,
        all of it is on the paper at the moment of the result: apps book it as handed out then.
        """
        slip = Slip.new(lines=40)
        async with rig.connected() as driver:
            result = await self.printed(rig, driver, slip)
            at_once = await paper(rig) if rig.emulator is not None else []
            best = rig.info.receipt_printer.confirmation
            expect(result.confirmation, "The result must say how the print is known to have happened.")
            expect(result.confirmation <= best, "The result claims a better confirmation than the capabilities do.")
            if rig.emulator is None:
                return
            slip.expect_whole_on(rig, await quiet_paper(rig), result)
            if result.confirmation >= receipt_printer_pb2.CONFIRMATION_FENCE:
                expect(
                    slip.is_whole_on(rig, at_once), "The printer is said to have confirmed what was not printed yet."
                )

    @requirement("P-08", "A receipt with a mistake is refused by the field, before anything is printed.")
    async def test_p08_mistakes(self, rig: Rig) -> None:
        """An EAN-13 with letters cannot be printed: InvalidRequest, and no commit point."""
        receipt = Slip.new().receipt
        receipt.blocks.append(Block(barcode=Barcode(symbology=BARCODE_SYMBOLOGY_EAN13, data="no digits")))
        async with rig.connected() as driver:
            run = rig.run()
            with rig.refuses("a receipt with a mistake", error_pb2.REASON_INVALID_REQUEST) as raised:
                await rig.perform("print", driver.print(PrintRequest(receipt=receipt), run))
        expect(isinstance(raised[0], InvalidRequest), "A mistake in a receipt is an InvalidRequest.")
        expect(not run.commits, "A receipt that is refused must not pass a commit point.")

    @requirement("P-09", "Chinese text is printed, and is never a question mark.")
    async def test_p09_chinese(self, rig: Rig) -> None:
        """By the printer's own font or drawn by the driver, as `chinese_text` in the capabilities says. A bank in China
        prints little else.
        """
        slip = Slip.new(lines=2)
        slip.receipt.blocks.insert(1, Block(paragraph=Paragraph(spans=[Span(text=CHINESE)])))
        async with rig.connected() as driver:
            result = await self.printed(rig, driver, slip)
            expect(not result.missing_glyphs, "Common Chinese characters must not be missing.")
            if rig.emulator is None:
                await rig.saw(f"Does the receipt say {CHINESE}?")
                return
            text = "\n".join(piece.text for piece in await quiet_paper(rig))
        expect("?" not in text, "A Chinese character was printed as a question mark.")
        expect(CHINESE in text or result.rasterised_lines, "The Chinese text is neither on the paper nor drawn.")

    # --- the drawer ------------------------------------------------------------------------------------------------

    @requirement("P-18", "The drawer opens where there is one; else it is refused.")
    async def test_p18_drawer(self, rig: Rig) -> None:
        """`drawer` in the capabilities tells which. Without one the answer is NOT_SUPPORTED, and no commit point."""
        async with rig.connected() as driver:
            run = rig.run()
            opening = driver.open_drawer(OpenDrawerRequest(), run)
            if rig.info.receipt_printer.drawer:
                try:
                    result = await rig.perform("open_drawer", opening)
                except CountertopError as error:
                    raise RequirementBroken(f"A drawer that is there must open; got {error}") from error
                expect(isinstance(result, receipt_printer_pb2.OpenDrawerResult), "It gives an OpenDrawerResult.")
                if rig.emulator is None:
                    await rig.saw("Did the drawer open?")
            else:
                with rig.refuses("a drawer that is not there", error_pb2.REASON_NOT_SUPPORTED):
                    await rig.perform("open_drawer", opening)
                expect(not run.commits, "What is refused must not pass a commit point.")

    @requirement("P-19", "The drawer's commit point comes before its pulse.")
    async def test_p19_drawer_commits(self, rig: Rig) -> None:
        """An open drawer is money within reach: when the commit point fails with JOURNAL_FAILED, nothing may be sent
        any more.
        """
        sent: list[int] = []

        async def fail() -> None:
            sent.append(len(rig.line.sent))
            raise CountertopError(error_pb2.REASON_JOURNAL_FAILED)

        async with rig.connected() as driver:
            if not rig.info.receipt_printer.drawer:
                pytest.skip("the printer has no drawer")
            with rig.refuses("a drawer whose commit point fails", error_pb2.REASON_JOURNAL_FAILED):
                await rig.perform("open_drawer", driver.open_drawer(OpenDrawerRequest(), rig.run(on_commit=fail)))
            rig.needs_line()
            expect(len(rig.line.sent) == sent[0], "Something was sent although the commit point had failed.")

    @requirement("P-24", "Of a print that it knows nothing of, the driver says that it cannot tell.")
    async def test_p24_unknown_evidence(self, rig: Rig) -> None:
        """The journal may hold evidence of an older driver, or none: `reconcile` answers UNKNOWN and prints nothing."""
        operation = Operation(id="conformance-unknown")
        async with rig.connected() as driver:
            before = await quiet_paper(rig) if rig.emulator is not None else []
            for evidence in ({}, {"written by": "another driver"}):
                question = Unsettled("print", operation, evidence, rig.run().commit_point)
                found = await rig.within(30, "reconcile", driver.reconcile(question))
                expect(
                    found.effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN,
                    "What became of a print without evidence is UNKNOWN.",
                )
            if rig.emulator is not None:
                expect(await quiet_paper(rig) == before, "Asking what became of a print must print nothing.")
