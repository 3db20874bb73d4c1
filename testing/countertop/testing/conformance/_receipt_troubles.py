"""Receipt printers in trouble: no paper, an open cover, before a receipt and in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from countertop.sdk.errors import CountertopError
from countertop.testing.conformance._effect import stated_effect
from countertop.testing.conformance._paper import Slip, quiet_paper
from countertop.testing.conformance._receipt_printing import ReceiptPrinting
from countertop.testing.conformance._requirement import expect, requirement
from countertop.testing.conformance._rig import REPLY_SECONDS, Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.v1 import device_pb2, error_pb2, receipt_printer_pb2
from countertop.v1.error_pb2 import Reason
from countertop.v1.receipt_printer_pb2 import PrintResult

__all__ = ["ReceiptTroubles"]

SHORT_MM = 60.0
"""A roll that ends in the middle of LONG lines: these are 170 mm at six lines an inch."""
LONG = 40
REPRINTED = "补打"


class ReceiptTroubles(ReceiptPrinting):
    """The part of the suite that is about trouble that a person mends."""

    # --- before a receipt ------------------------------------------------------------------------------------------

    @requirement("P-10", "Without paper a receipt fails with PAPER_OUT, and nothing comes out later.")
    async def test_p10_no_paper(self, rig: Rig) -> None:
        """The status says PAPER_OUT, blocking; the print fails with it and effect NONE. When paper is loaded, only what
        is printed from then on comes out.
        """
        await self._refused(rig, error_pb2.REASON_PAPER_OUT, ("load_paper", {"empty": True}), ("load_paper", {}))

    @requirement("P-11", "With an open cover a receipt fails with COVER_OPEN, and nothing comes out later.")
    async def test_p11_open_cover(self, rig: Rig) -> None:
        """As without paper: the status says it, the print fails with effect NONE, and closing the cover brings out
        nothing.
        """
        await self._refused(rig, error_pb2.REASON_COVER_OPEN, ("open_cover", {}), ("close_cover", {}))

    async def _refused(
        self, rig: Rig, reason: Reason, harm: tuple[str, dict[str, Any]], mend: tuple[str, dict[str, Any]]
    ) -> None:
        slip, next_slip = Slip.new(), Slip.new()
        name = Reason.Name(reason).removeprefix("REASON_")
        async with rig.connected() as driver:
            await rig.hands.do(harm[0], **harm[1])
            await self._status_says(rig, driver, reason, there=True)
            run = rig.run()
            with rig.refuses(f"a print at {name}", reason) as raised:
                await self.printed(rig, driver, slip, run)
            effect = stated_effect(raised[0], run)
            expect(effect == error_pb2.PHYSICAL_EFFECT_NONE, f"A print that {name} prevents has the effect NONE.")
            await rig.hands.do(mend[0], **mend[1])
            await self._status_says(rig, driver, reason, there=False)
            result = await self.printed(rig, driver, next_slip)
            if rig.emulator is None:
                return
            pieces = await quiet_paper(rig)
        expect(not slip.found_on(pieces), "A print that had failed with the effect NONE came out later.")
        next_slip.expect_whole_on(rig, pieces, result)

    @staticmethod
    async def _status_says(rig: Rig, driver: Any, reason: Reason, *, there: bool) -> None:
        """Ask for the status, as a daemon does, until a condition has come or gone."""
        name = Reason.Name(reason).removeprefix("REASON_")
        end = asyncio.get_running_loop().time() + REPLY_SECONDS
        while True:
            status = await rig.within(REPLY_SECONDS, "status", driver.status())
            stands = {c.reason for c in status.conditions if c.severity == device_pb2.SEVERITY_BLOCKING}
            if (reason in stands) == there:
                return
            told = (
                f"The status must {'say' if there else 'no longer say'} {name}, BLOCKING, within {REPLY_SECONDS:g} s."
            )
            expect(asyncio.get_running_loop().time() < end, told)
            await asyncio.sleep(0.05)

    # --- in the middle ---------------------------------------------------------------------------------------------

    @requirement("P-12", "Paper that ends in the middle of a receipt is PAPER_OUT, and never success.")
    async def test_p12_paper_ends(self, rig: Rig) -> None:
        """The roll is shorter than the receipt: the customer has half of it in hand. The effect that the fault states
        agrees with the paper, and so does the progress; also when paper is loaded again.
        """
        rig.needs_emulator()
        await self._stopped(rig, error_pb2.REASON_PAPER_OUT, self._short_of_paper(rig), "load_paper")

    @requirement("P-13", "A cover that is opened in the middle of a receipt is COVER_OPEN, and never success.")
    async def test_p13_cover_opens(self, rig: Rig) -> None:
        """It is opened at the commit point, when the driver has found the printer ready. The effect that the fault
        states agrees with the paper, also when the cover is closed again.
        """

        async def open_cover() -> None:
            await rig.hands.do("open_cover")

        await self._stopped(rig, error_pb2.REASON_COVER_OPEN, open_cover, "close_cover")

    async def _stopped(self, rig: Rig, reason: Reason, harm: Callable[[], Awaitable[None]], mend: str) -> None:
        name, slip = Reason.Name(reason).removeprefix("REASON_"), Slip.new(LONG)
        async with rig.connected() as driver:
            run = rig.run(on_commit=harm)
            with rig.refuses(f"a receipt that {name} stops", reason) as raised:
                self._skip_untold(await self.printed(rig, driver, slip, run))
            await rig.hands.do(mend)
            if rig.emulator is None:
                return
            pieces = await quiet_paper(rig)
        slip.expect_agrees(rig, stated_effect(raised[0], run), pieces, "the fault")
        known = max((done for done, _, _ in run.steps), default=0)
        if rig.info.receipt_printer.confirmation >= receipt_printer_pb2.CONFIRMATION_FENCE:
            lines = len(slip.found_on(pieces))
            expect(known <= lines, f"The progress says that {known} blocks are printed; the paper holds {lines}.")

    @requirement("P-14", "What a receipt that was stopped has left comes out on no other one.")
    async def test_p14_leftover(self, rig: Rig) -> None:
        """INTERRUPTION_VOID: what is in the printer is dropped, and what hangs in it is cut off before the next print.
        Also by another driver, which a daemon makes after the connection was lost.
        """
        rig.needs_emulator()
        slip, next_slip = Slip.new(LONG), Slip.new()
        async with rig.connected() as driver:
            with rig.refuses("a receipt that PAPER_OUT stops", error_pb2.REASON_PAPER_OUT) as raised:
                self._skip_untold(await self.printed(rig, driver, slip, rig.run(on_commit=self._short_of_paper(rig))))
        stopped = slip.found_on(await quiet_paper(rig))
        await rig.hands.do("load_paper")
        async with rig.connected() as driver:
            result = await self.printed(rig, driver, next_slip)
            pieces = await quiet_paper(rig)
        next_slip.expect_whole_on(rig, pieces, result)
        if stated_effect(raised[0], rig.run()) != error_pb2.PHYSICAL_EFFECT_UNKNOWN:
            expect(
                slip.found_on(pieces) == stopped, "The rest of a receipt that was voided came out with the next one."
            )
        if rig.info.receipt_printer.cutter:
            mixed = [piece for piece in pieces if slip.found_on([piece]) and next_slip.found_on([piece])]
            expect(not mixed, "What a voided receipt has left must be cut off before the next one.")

    @requirement("P-15", "With CONTINUE it stops, says why, and goes on where it stopped.")
    async def test_p15_continue(self, rig: Rig) -> None:
        """The paper ends in the middle; the operation is STOPPED with PAPER_OUT until paper is loaded, and then every
        line is on paper once. A driver that cannot do so refuses the request with NOT_SUPPORTED, before the commit
        point.
        """
        slip = Slip.new(LONG)
        result, run = await self._mended(rig, slip, receipt_printer_pb2.INTERRUPTION_CONTINUE)
        pieces = await quiet_paper(rig)
        slip.expect_whole_on(rig, pieces, result)
        expect(error_pb2.REASON_PAPER_OUT in run.stops, "Meanwhile the operation must be STOPPED with PAPER_OUT.")
        expect(not result.reprinted, "A receipt that went on is not a reprint.")

    @requirement("P-16", "With REPRINT it stops, says why, and is printed anew as a whole, marked as a reprint.")
    async def test_p16_reprint(self, rig: Rig) -> None:
        """As with CONTINUE; what had come out is cut off, and the result says `reprinted`. A driver that cannot drop
        what its printer holds refuses the request with NOT_SUPPORTED, before the commit point.
        """
        slip = Slip.new(LONG)
        result, run = await self._mended(rig, slip, receipt_printer_pb2.INTERRUPTION_REPRINT)
        pieces = await quiet_paper(rig)
        expect(error_pb2.REASON_PAPER_OUT in run.stops, "Meanwhile the operation must be STOPPED with PAPER_OUT.")
        expect(result.reprinted, "The result must say that it was printed anew.")
        if not rig.info.receipt_printer.cutter:
            return
        whole = [piece for piece in pieces if slip.found_on([piece]) == list(slip.marks)]
        expect(len(whole) == 1 and whole[0].finished, "The receipt must be whole on one piece of paper, once.")
        marked = REPRINTED in whole[0].text or result.rasterised_lines
        expect(marked, f"A receipt that is printed anew must be marked with {REPRINTED}.")

    async def _mended(
        self, rig: Rig, slip: Slip, interruption: receipt_printer_pb2.Interruption
    ) -> tuple[PrintResult, RecordingRun]:
        """Print on a roll that is too short, and load another one when the operation has stopped. Skips the requirement
        for a driver that refuses the interruption as it should.
        """
        rig.needs_emulator()
        async with rig.connected() as driver:
            run = rig.run(on_commit=self._short_of_paper(rig))
            printing = asyncio.ensure_future(self.printed(rig, driver, slip, run, interruption))
            try:
                await self._until_stopped(run, printing)
                if run.stops:
                    await rig.hands.do("load_paper")
                result = await printing
            except CountertopError as error:
                refused = error.reason == error_pb2.REASON_NOT_SUPPORTED and not run.commits
                expect(refused, f"It must go on when paper is loaded, or refuse that at once; got {error}.")
                pytest.skip("the driver does not do this, and says so")
            finally:
                printing.cancel()
                await asyncio.wait({printing}, timeout=3)
        self._skip_untold(result)
        return result, run

    @staticmethod
    def _skip_untold(result: PrintResult) -> None:
        """A printer that only takes bytes does not tell what becomes of them, and its driver promises no more."""
        if result.confirmation <= receipt_printer_pb2.CONFIRMATION_WRITTEN:
            pytest.skip("the printer confirms nothing, and this result does not say that it did")

    @staticmethod
    async def _until_stopped(run: RecordingRun, printing: asyncio.Future[PrintResult]) -> None:
        end = asyncio.get_running_loop().time() + REPLY_SECONDS
        while not run.stops and not printing.done():
            expect(asyncio.get_running_loop().time() < end, "A printer without paper must stop the operation.")
            await asyncio.wait({printing}, timeout=0.02)

    @staticmethod
    def _short_of_paper(rig: Rig) -> Callable[[], Awaitable[None]]:
        """For the commit point: the first time the roll becomes too short."""
        done: list[bool] = []

        async def shorten() -> None:
            if not done:
                done.append(True)
                await rig.hands.do("load_paper", mm=SHORT_MM)

        return shorten

    @requirement("P-17", "A receipt that nobody mends ends when its time is up.")
    async def test_p17_never_mended(self, rig: Rig) -> None:
        """With CONTINUE and a cover that stays open, the verb ends by itself soon after `time_left` is used up, as a
        typed fault whose effect agrees with the paper.
        """
        slip = Slip.new()

        async def open_cover() -> None:
            await rig.hands.do("open_cover")

        async with rig.connected() as driver:
            run = rig.run(timeout=1.0, on_commit=open_cover)
            printing = self.printed(rig, driver, slip, run, receipt_printer_pb2.INTERRUPTION_CONTINUE)
            with rig.refuses("a receipt that nobody mends") as raised:
                await rig.within(10, "a print with a second's time", printing)
            await rig.hands.do("close_cover")
            if rig.emulator is not None:
                slip.expect_agrees(rig, stated_effect(raised[0], run), await quiet_paper(rig), "the fault")
