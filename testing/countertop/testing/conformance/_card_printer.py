"""What every driver of a card printer must do."""

from __future__ import annotations

import asyncio
from typing import Any

from countertop.sdk.cards import CardPrinter
from countertop.sdk.device import Unsettled
from countertop.sdk.errors import CountertopError
from countertop.testing.conformance._card_cut_off import CardsCutOff
from countertop.testing.conformance._card_handling import CardHandling
from countertop.testing.conformance._card_troubles import CardTroubles
from countertop.testing.conformance._cards import Order, bears_stripe, is_printed, shelf
from countertop.testing.conformance._requirement import expect, requirement
from countertop.testing.conformance._rig import Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.v1 import card_pb2, device_pb2, error_pb2
from countertop.v1.card_design_pb2 import CardBox, CardElement, CardText
from countertop.v1.card_pb2 import CardMoved
from countertop.v1.card_printer_pb2 import IssueCardResult
from countertop.v1.operation_pb2 import Operation

__all__ = ["CardPrinterConformance"]

DONE = card_pb2.CARD_WORK_DONE


class CardPrinterConformance(CardHandling, CardTroubles, CardsCutOff):
    """The suite for card printers.

    By custom an emulator's faults that begin with `jam` make a card stick, and its fault `stripe-write` has a stripe
    not written; where there is none of that name, what needs it is skipped.
    """

    kind = device_pb2.DEVICE_KIND_CARD_PRINTER
    base = CardPrinter
    capabilities = "card_printer"
    canaries = ("KANARIENVOGEL", "4711081547110815", "Kanarienvogel 4711")

    async def use(self, rig: Rig, driver: Any, run: RecordingRun) -> IssueCardResult:
        """Make a card with a customer's name and number, and have it taken."""
        order = Order.new(self.has(rig))
        name = CardElement(
            box=CardBox(x_mm=10, y_mm=38, width_mm=60, height_mm=8), text=CardText(text=self.canaries[2])
        )
        if order.request.HasField("artwork"):
            order.request.artwork.design.front.elements.append(name)
        tracks = {f"track{number}": self.canaries[0 if number == 1 else 1] for number in self.has(rig).tracks}
        for track, text in tracks.items():
            setattr(order.request.stripe, track, text)
        return await self.issued(rig, driver, order, run)

    # --- one card --------------------------------------------------------------------------------------------------

    @requirement("C-01", "One order is one card, made as asked and given out.")
    async def test_c01_one_card(self, rig: Rig) -> None:
        """One blank leaves the supply and one card is with the customer or in the output hopper, with the stripe and
        the picture that were asked for. The report says the same, and the movements that are told come to it: the
        daemon's inventory is made of them.
        """
        async with rig.connected() as driver:
            order, run = Order.new(self.has(rig)), rig.run()
            before = await shelf(rig) if rig.emulator is not None else None
            result = await self.issued(rig, driver, order, run)
            self._expect_report(rig, order, result, run)
            if before is None:
                await rig.saw("Did one card come out, with a black block on its front?")
                return
            change = before.until(await shelf(rig))
            card = (await rig.outputs())[-1]
        expect(change.used == 1 and change.given_out == 1, f"One order must be one blank and one card; {change}.")
        expect(not order.token or bears_stripe(card, order.token), "The stripe must hold what was asked for.")
        if order.request.HasField("artwork"):
            expect(is_printed(card), "The picture that was asked for must be on the card's front.")

    def _expect_report(self, rig: Rig, order: Order, result: IssueCardResult, run: RecordingRun) -> None:
        report, has = result.card, self.has(rig)
        place = card_pb2.CARD_PLACE_TAKEN if has.exit else card_pb2.CARD_PLACE_OUTPUT
        expect(report.place == place, f"The report must have the card {card_pb2.CardPlace.Name(place)}.")
        expect(report.fed, "The report must say that a blank was used.")
        if order.request.HasField("artwork"):
            expect(report.front == DONE, "The report must say that the front is printed.")
        if order.token and has.stripe_verified:
            expect(report.stripe == DONE, "The report must say that the stripe is written.")
        movements = [event.movement for event in run.events if isinstance(event, CardMoved)]
        fed = movements.count(card_pb2.CARD_MOVEMENT_FED)
        expect(fed == 1, f"CardMoved must tell once that the card was fed; told {fed} times.")
        last = card_pb2.CARD_MOVEMENT_TAKEN if has.exit else card_pb2.CARD_MOVEMENT_EJECTED
        expect(movements[-1] == last, f"The last CardMoved must be {card_pb2.CardMovement.Name(last)}.")

    @requirement("C-02", "Two orders are two cards, each with its own stripe.")
    async def test_c02_two_cards(self, rig: Rig) -> None:
        """A card with another customer's number is the worst that a card printer can do: after two orders there are two
        cards, and the stripes are on them in the order of the orders.
        """
        async with rig.connected() as driver:
            self.needs(rig, "tracks")
            before = await shelf(rig)
            orders = [Order.new(self.has(rig), picture=False) for _ in range(2)]
            for order in orders:
                await self.issued(rig, driver, order)
            change = before.until(await shelf(rig))
            cards = (await rig.outputs())[-2:]
        expect(change.used == 2 and change.given_out == 2, f"Two orders must be two cards; {change}.")
        for order, card in zip(orders, cards, strict=True):
            expect(bears_stripe(card, order.token), "A card bears the stripe of another order.")

    @requirement("C-03", "The capabilities are a printer that can be.")
    async def test_c03_capabilities(self, rig: Rig) -> None:
        """A canvas with its resolution, tracks of 1, 2 and 3, units with different names, a supply, a way out; and what
        `look` tells of the units is told of the same ones.
        """
        async with rig.connected() as driver:
            has, sight = self.has(rig), await rig.within(10, "look", driver.look())
        expect(has.width or has.tracks or has.contact, "A card printer must print, or write stripes or chips.")
        expect(bool(has.width) == bool(has.height) == bool(has.dpi), "A canvas has a width, a height and a resolution.")
        expect(set(has.tracks) <= {1, 2, 3}, "A stripe has the tracks 1 to 3.")
        names, kinds = [unit.name for unit in has.units], {unit.kind for unit in has.units}
        expect(len(set(names)) == len(names) and all(names), "The units must have names of their own.")
        expect(card_pb2.CARD_UNIT_KIND_SUPPLY in kinds or has.accepts, "Cards must come from somewhere.")
        expect(has.exit or card_pb2.CARD_UNIT_KIND_OUTPUT in kinds, "Cards must go somewhere.")
        expect(has.exit or not has.accepts, "Cards can be taken in only at an exit.")
        seen = {unit.name for unit in sight.units}
        expect(seen <= set(names), "`look` tells of units that the printer does not have.")
        expect(sight.place or not has.locates, "A printer that locates its card must tell where it is, if it is.")

    # --- commit points ---------------------------------------------------------------------------------------------

    @requirement("C-04", "The commit point comes before any card moves.")
    async def test_c04_commit_first(self, rig: Rig) -> None:
        """At the first commit point every card is still where it was: else a crash in between loses one that nobody
        knows of.
        """
        seen: list[Any] = []

        async def look() -> None:
            if not seen:
                seen.append(await shelf(rig))

        async with rig.connected() as driver:
            before = await shelf(rig)
            await self.issued(rig, driver, Order.new(self.has(rig)), rig.run(on_commit=look))
        expect(seen, "Making a card must pass a commit point.")
        change = before.until(seen[0])
        expect(not change.used and not change.given_out, f"Cards had moved when the first commit point came; {change}.")

    @requirement("C-05", "Each stage of a card has a commit point before it.")
    async def test_c05_each_stage(self, rig: Rig) -> None:
        """What has been done to a card that is found after a crash is told from the last commit point. So there is one
        with the blank inside and its stripe not written, one with the stripe written and nothing printed, and one
        before the finished card is given out.
        """
        seen: list[tuple[bool, bool, bool, int]] = []
        async with rig.connected() as driver:
            self.needs_steps(rig)
            before, order = await shelf(rig), Order.new(self.has(rig))

            async def look() -> None:
                change, cards = before.until(await shelf(rig)), await rig.outputs()
                card = cards[-1] if change.used else None
                written = card is not None and bears_stripe(card, order.token)
                seen.append((card is not None, written, card is not None and is_printed(card), change.given_out))

            await self.issued(rig, driver, order, rig.run(on_commit=look))
        stripe, picture = bool(order.token), order.request.HasField("artwork")
        wanted = [(True, stripe, picture, 0)]
        wanted += [(True, False, False, 0)] if stripe else []
        wanted += [(True, stripe, False, 0)] if picture else []
        for state in wanted:
            told = f"fed {state[0]}, stripe written {state[1]}, printed {state[2]}, given out {state[3]}"
            expect(state in seen, f"A commit point is missing at: {told}.")

    @requirement("C-06", "A first commit point that cannot be kept uses no card.")
    async def test_c06_journal_failed(self, rig: Rig) -> None:
        """`commit_point` raises JOURNAL_FAILED: the driver passes it on, no blank is used, the next card is made."""

        async def fail() -> None:
            raise CountertopError(error_pb2.REASON_JOURNAL_FAILED)

        async with rig.connected() as driver:
            before = await shelf(rig)
            with rig.refuses("a card whose commit point fails", error_pb2.REASON_JOURNAL_FAILED):
                await self.issued(rig, driver, Order.new(self.has(rig)), rig.run(on_commit=fail))
            change = before.until(await shelf(rig))
            expect(not change.used, "A blank was used although the commit point had failed.")
            await self.issued(rig, driver, Order.new(self.has(rig)))

    @requirement("C-07", "A later commit point that cannot be kept never gives the card out.")
    async def test_c07_journal_failed_later(self, rig: Rig) -> None:
        """Whichever of the commit points fails: the operation ends with an error, and a card that is under way is not
        given to the customer; its report says where it is.
        """
        async with rig.connected() as driver:
            self.needs_steps(rig)
            run = rig.run()
            await self.issued(rig, driver, Order.new(self.has(rig)), run)
            for number in range(1, len(run.commits)):
                await self._failing_commit(rig, driver, number)

    async def _failing_commit(self, rig: Rig, driver: Any, number: int) -> None:
        left = [number]

        async def fail() -> None:
            left[0] -= 1
            if left[0] == -1:
                raise CountertopError(error_pb2.REASON_JOURNAL_FAILED)

        before = await shelf(rig)
        with rig.refuses("a card whose commit point fails", error_pb2.REASON_JOURNAL_FAILED) as raised:
            await self.issued(rig, driver, Order.new(self.has(rig)), rig.run(on_commit=fail))
        self.expect_not_given_out(rig, raised[0], before.until(await shelf(rig)))

    @requirement("C-08", "Cancelled at the commit point, no card is used.")
    async def test_c08_cancelled(self, rig: Rig) -> None:
        """An app that gives up before the commit point has its word; the next card is made as if nothing had been."""
        reached = asyncio.Event()

        async def wait_for_ever() -> None:
            reached.set()
            await asyncio.Event().wait()

        async with rig.connected() as driver:
            before = await shelf(rig)
            run = rig.run(on_commit=wait_for_ever)
            task = asyncio.ensure_future(self.issued(rig, driver, Order.new(self.has(rig)), run))
            waiting = asyncio.ensure_future(reached.wait())
            await asyncio.wait({task, waiting}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
            expect(reached.is_set(), "Making a card must come to a commit point.")
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=3)
            expect(done, "A cancelled card must end within 3 s.")
            change = before.until(await shelf(rig))
            expect(not change.used, "A blank was used for a card that was cancelled before.")
            await self.issued(rig, driver, Order.new(self.has(rig)))
            change = before.until(await shelf(rig))
        expect(change.used == 1 and change.given_out == 1, f"The next order must be one card; {change}.")

    @requirement("C-31", "Of a card that it knows nothing of, the driver does not claim what became of it.")
    async def test_c31_unknown_evidence(self, rig: Rig) -> None:
        """The journal may hold evidence of an older driver, or none: `reconcile` says UNKNOWN, and moves no card."""
        async with rig.connected() as driver:
            before = await shelf(rig) if rig.emulator is not None else None
            operation = Operation(id="conformance-unknown")
            for evidence in ({}, {"written by": "another driver"}):
                question = Unsettled("issue_card", operation, evidence, rig.run().commit_point)
                found = await rig.within(30, "reconcile", driver.reconcile(question))
                unknown = found.effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN
                expect(unknown, "What became of a card without evidence is UNKNOWN.")
            if before is not None:
                change = before.until(await shelf(rig))
                expect(not change.used and not change.given_out, f"Asking what became of a card moved one; {change}.")
