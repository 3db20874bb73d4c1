"""Cards that are moved, held, presented, taken, left, kept back, and read."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from countertop.sdk.errors import DeviceFault
from countertop.testing.conformance._card_making import CardMaking
from countertop.testing.conformance._cards import DESIGN, Order, shelf
from countertop.testing.conformance._requirement import RequirementBroken, expect, requirement
from countertop.testing.conformance._rig import REPLY_SECONDS, Rig
from countertop.v1 import card_pb2, card_printer_pb2, error_pb2
from countertop.v1.card_pb2 import CardMoved, CardPlace, StripeData
from countertop.v1.card_printer_pb2 import EncodeStripeRequest, IssueCardRequest, ReadStripeRequest
from countertop.v1.device_pb2 import ResetDeviceRequest

__all__ = ["CardHandling"]

TRACKS = {1: "B9999012345678901^SHI/YANG^31121010000000000", 2: "9999012345678901=31121010000000000", 3: "0199012345"}
NONE, PRINT, EXIT = card_pb2.CARD_PLACE_NONE, card_pb2.CARD_PLACE_PRINT, card_pb2.CARD_PLACE_EXIT


def _named(place: CardPlace) -> str:
    return CardPlace.Name(place).removeprefix("CARD_PLACE_")


class CardHandling(CardMaking):
    """The part of the suite that is about single steps."""

    @requirement("C-09", "What was written to a stripe is read back alike.")
    async def test_c09_stripe(self, rig: Rig) -> None:
        """Every track that the printer has is written to a card that stays inside, and read again; a track that is not
        asked for is not told.
        """
        async with rig.connected() as driver:
            self.needs(rig, "tracks")
            self.needs_steps(rig)
            tracks = list(self.has(rig).tracks)
            stripe = StripeData(**{f"track{number}": TRACKS[number] for number in tracks})
            encode = EncodeStripeRequest(stripe=stripe, source=card_printer_pb2.CARD_SOURCE_SUPPLY)
            result = await rig.perform("encode_stripe", driver.encode_stripe(encode, rig.run()))
            expect(result.card.stripe == card_pb2.CARD_WORK_DONE, "The report must say that the stripe is written.")
            found = await rig.perform("read_stripe", driver.read_stripe(ReadStripeRequest(), rig.run()))
            only = await rig.perform("read_stripe", driver.read_stripe(ReadStripeRequest(tracks=tracks[:1]), rig.run()))
            await self.moved(rig, driver, move=card_printer_pb2.CARD_MOVE_REJECT)
        for number in tracks:
            state, alike = found.states[number - 1], getattr(found.stripe, f"track{number}") == TRACKS[number]
            expect(alike, f"Track {number} must be read as it was written.")
            expect(state == card_printer_pb2.TRACK_STATE_READ, f"Track {number} must be told as READ.")
        for number in tracks[1:]:
            expect(not getattr(only.stripe, f"track{number}"), f"Track {number} was not asked for, and is told.")

    @requirement("C-10", "`look` tells truly where the card is after every movement.")
    async def test_c10_places(self, rig: Rig) -> None:
        """The search for a card after a crash rests on this. A blank is fed and moved to every station that the printer
        has; at the exit it is within reach of a hand, and gone once it was taken.
        """
        async with rig.connected() as driver:
            self.needs(rig, "locates")
            self.needs_steps(rig)
            has = self.has(rig)
            await self._look_says(rig, driver, NONE, "nothing has moved")
            await rig.perform("feed", driver.feed(""))
            await self._look_says(rig, driver, PRINT, "a blank was fed")
            stations = {"contact": card_pb2.CARD_PLACE_CONTACT, "contactless": card_pb2.CARD_PLACE_CONTACTLESS}
            for place in (*(place for name, place in stations.items() if getattr(has, name)), PRINT):
                await rig.perform("move", driver.move(place))
                await self._look_says(rig, driver, place, f"it was moved to {_named(place)}")
            if has.exit:
                await self.customer_leaves(rig)
                await rig.perform("move", driver.move(EXIT))
                await self._look_says(rig, driver, EXIT, "it was moved to the exit")
                taken = await rig.hands.do("take_card")
                expect(rig.emulator is None or taken.taken, "At the exit a hand must reach the card.")
            else:
                await rig.perform("move", driver.move(card_pb2.CARD_PLACE_OUTPUT))
            await self._look_says(rig, driver, NONE, "the card has left")
            await rig.perform("feed", driver.feed(""))
            await rig.perform("move", driver.move(driver.bin()))
            await self._look_says(rig, driver, NONE, "it was put away")

    @staticmethod
    async def _look_says(rig: Rig, driver: Any, place: CardPlace, when: str) -> None:
        sight = await rig.within(REPLY_SECONDS, "look", driver.look())
        expect(sight.place == place, f"When {when}, `look` must say {_named(place)}; got {_named(sight.place)}.")

    @requirement("C-11", "The count of fed cards grows by one with each blank, and with nothing else.")
    async def test_c11_fed(self, rig: Rig) -> None:
        """It tells after a crash whether a blank was used. It goes on over connections; printers that do not count give
        None.
        """
        async with rig.connected() as driver:
            self.needs_steps(rig)
            first = (await driver.look()).fed
            if first is None:
                pytest.skip("the printer does not count its cards")
            await rig.perform("feed", driver.feed(""))
            fed = (await driver.look()).fed
            expect(fed == first + 1, f"Feeding a blank must count one; the count went from {first} to {fed}.")
            await rig.perform("move", driver.move(driver.bin()))
            expect((await driver.look()).fed == fed, "Moving a card must not count as feeding one.")
        async with rig.connected() as driver:
            expect((await driver.look()).fed == fed, "The count must outlive the connection.")

    @requirement("C-12", "What the printer lacks is refused before a card is used.")
    async def test_c12_lacking(self, rig: Rig) -> None:
        """NOT_SUPPORTED for a delivery, a side, a station or a movement that the capabilities do not have: an app must
        be able to trust them, and a customer's blank must not be spoilt for it.
        """
        async with rig.connected() as driver:
            before = await shelf(rig) if rig.emulator is not None else None
            has = self.has(rig)
            issues, moves = _unsupported(driver)
            for request in issues:
                with rig.refuses("a card that the printer cannot make", error_pb2.REASON_NOT_SUPPORTED):
                    await rig.perform("issue_card", driver.issue_card(request, rig.run()))
            for move in moves:
                with rig.refuses("a movement that the printer cannot do", error_pb2.REASON_NOT_SUPPORTED):
                    await self.moved(rig, driver, move=move)
            if not has.tracks:
                with rig.refuses("reading a stripe without a station", error_pb2.REASON_NOT_SUPPORTED):
                    await rig.perform("read_stripe", driver.read_stripe(ReadStripeRequest(), rig.run()))
            if before is not None:
                expect(not before.until(await shelf(rig)).used, "A blank was used for a card that was refused.")

    @requirement("C-13", "A card that is inside or at the exit is never joined by another blank.")
    async def test_c13_occupied(self, rig: Rig) -> None:
        """Two cards in a printer jam, and two customers' cards get mixed up: with a card inside an order fails with
        CARD_INSIDE, with one at the exit with CARD_AT_EXIT; both use no blank.
        """
        async with rig.connected() as driver:
            self.needs_steps(rig)
            before = await shelf(rig)
            await self.moved(rig, driver, move=card_printer_pb2.CARD_MOVE_FEED)
            with rig.refuses("a card for a printer with a card inside", error_pb2.REASON_CARD_INSIDE):
                await self.issued(rig, driver, Order.new(self.has(rig)))
            if self.has(rig).exit:
                await self.customer_leaves(rig)
                await self.moved(rig, driver, move=card_printer_pb2.CARD_MOVE_PRESENT)
                with rig.refuses("a card for a printer with one at its exit", error_pb2.REASON_CARD_AT_EXIT):
                    await self.issued(rig, driver, Order.new(self.has(rig)))
            await self.moved(rig, driver, move=card_printer_pb2.CARD_MOVE_RETAIN)
            change = before.until(await shelf(rig))
        expect(change.used == 1, f"One blank was fed by hand, and none may have joined it; {change}.")

    @requirement("C-14", "A card that is presented is taken, and that is told.")
    async def test_c14_taken(self, rig: Rig) -> None:
        """The operation asks for the card to be taken, sees that it is, and says PRESENTED and TAKEN; with a real
        printer a person takes it.
        """
        async with rig.connected() as driver:
            self.needs(rig, "exit")
            self.needs_steps(rig)
            await self.customer_leaves(rig)  # only the hand that the prompt asks for takes it
            run = rig.run()
            result = await self.issued(rig, driver, Order.new(self.has(rig), picture=False), run)
        expect(result.card.place == card_pb2.CARD_PLACE_TAKEN, "The report must say that the card was taken.")
        movements = [event.movement for event in run.events if isinstance(event, CardMoved)]
        ends = [card_pb2.CARD_MOVEMENT_PRESENTED, card_pb2.CARD_MOVEMENT_TAKEN]
        expect(movements[-2:] == ends, "CardMoved must tell that it was presented, and then that it was taken.")

    @requirement("C-15", "A card that nobody takes is kept back, or stays where it is, as was asked.")
    async def test_c15_left(self, rig: Rig) -> None:
        """The operation fails with CARD_NOT_TAKEN. By default the card is then in the retain bin and out of reach; with
        LEAVE it is at the exit, the status says CARD_AT_EXIT, and that it was taken later is told.
        """
        async with rig.connected() as driver:
            self.needs(rig, "exit")
            self.needs_steps(rig)
            rig.needs_emulator()
            await self.customer_leaves(rig)
            before = await shelf(rig)
            place = await self._left(rig, driver, card_printer_pb2.NOT_TAKEN_RETAIN)
            change = before.until(await shelf(rig))
            expect(change.retained == 1 and not change.taken, f"A card that nobody takes must be kept back; {change}.")
            expect(place == card_pb2.CARD_PLACE_RETAIN_BIN, "The report must have the card in the retain bin.")
            place = await self._left(rig, driver, card_printer_pb2.NOT_TAKEN_LEAVE)
            expect(place == EXIT, "The report must have the card at the exit.")
            stands = {condition.reason for condition in (await driver.status()).conditions}
            expect(error_pb2.REASON_CARD_AT_EXIT in stands, "The status must say CARD_AT_EXIT.")
            expect((await rig.hands.do("take_card")).taken, "A card that was left must lie at the exit.")
            told = (await driver.status()).card
            expect(told.movement == card_pb2.CARD_MOVEMENT_TAKEN, "That the card was taken later must be told.")

    async def _left(self, rig: Rig, driver: Any, if_not_taken: card_printer_pb2.NotTaken) -> CardPlace:
        """Make a card that nobody takes; where the fault says that it is."""
        order = Order.new(self.has(rig), picture=False)
        order.request.if_not_taken = if_not_taken
        order.request.take_within.FromMilliseconds(300)
        issuing = driver.issue_card(order.request, rig.run())
        with rig.refuses("a card that nobody takes", error_pb2.REASON_CARD_NOT_TAKEN) as raised:
            await rig.perform("issue_card", issuing)
        fault = raised[0]
        if not isinstance(fault, DeviceFault) or fault.card is None:
            raise RequirementBroken("CARD_NOT_TAKEN must come with a report of the card.")
        return fault.card.place

    @requirement("C-16", "A card that is retained or rejected is out of reach.")
    async def test_c16_retained(self, rig: Rig) -> None:
        """RETAIN and REJECT take a card from inside and from the exit to the bin; without a card they fail with
        NO_CARD_INSIDE.
        """
        async with rig.connected() as driver:
            self.needs_steps(rig)
            await self.customer_leaves(rig)
            before = await shelf(rig)
            moves = [(card_printer_pb2.CARD_MOVE_RETAIN, False), (card_printer_pb2.CARD_MOVE_REJECT, False)]
            moves += [(card_printer_pb2.CARD_MOVE_RETAIN, True)] if self.has(rig).exit else []
            for move, from_exit in moves:
                await self.moved(rig, driver, move=card_printer_pb2.CARD_MOVE_FEED)
                if from_exit:
                    await self.moved(rig, driver, move=card_printer_pb2.CARD_MOVE_PRESENT)
                result = await self.moved(rig, driver, move=move)
                expect(result.card.place == driver.bin(), "The report must have the card where it was put away.")
                if self.has(rig).locates:
                    await self._look_says(rig, driver, NONE, "it was put away")
            with rig.refuses("putting away no card", error_pb2.REASON_NO_CARD_INSIDE):
                await self.moved(rig, driver, move=card_printer_pb2.CARD_MOVE_RETAIN)
            change, to = before.until(await shelf(rig)), driver.bin()
        there = change.retained if to == card_pb2.CARD_PLACE_RETAIN_BIN else change.output
        expect(there == len(moves), f"Every card that was put away must be in the bin; {change}.")

    @requirement("C-17", "A card that a person puts in at the exit is taken in.")
    async def test_c17_accepted(self, rig: Rig) -> None:
        """ACCEPT waits for it, and then has it inside; nobody's blank is used."""
        async with rig.connected() as driver:
            self.needs(rig, "accepts")
            before = await shelf(rig) if rig.emulator is not None else None
            run = rig.run(timeout=20.0)
            pushes: list[asyncio.Future[Any]] = []
            run.on_prompt = lambda kind: pushes.append(asyncio.ensure_future(rig.hands.do("push_card")))
            result = await self.moved(rig, driver, run, move=card_printer_pb2.CARD_MOVE_ACCEPT)
            await asyncio.gather(*pushes)
            run.on_prompt = None
            inside = result.card.place == PRINT and not result.card.fed
            expect(inside, "A card that was put in is inside, and was not fed.")
            await self._look_says(rig, driver, PRINT, "a card was taken in")
            await self.moved(rig, driver, move=card_printer_pb2.CARD_MOVE_RETAIN)
            if before is not None:
                expect(not before.until(await shelf(rig)).used, "A blank was used for a card that was put in.")

    @requirement("C-18", "A reset puts away what is inside.")
    async def test_c18_reset(self, rig: Rig) -> None:
        """Whatever was left inside goes into the bin, never to a customer, and the next card is made."""
        async with rig.connected() as driver:
            self.needs_steps(rig)
            before = await shelf(rig)
            await rig.perform("feed", driver.feed(""))
            await rig.perform("reset", driver.reset(ResetDeviceRequest(), rig.run()))
            change = before.until(await shelf(rig))
            expect(not change.inside and not change.taken, f"A reset must put away the card that is inside; {change}.")
            await self.issued(rig, driver, Order.new(self.has(rig), picture=False))

    @requirement("C-19", "The chip of a card answers the app, in the middle of making the card.")
    async def test_c19_chip(self, rig: Rig) -> None:
        """The card is at the contacts, its answer to reset is told as ChipReady; when the app says that it is done, the
        card is finished and given out.
        """
        async with rig.connected() as driver:
            self.needs(rig, "contact")
            self.needs_steps(rig)
            order, run = Order.new(self.has(rig), picture=False), rig.run()
            order.request.chip.app.within.seconds = 10
            run.instructions.put_nowait(card_printer_pb2.EndOfExchange())
            result = await self.issued(rig, driver, order, run)
        ready = [event for event in run.events if isinstance(event, card_printer_pb2.ChipReady)]
        expect(ready and 2 <= len(ready[0].atr) <= 33, "ChipReady must tell the answer to reset, 2 to 33 bytes.")
        expect(result.card.chip == card_pb2.CARD_WORK_DONE, "The report must say that the chip is done.")


def _unsupported(driver: Any) -> tuple[list[IssueCardRequest], list[card_printer_pb2.CardMove]]:
    """Orders and movements that a printer with these capabilities cannot do."""
    has = driver.capabilities
    issues, moves = [], []
    if not has.exit:
        issues.append(IssueCardRequest(delivery=card_printer_pb2.CARD_DELIVERY_PRESENT))
        moves.append(card_printer_pb2.CARD_MOVE_PRESENT)
    if not driver.has_output:
        issues.append(IssueCardRequest(delivery=card_printer_pb2.CARD_DELIVERY_EJECT))
        moves.append(card_printer_pb2.CARD_MOVE_EJECT)
    if not has.tracks:
        issues.append(IssueCardRequest(stripe=StripeData(track2=TRACKS[2])))
    if not has.contact:
        issues.append(IssueCardRequest(blank=card_printer_pb2.BlankCheck(atr=b"\x3b\x00")))
        moves.append(card_printer_pb2.CARD_MOVE_CONTACT)
    if not has.contactless:
        moves.append(card_printer_pb2.CARD_MOVE_CONTACTLESS)
    if not has.accepts:
        moves.append(card_printer_pb2.CARD_MOVE_ACCEPT)
    if not has.duplex:
        two_sided = IssueCardRequest()
        two_sided.artwork.design.CopyFrom(DESIGN)
        two_sided.artwork.design.back.CopyFrom(DESIGN.front)
        issues.append(two_sided)
    if has.one_pass:
        issues.append(IssueCardRequest(delivery=card_printer_pb2.CARD_DELIVERY_HOLD))
        moves.append(card_printer_pb2.CARD_MOVE_FEED)
    return issues, moves
