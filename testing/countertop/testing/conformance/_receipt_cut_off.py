"""Receipts that are cut off: the line breaks, the host dies, the power fails; and what the driver finds out then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from countertop.sdk.device import Settlement, Unsettled
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.testing.conformance._effect import stated_effect
from countertop.testing.conformance._paper import Slip, quiet_paper
from countertop.testing.conformance._receipt_printing import ReceiptPrinting
from countertop.testing.conformance._requirement import RequirementBroken, expect, requirement
from countertop.testing.conformance._rig import Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.v1 import error_pb2
from countertop.v1.operation_pb2 import Operation, Progress
from countertop.v1.receipt_printer_pb2 import PrintResult

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["ReceiptsCutOff"]

SETTLE_SECONDS = 30.0
"""What the daemon gives a driver to find out."""
WHOLE = 1000
LINES = 6


@dataclass(slots=True)
class CutOff:
    """A print that was cut off."""

    slip: Slip
    run: RecordingRun
    error: CountertopError | None = None
    """As the driver told it; None when it never came to tell."""
    result: PrintResult | None = None
    """It was done before it could be cut off."""

    def question(self, rig: Rig) -> Unsettled:
        """As the daemon asks for it."""
        done, total, unit = self.run.steps[-1] if self.run.steps else (0, 0, "")
        operation = Operation(id=self.run.operation_id, progress=Progress(done=done, total=total, unit=unit))
        settling = rig.run(operation_id=self.run.operation_id)
        return Unsettled("print", operation, self.run.commits[-1][1], settling.commit_point)


class ReceiptsCutOff(ReceiptPrinting):
    """The part of the suite that is about prints whose end the driver does not see."""

    _size = 0
    """Bytes of a receipt from its commit point on, once they were counted."""

    @staticmethod
    def places() -> SearchStrategy[int]:
        """How many thousandths of a receipt's bytes have left when it is cut off."""
        from hypothesis import strategies as st

        return st.integers(0, WHOLE)

    @staticmethod
    def answers() -> SearchStrategy[int]:
        """At which answer of the printer, counted from the commit point."""
        from hypothesis import strategies as st

        return st.integers(0, 12)

    @requirement(
        "P-20",
        "A line that breaks at any byte is a typed fault, and its effect agrees with the paper.",
        given=lambda suite: suite.places(),
    )
    async def test_p20_line_breaks(self, rig: Rig, place: int) -> None:
        """After some part of the receipt's bytes the link breaks. Where the fault states NONE nothing is on paper,
        where it states PARTIAL not all is, where it states COMPLETE all is; UNKNOWN is always right, and the daemon
        asks `reconcile` then.
        """
        cut = await self._line_cut(rig, place)
        pieces = await quiet_paper(rig)
        if cut.error is None:
            self._expect_done(rig, cut, pieces)
            return
        cut.slip.expect_agrees(rig, stated_effect(cut.error, cut.run), pieces, "the fault")

    @requirement(
        "P-21",
        "After a line that broke at any byte, `reconcile` tells what is on the paper.",
        given=lambda suite: suite.places(),
    )
    async def test_p21_line_settled(self, rig: Rig, place: int) -> None:
        """A fresh driver is asked what became of the print. COMPLETE only when all of it is on paper, NONE only when
        nothing is, PARTIAL only when not all is; UNKNOWN when it cannot tell. Nothing is printed again, nothing of it
        comes out after the answer, and the next receipt is right.
        """
        await self._settled(rig, await self._line_cut(rig, place))

    @requirement(
        "P-22",
        "After a host that died at any answer, `reconcile` tells what is on the paper.",
        given=lambda suite: suite.answers(),
    )
    async def test_p22_host_died(self, rig: Rig, answer: int) -> None:
        """The driver is gone in the middle of the print, with all or some of its bytes sent and the printer's answers
        not heard, as after `kill -9`. The printer goes on. As in P-21.
        """
        await self._settled(rig, await self._host_dies(rig, answer))

    @requirement(
        "P-23",
        "After a power failure at any byte, `reconcile` tells what is on the paper.",
        given=lambda suite: suite.places(),
    )
    async def test_p23_power_failed(self, rig: Rig, place: int) -> None:
        """The printer loses its link and what it holds in memory. As in P-21."""

        async def unplug() -> None:
            await rig.hands.do("unplug")

        cut = await self._line_cut(rig, place, unplug)
        await rig.hands.do("replug")
        await self._settled(rig, cut)

    # --- cutting off -----------------------------------------------------------------------------------------------

    async def _line_cut(self, rig: Rig, place: int, then: Callable[[], Any] | None = None) -> CutOff:
        """Break the line when so many thousandths of a receipt's bytes have left."""
        rig.needs_emulator()
        size = self._size = self._size or await self._measured(rig)

        async def arm() -> None:
            rig.line.break_after = min(size - 1, size * place // WHOLE)

        async with rig.connected() as driver:
            cut = CutOff(Slip.new(LINES), rig.run(on_commit=arm))
            try:
                cut.result = await self.printed(rig, driver, cut.slip, cut.run)
            except CountertopError as error:
                expect(isinstance(error, DeviceFault), f"A line that breaks is a DeviceFault; got {error}.")
                cut.error = error
            finally:
                rig.line.break_after = None
            if then is not None:
                await then()
        return cut

    async def _measured(self, rig: Rig) -> int:
        """Print one receipt, and count the bytes that leave from the commit point on."""
        slip, sent = Slip.new(LINES), [0]

        async def begin() -> None:
            sent[0] = len(rig.line.sent)

        async with rig.connected() as driver:
            rig.needs_line()
            result = await self.printed(rig, driver, slip, rig.run(on_commit=begin))
            size = sum(map(len, rig.line.sent[sent[0] :]))
            slip.expect_whole_on(rig, await quiet_paper(rig), result)
        expect(size, "A print must send something after its commit point.")
        return size

    async def _host_dies(self, rig: Rig, answer: int) -> CutOff:
        """Let the driver hear only so many answers, and take it away at the next."""
        rig.needs_emulator()
        died, heard = asyncio.Event(), [0]

        def listen(data: bytes) -> bytes:
            heard[0] += 1
            if heard[0] <= answer:
                return data
            died.set()
            return b""

        async def arm() -> None:
            rig.line.noise = listen

        async with rig.connected() as driver:
            rig.needs_line()
            cut = CutOff(Slip.new(LINES), rig.run(on_commit=arm))
            printing = asyncio.ensure_future(self.printed(rig, driver, cut.slip, cut.run))
            death = asyncio.ensure_future(died.wait())
            await asyncio.wait({printing, death}, return_when=asyncio.FIRST_COMPLETED)
            if not printing.done():
                printing.cancel()
            death.cancel()
            await asyncio.wait({printing, death})
            if not printing.cancelled():
                cut.result = printing.result()
        rig.line.noise = None
        return cut

    # --- and finding out -------------------------------------------------------------------------------------------

    async def _settled(self, rig: Rig, cut: CutOff) -> None:
        if cut.error is None and cut.result is not None:
            self._expect_done(rig, cut, await quiet_paper(rig))
            return
        if not cut.run.commits:
            expect(not cut.slip.found_on(await quiet_paper(rig)), "Lines were printed before the commit point.")
            return
        found = await self._reconciled(rig, cut)
        pieces = await quiet_paper(rig)
        cut.slip.expect_agrees(rig, found.effect, pieces, "reconcile")
        if found.effect == error_pb2.PHYSICAL_EFFECT_COMPLETE:
            self._expect_result(cut, found)
        expect(found.message.strip(), "A settlement must say in a sentence what was found.")
        next_slip = Slip.new(2)
        async with rig.connected() as driver:
            result = await self.printed(rig, driver, next_slip)
            after = await quiet_paper(rig)
        expect(
            cut.slip.found_on(after) == cut.slip.found_on(pieces), "More of the print came out after it was settled."
        )
        next_slip.expect_whole_on(rig, after, result)

    async def _reconciled(self, rig: Rig, cut: CutOff) -> Settlement:
        """Ask as the daemon does: again when the device is lost once more, and not for ever."""
        for _ in range(3):
            async with rig.connected() as driver:
                try:
                    found = await rig.within(SETTLE_SECONDS, "reconcile", driver.reconcile(cut.question(rig)))
                except DeviceFault:
                    continue
            if not isinstance(found, Settlement):
                raise RequirementBroken(f"`reconcile` gives a Settlement; got {type(found).__name__}.")
            return found
        pytest.skip("the printer could not be asked")

    @staticmethod
    def _expect_result(cut: CutOff, found: Settlement) -> None:
        result, total = found.result, len(cut.slip.receipt.blocks)
        expect(isinstance(result, PrintResult), "A settlement that says COMPLETE must bring the PrintResult.")
        assert isinstance(result, PrintResult)
        expect(result.blocks == total, f"The result must count the {total} blocks of the receipt.")
        expect(result.confirmation, "The result must say how the print is known to have happened.")

    @staticmethod
    def _expect_done(rig: Rig, cut: CutOff, pieces: Any) -> None:
        """It was done, or said to be, before it could be cut off."""
        assert cut.result is not None
        cut.slip.expect_whole_on(rig, pieces, cut.result)
