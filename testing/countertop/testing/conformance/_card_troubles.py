"""Card printers in trouble: no cards, no ribbon or another one, an open cover, a jam, a stripe that is not written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.testing.conformance._card_making import CardMaking
from countertop.testing.conformance._cards import BinChange, Order, expect_agrees, has_no_bin, shelf
from countertop.testing.conformance._effect import stated_effect
from countertop.testing.conformance._requirement import expect, requirement
from countertop.testing.conformance._rig import Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.v1 import card_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import StripeData
from countertop.v1.device_pb2 import ResetDeviceRequest
from countertop.v1.error_pb2 import Reason

__all__ = ["CardTroubles"]

STRIPE_FAULT = "stripe-write"
JAM_FAULTS = "jam"
OTHER_RIBBON = "K"


class CardTroubles(CardMaking):
    """The part of the suite that is about trouble that a person mends."""

    def expect_not_given_out(self, rig: Rig, error: CountertopError, change: BinChange) -> None:
        """A card that went wrong is with nobody; the report tells where it is."""
        away = change.taken if has_no_bin(self.has(rig)) else change.given_out
        expect(not away, f"A card that went wrong was given out; {change}.")
        if isinstance(error, DeviceFault) and self.has(rig).locates and change.used:
            expect(error.card is not None, "A fault with a card under way must come with a report of the card.")
            expect_agrees(self.has(rig), error.effect, error.card, change, "the fault")

    def _expect_true(self, rig: Rig, error: CountertopError, run: RecordingRun, change: BinChange) -> None:
        """What a failure says is what became of the cards."""
        report = error.card if isinstance(error, DeviceFault) else None
        expect_agrees(self.has(rig), stated_effect(error, run), report, change, "the fault")
        self.expect_not_given_out(rig, error, change)

    async def _trouble(
        self, rig: Rig, driver: Any, reason: Reason, on_commit: Callable[[], Awaitable[None]] | None = None
    ) -> tuple[BinChange, CountertopError, RecordingRun]:
        """Ask for a card that must fail for a reason; what became of the cards."""
        before, run = await shelf(rig), rig.run(on_commit=on_commit)
        name = Reason.Name(reason).removeprefix("REASON_")
        with rig.refuses(f"a card at {name}", reason) as raised:
            await self.issued(rig, driver, Order.new(self.has(rig)), run)
        change = before.until(await shelf(rig))
        self._expect_true(rig, raised[0], run, change)
        return change, raised[0], run

    async def _works_again(self, rig: Rig, driver: Any) -> None:
        """Put away what is inside, and make a card."""
        await rig.perform("reset", driver.reset(ResetDeviceRequest(), rig.run()))
        before = await shelf(rig)
        await self.issued(rig, driver, Order.new(self.has(rig), picture=False))
        change = before.until(await shelf(rig))
        expect(change.used == 1 and change.given_out == 1, f"Once it is mended, one order must be one card; {change}.")

    @requirement("C-20", "An empty supply is CARDS_OUT with the effect NONE.")
    async def test_c20_cards_out(self, rig: Rig) -> None:
        """And nothing is made of the order when cards are loaded."""
        async with rig.connected() as driver:
            await rig.hands.do("load_cards", empty=True)
            _, error, run = await self._trouble(rig, driver, error_pb2.REASON_CARDS_OUT)
            none = stated_effect(error, run) == error_pb2.PHYSICAL_EFFECT_NONE
            expect(none, "An empty supply must have the effect NONE: no card was touched.")
            await rig.hands.do("load_cards", count=5)
            await self._works_again(rig, driver)

    @requirement("C-21", "Without a ribbon it is RIBBON_OUT, and no card is given out.")
    async def test_c21_ribbon_out(self, rig: Rig) -> None:
        """Where the printer tells of its ribbon beforehand, no blank is used either."""
        async with rig.connected() as driver:
            self.needs(rig, "width")
            await rig.hands.do("load_ribbon", absent=True)
            change, _, _ = await self._trouble(rig, driver, error_pb2.REASON_RIBBON_OUT)
            sight = await driver.look()
            knows = any(supply.name == "ribbon" for supply in sight.consumables)
            expect(not (knows and change.used), "A blank was used although the printer had told that it has no ribbon.")
            await rig.hands.do("load_ribbon")
            await self._works_again(rig, driver)

    @requirement("C-22", "A ribbon that is not the one that the card was drawn for is RIBBON_WRONG.")
    async def test_c22_ribbon_wrong(self, rig: Rig) -> None:
        """It is changed at the commit point, when the driver has looked at it: a card without its colours or with half
        of them must not be given out.
        """

        async def change_ribbon() -> None:
            await rig.hands.do("load_ribbon", type=OTHER_RIBBON)

        async with rig.connected() as driver:
            self.needs(rig, "width", "color")
            await self._trouble(rig, driver, error_pb2.REASON_RIBBON_WRONG, change_ribbon)

    @requirement("C-23", "With an open cover it is COVER_OPEN, and no card is used.")
    async def test_c23_open_cover(self, rig: Rig) -> None:
        """The status says so, the order fails, and closing the cover makes no card of it."""
        async with rig.connected() as driver:
            await rig.hands.do("open_cover")
            status = await rig.within(10, "status", driver.status())
            stands = {c.reason for c in status.conditions if c.severity == device_pb2.SEVERITY_BLOCKING}
            expect(error_pb2.REASON_COVER_OPEN in stands, "The status must say COVER_OPEN, BLOCKING.")
            change, _, _ = await self._trouble(rig, driver, error_pb2.REASON_COVER_OPEN)
            expect(not change.used, "A blank was used although the cover was open.")
            await rig.hands.do("close_cover")
            await self._works_again(rig, driver)

    @requirement("C-24", "A cover that is opened when the work begins is COVER_OPEN, and no card is given out.")
    async def test_c24_cover_opens(self, rig: Rig) -> None:
        """It is opened at the first commit point; the effect that the fault states agrees with the cards, also when the
        cover is closed again.
        """

        async def open_cover() -> None:
            await rig.hands.do("open_cover")

        async with rig.connected() as driver:
            before = await shelf(rig)
            _, error, run = await self._trouble(rig, driver, error_pb2.REASON_COVER_OPEN, open_cover)
            await rig.hands.do("close_cover")
            change = before.until(await shelf(rig))
            none = stated_effect(error, run) == error_pb2.PHYSICAL_EFFECT_NONE
            expect(not none or not change.used, "A card that was not begun was made when the cover was closed.")
            await self._works_again(rig, driver)

    @requirement("C-25", "A card that sticks is CARD_JAMMED, and is never given out.")
    async def test_c25_jams(self, rig: Rig) -> None:
        """Wherever it sticks on the ways of an order. When it was taken out, the printer works. With the emulator's
        faults whose names begin with `jam`.
        """
        async with rig.connected() as driver:
            faults = (await rig.hands.do("list_faults")).faults
            names = [fault.name for fault in faults if fault.name.startswith(JAM_FAULTS)]
            jammed = [name for name in names if await self._jams(rig, driver, name)]
            if not jammed:
                pytest.skip("the emulator has no fault `jam...` on the way of an order")

    async def _jams(self, rig: Rig, driver: Any, fault: str) -> bool:
        """Have a card stick at one place; False when no order goes that way."""
        before, run = await shelf(rig), rig.run()
        await rig.hands.do("inject_fault", fault=fault, times=1)
        try:
            await self.issued(rig, driver, Order.new(self.has(rig), picture=False), run)
        except CountertopError as error:
            change = before.until(await shelf(rig))
            jam = error.reason == error_pb2.REASON_CARD_JAMMED
            expect(jam, f"A card that sticks ({fault}) must be CARD_JAMMED; got {error}.")
            self._expect_true(rig, error, run, change)
            await rig.hands.do("remove_jam")
            await self._works_again(rig, driver)
            return True
        finally:
            await rig.hands.do("clear_fault", fault=fault)
        return False

    @requirement("C-26", "A card whose stripe could not be written is never given out.")
    async def test_c26_stripe_fails(self, rig: Rig) -> None:
        """STRIPE_WRITE_FAILED; the card is put away, and the report says that its stripe FAILED. With the emulator's
        fault `stripe-write`.
        """
        async with rig.connected() as driver:
            self.needs(rig, "tracks", "stripe_verified")
            faults = {fault.name for fault in (await rig.hands.do("list_faults")).faults}
            if STRIPE_FAULT not in faults:
                pytest.skip(f"the emulator has no fault `{STRIPE_FAULT}`")
            await rig.hands.do("inject_fault", fault=STRIPE_FAULT, times=1)
            change, error, _ = await self._trouble(rig, driver, error_pb2.REASON_STRIPE_WRITE_FAILED)
            if self.has(rig).locates:
                report = error.card if isinstance(error, DeviceFault) else None
                failed = report is not None and report.stripe == card_pb2.CARD_WORK_FAILED
                expect(failed, "The report must say that the stripe FAILED.")
                expect(not change.inside, f"A card whose stripe failed must be put away; {change}.")
            await self._works_again(rig, driver)

    @requirement("C-27", "A blank that is not what was asked for is WRONG_BLANK, and is put away.")
    async def test_c27_wrong_blank(self, rig: Rig) -> None:
        """Blanks that bear a stripe already are loaded, and one with an empty stripe is asked for; nothing may be
        written to the wrong one.
        """
        async with rig.connected() as driver:
            self.needs(rig, "tracks")
            self.needs_steps(rig)
            await rig.hands.do("load_cards", empty=True, count=5, stripe=StripeData(track2="1234=5678"))
            before = await shelf(rig)
            order = Order.new(self.has(rig))
            order.request.blank.stripe_blank = True
            with rig.refuses("a card made of a wrong blank", error_pb2.REASON_WRONG_BLANK) as raised:
                await self.issued(rig, driver, order)
            change, card = before.until(await shelf(rig)), (await rig.outputs())[-1]
        self.expect_not_given_out(rig, raised[0], change)
        expect(not change.inside, f"A wrong blank must be put away; {change}.")
        expect("1234=5678" in card.text, "Something was written to a blank that was the wrong one.")
