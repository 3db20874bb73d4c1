"""Cards that are cut off: the line breaks, the host dies, the power fails; and what the driver finds out then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from countertop.sdk.device import Settlement, Unsettled
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.testing.conformance._card_making import CardMaking
from countertop.testing.conformance._cards import BinChange, Order, Shelf, bears_stripe, expect_agrees, shelf
from countertop.testing.conformance._effect import stated_effect
from countertop.testing.conformance._requirement import RequirementBroken, expect, requirement
from countertop.testing.conformance._rig import Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.v1 import card_pb2, error_pb2
from countertop.v1.card_printer_pb2 import IssueCardResult
from countertop.v1.device_pb2 import ResetDeviceRequest
from countertop.v1.operation_pb2 import Operation, Progress

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["CardsCutOff"]

SETTLE_SECONDS = 30.0
"""What the daemon gives a driver to find out."""
WHOLE = 1000
PARTS = 2


@dataclass(slots=True)
class CutOff:
    """A card whose making was cut off."""

    order: Order
    run: RecordingRun
    before: Shelf
    error: CountertopError | None = None
    """As the driver told it; None when it never came to tell."""
    result: IssueCardResult | None = None
    """It was done before it could be cut off."""

    def question(self, rig: Rig) -> Unsettled:
        """As the daemon asks for it."""
        done, total, unit = self.run.steps[-1] if self.run.steps else (0, 0, "")
        operation = Operation(id=self.run.operation_id, progress=Progress(done=done, total=total, unit=unit))
        settling = rig.run(operation_id=self.run.operation_id)
        return Unsettled("issue_card", operation, self.run.commits[-1][1], settling.commit_point)


class CardsCutOff(CardMaking):
    """The part of the suite that is about cards whose end the driver does not see."""

    _wire: tuple[list[int], int] | None = None
    """The sizes of the messages to the printer for a card, and how many answers come, once they were counted."""

    @staticmethod
    def places() -> SearchStrategy[tuple[int, int]]:
        """At which thousandth of the messages to the printer, and at which byte of that message: 0 for its first, 1 for
        one in its middle, 2 for its last.
        """
        from hypothesis import strategies as st

        return st.tuples(st.integers(0, WHOLE), st.integers(0, PARTS))

    @staticmethod
    def answers() -> SearchStrategy[int]:
        """At which thousandth of the printer's answers."""
        from hypothesis import strategies as st

        return st.integers(0, WHOLE)

    @requirement(
        "C-28",
        "A line that breaks at any byte is a typed fault, and its effect agrees with the cards.",
        given=lambda suite: suite.places(),
    )
    async def test_c28_line_breaks(self, rig: Rig, place: tuple[int, int]) -> None:
        """Within some message to the printer the link breaks. Where the fault states NONE no blank was used, where it
        states PARTIAL the card was not given out; UNKNOWN is always right, and the daemon then asks `reconcile`.
        """
        cut = await self._line_cut(rig, place)
        change = cut.before.until(await shelf(rig))
        if cut.error is None:
            expect(change.given_out == 1, f"A card that is said to be made must be given out; {change}.")
            return
        expect_agrees(self.has(rig), stated_effect(cut.error, cut.run), None, change, "the fault")

    @requirement(
        "C-29",
        "After a line that broke at any byte, `reconcile` finds the card.",
        given=lambda suite: suite.places(),
    )
    async def test_c29_line_settled(self, rig: Rig, place: tuple[int, int]) -> None:
        """A fresh driver is asked what became of the card. COMPLETE only when it was given out as ordered, NONE only
        when no blank was used, PARTIAL only when it is with nobody; UNKNOWN when it cannot tell. Where it says that the
        card is, it is. No second card is made, and the next order is one card.
        """
        await self._settled(rig, await self._line_cut(rig, place))

    @requirement(
        "C-30",
        "After a host that died at any answer, `reconcile` finds the card.",
        given=lambda suite: suite.answers(),
    )
    async def test_c30_host_died(self, rig: Rig, answer: int) -> None:
        """The driver is gone in the middle of the work, as after `kill -9`, and the printer does what it was told. As
        in C-29.
        """
        await self._settled(rig, await self._host_dies(rig, answer))

    @requirement(
        "C-32",
        "After a power failure at any byte, `reconcile` finds the card.",
        given=lambda suite: suite.places(),
    )
    async def test_c32_power_failed(self, rig: Rig, place: tuple[int, int]) -> None:
        """The printer loses what it holds in memory, and its card stays where it is. As in C-29."""

        async def unplug() -> None:
            await rig.hands.do("unplug")

        cut = await self._line_cut(rig, place, unplug)
        await rig.hands.do("replug")
        await self._settled(rig, cut)

    # --- cutting off -----------------------------------------------------------------------------------------------

    async def _line_cut(self, rig: Rig, place: tuple[int, int], then: Callable[[], Any] | None = None) -> CutOff:
        """Break the line within a message to the printer."""
        rig.needs_emulator()
        self._wire = self._wire or await self._measured(rig)
        sizes = self._wire[0]
        number = min(len(sizes) - 1, len(sizes) * place[0] // WHOLE)
        within = (sizes[number] - 1) * place[1] // PARTS
        left = sum(sizes[:number]) + within

        async def arm() -> None:
            if not cut.run.commits:
                rig.line.break_after = left

        async with rig.connected() as driver:
            cut = CutOff(Order.new(self.has(rig)), rig.run(on_commit=arm), await shelf(rig))
            try:
                cut.result = await self.issued(rig, driver, cut.order, cut.run)
            except CountertopError as error:
                expect(isinstance(error, DeviceFault), f"A line that breaks is a DeviceFault; got {error}.")
                cut.error = error
            finally:
                rig.line.break_after = None
            if then is not None:
                await then()
        return cut

    async def _measured(self, rig: Rig) -> tuple[list[int], int]:
        """Make one card: the sizes of the messages from the commit point on, and how many answers came."""
        sent, heard = [0], [0]
        run = rig.run()

        async def begin() -> None:
            if not run.commits:
                sent[0], heard[0] = len(rig.line.sent), len(rig.line.received)

        run = rig.run(on_commit=begin)
        async with rig.connected() as driver:
            rig.needs_line()
            await self.issued(rig, driver, Order.new(self.has(rig)), run)
            sizes = [len(data) for data in rig.line.sent[sent[0] :] if data]
            answers = len(rig.line.received) - heard[0]
        expect(sizes, "Making a card must send something after its commit point.")
        return sizes, answers

    async def _host_dies(self, rig: Rig, answer: int) -> CutOff:
        """Let the driver hear only so many answers, and take it away at the next."""
        rig.needs_emulator()
        self._wire = self._wire or await self._measured(rig)
        died, left = asyncio.Event(), self._wire[1] * answer // WHOLE

        def listen(data: bytes) -> bytes:
            nonlocal left
            left -= 1
            if left >= 0:
                return data
            died.set()
            return b""

        async def arm() -> None:
            rig.line.noise = listen

        async with rig.connected() as driver:
            cut = CutOff(Order.new(self.has(rig)), rig.run(on_commit=arm), await shelf(rig))
            making = asyncio.ensure_future(self.issued(rig, driver, cut.order, cut.run))
            death = asyncio.ensure_future(died.wait())
            await asyncio.wait({making, death}, return_when=asyncio.FIRST_COMPLETED)
            if not making.done():
                making.cancel()
            death.cancel()
            await asyncio.wait({making, death})
            if not making.cancelled():
                cut.result = making.result()
        rig.line.noise = None
        return cut

    # --- and finding out -------------------------------------------------------------------------------------------

    async def _settled(self, rig: Rig, cut: CutOff) -> None:
        if cut.result is not None:
            change = cut.before.until(await shelf(rig))
            expect(change.given_out == 1, f"A card that is said to be made must be given out; {change}.")
            return
        if not cut.run.commits:
            expect(not cut.before.until(await shelf(rig)).used, "A blank was used before the commit point.")
            return
        found = await self._reconciled(rig, cut)
        change = cut.before.until(await shelf(rig))
        expect_agrees(self.has(rig), found.effect, found.card, change, "reconcile")
        expect(found.message.strip(), "A settlement must say in a sentence what was found.")
        await self._expect_accounted(rig, cut, found, change)
        async with rig.connected() as driver:
            await rig.perform("reset", driver.reset(ResetDeviceRequest(), rig.run()))
            before = await shelf(rig)
            await self.issued(rig, driver, Order.new(self.has(rig), picture=False))
            change = before.until(await shelf(rig))
        expect(change.used == 1 and change.given_out == 1, f"Afterwards one order must be one card; {change}.")

    async def _expect_accounted(self, rig: Rig, cut: CutOff, found: Settlement, change: BinChange) -> None:
        """A finished card is as ordered, and none is left inside that nobody was told of."""
        if found.effect == error_pb2.PHYSICAL_EFFECT_COMPLETE:
            expect(isinstance(found.result, IssueCardResult), "A settlement that says COMPLETE must bring the result.")
            card = (await rig.outputs())[-1]
            ordered = not cut.order.token or bears_stripe(card, cut.order.token)
            expect(ordered, "A card that is said to be made as ordered bears another stripe.")
        if change.inside and self.has(rig).locates:
            places = (card_pb2.CARD_PLACE_UNSPECIFIED, card_pb2.CARD_PLACE_NONE)
            told = found.card is not None and found.card.place not in places
            expect(told, "A card is inside or at the exit, and the settlement does not tell of it.")

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
