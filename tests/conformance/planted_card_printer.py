"""Card printers' drivers that are broken on purpose, one in each way that the suite must find."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

from google.protobuf.message import Message

from countertop.drivers.evolis.driver import EvolisPrinter
from countertop.sdk.cards import CardImage, CardSight
from countertop.sdk.device import Evidence, Run, Settlement, Unsettled
from countertop.sdk.errors import CountertopError, DeviceFault, LinkFault
from countertop.testing.conformance import CardPrinterConformance
from countertop.v1 import card_pb2, card_printer_pb2, error_pb2
from countertop.v1.card_pb2 import CardMovement, CardPlace, CardReport, Coercivity, StripeData
from countertop.v1.card_printer_pb2 import IssueCardRequest, IssueCardResult, ReadStripeRequest, ReadStripeResult
from countertop.v1.device_pb2 import CardPrinterCapabilities, ResetDeviceRequest, ResetDeviceResult
from countertop.v1.error_pb2 import PhysicalEffect, Reason
from tests.conformance.planted import Planted
from tests.conformance.proxied_run import Defiant, Late, OnceOnly, Passed

__all__ = ["PLANTED"]

EXIT, BIN, NONE = card_pb2.CARD_PLACE_EXIT, card_pb2.CARD_PLACE_RETAIN_BIN, card_pb2.CARD_PLACE_NONE


class FeedsTwice(EvolisPrinter):
    async def feed(self, supply: str) -> None:
        await super().feed(supply)
        await super().move(BIN)
        await super().feed(supply)


class _Trusting(EvolisPrinter):
    """Reads what it has written out of its memory."""

    _written = StripeData()

    async def write_stripe(self, stripe: StripeData, coercivity: Coercivity) -> None:
        self._written = stripe
        await super().write_stripe(stripe, coercivity)

    async def read_stripe_tracks(self, tracks: Collection[int]) -> ReadStripeResult:
        texts = {f"track{number}": getattr(self._written, f"track{number}") for number in tracks}
        states = [card_printer_pb2.TRACK_STATE_READ if n in tracks else 0 for n in (1, 2, 3)]
        return ReadStripeResult(stripe=StripeData(**texts), states=states)  # type: ignore[arg-type]


class WritesTheFirstStripeAgain(_Trusting):
    _first: StripeData | None = None

    async def write_stripe(self, stripe: StripeData, coercivity: Coercivity) -> None:
        self._first = self._first or stripe
        await super().write_stripe(self._first, coercivity)
        self._written = stripe


class HasTwoUnitsOfOneName(EvolisPrinter):
    @property
    def capabilities(self) -> CardPrinterCapabilities:
        has = super().capabilities
        has.units.append(has.units[0])
        return has


class CommitsLate(EvolisPrinter):
    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        late = Late(run)
        result = await super().issue_card(request, late)
        await late.come()
        return result


class CommitsOnce(EvolisPrinter):
    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        return await super().issue_card(request, OnceOnly(run))


class DefiesTheJournal(EvolisPrinter):
    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        defiant = Defiant(run)
        result = await super().issue_card(request, defiant)
        defiant.end()
        return result


class _Uncancellable(Passed):
    async def commit_point(self, step: str, evidence: Evidence | None = None) -> None:
        with suppress(asyncio.CancelledError):
            await self.run.commit_point(step, evidence or {})


class CannotBeCancelled(EvolisPrinter):
    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        return await super().issue_card(request, _Uncancellable(run))


class TellsOtherTracks(EvolisPrinter):
    async def read_stripe(self, request: ReadStripeRequest, run: Run) -> ReadStripeResult:
        return await super().read_stripe(ReadStripeRequest(), run)


class DoesNotSeeItsExit(EvolisPrinter):
    async def look(self) -> CardSight:
        sight = await super().look()
        return replace(sight, place=NONE) if sight.place == EXIT else sight


class CountsFromOneConnectionOn(EvolisPrinter):
    _before: int | None = None

    async def look(self) -> CardSight:
        sight = await super().look()
        assert sight.fed is not None
        self._before = sight.fed if self._before is None else self._before
        return replace(sight, fed=sight.fed - self._before)


class PresentsInsteadOfEjecting(EvolisPrinter):
    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        request.delivery = card_printer_pb2.CARD_DELIVERY_PRESENT
        return await super().issue_card(request, run)


class MakesRoom(EvolisPrinter):
    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        if (await self.look()).place != NONE:
            await self.move(BIN)
        return await super().issue_card(request, run)


class _NoEvents(Passed):
    """Hides events of one type."""

    def __init__(self, run: Run, hidden: type[Message]) -> None:
        super().__init__(run)
        self._hidden = hidden

    def emit(self, event: Message) -> None:
        if not isinstance(event, self._hidden):
            self.run.emit(event)


class DoesNotTellOfTaking(EvolisPrinter):
    def moved(
        self, movement: CardMovement, place: CardPlace, operation_id: str, run: Run | None = None
    ) -> card_pb2.CardMoved:
        told = run if movement != card_pb2.CARD_MOVEMENT_TAKEN else None
        return super().moved(movement, place, operation_id, told)


class AlwaysLeaves(EvolisPrinter):
    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        request.if_not_taken = card_printer_pb2.NOT_TAKEN_LEAVE
        return await super().issue_card(request, run)


class RetainsAtTheExit(EvolisPrinter):
    async def move(self, place: CardPlace) -> None:
        await super().move(EXIT if place == BIN else place)


class DoesNotDrawIn(EvolisPrinter):
    async def accept(self) -> bool:
        return (await self.look()).place == EXIT


class GivesOutAtReset(EvolisPrinter):
    async def reset(self, request: ResetDeviceRequest, run: Run) -> ResetDeviceResult:
        if (await self.look()).place != NONE:
            await self.move(EXIT)
        return ResetDeviceResult(status=await self.status())


class HidesTheChip(EvolisPrinter):
    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        return await super().issue_card(request, _NoEvents(run, card_printer_pb2.ChipReady))


class _Calls(EvolisPrinter):
    """One fault by the name of another."""

    called: ClassVar[Reason]

    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        try:
            return await super().issue_card(request, run)
        except DeviceFault as fault:
            if fault.reason == self.called:
                fault.reason = error_pb2.REASON_PRINTER_FAULT
            raise


class CallsAnEmptySupplyAFault(_Calls):
    called = error_pb2.REASON_CARDS_OUT


class CallsAJamAFault(_Calls):
    called = error_pb2.REASON_CARD_JAMMED


class CallsAnOpenCoverAFault(_Calls):
    called = error_pb2.REASON_COVER_OPEN


class DoesNotLookAtItsRibbon(EvolisPrinter):
    """And takes a card that could not be printed for a printed one."""

    async def look(self) -> CardSight:
        return replace(await super().look(), consumables=())

    async def print_card(self, image: CardImage) -> None:
        with suppress(DeviceFault):
            await super().print_card(image)


class PrintsWithAnyRibbon(EvolisPrinter):
    async def print_card(self, image: CardImage) -> None:
        self._ribbon = await self._eyes.ribbon()
        await super().print_card(image)


class DoesNotSeeItsCover(EvolisPrinter):
    async def look(self) -> CardSight:
        sight = await super().look()
        kept = [found for found in sight.conditions if found.reason != error_pb2.REASON_COVER_OPEN]
        return replace(sight, conditions=tuple(kept))


class GivesOutAFailedStripe(_Trusting):
    async def write_stripe(self, stripe: StripeData, coercivity: Coercivity) -> None:
        with suppress(DeviceFault):
            await super().write_stripe(stripe, coercivity)


class TakesAnyBlank(EvolisPrinter):
    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        request.ClearField("blank")
        return await super().issue_card(request, run)


class CallsLossesHarmless(EvolisPrinter):
    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        try:
            return await super().issue_card(request, run)
        except LinkFault as fault:
            fault.effect = error_pb2.PHYSICAL_EFFECT_NONE
            raise


class _Settles(EvolisPrinter):
    """Always to the same effect."""

    effect: ClassVar[PhysicalEffect]

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        return Settlement(self.effect, "It is as it is.", IssueCardResult(card=CardReport()))


class SettlesAsComplete(_Settles):
    effect = error_pb2.PHYSICAL_EFFECT_COMPLETE


class SettlesAsNone(_Settles):
    effect = error_pb2.PHYSICAL_EFFECT_NONE


class _Kept(Passed):
    """An operation that is over; nobody hears of its commit points."""

    async def commit_point(self, step: str, evidence: Evidence | None = None) -> None:
        """Nothing is kept."""


class MakesItAnew(EvolisPrinter):
    """Once the printer is back."""

    last: ClassVar[list[tuple[IssueCardRequest, Run]]] = []

    async def issue_card(self, request: IssueCardRequest, run: Run) -> IssueCardResult:
        self.last[:] = [(request, run)]
        return await super().issue_card(request, run)

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        await super().reconcile(unsettled)
        request, run = self.last[0]
        try:
            result = await super().issue_card(request, _Kept(run))
        except CountertopError:
            return Settlement(error_pb2.PHYSICAL_EFFECT_UNKNOWN, "It could not be made anew.")
        return Settlement(error_pb2.PHYSICAL_EFFECT_COMPLETE, "It was made anew.", result, result.card)


def _planted(name: str, broken: type[EvolisPrinter], number: str) -> Planted:
    return Planted(name, CardPrinterConformance, broken, number, {"speed": 0})


PLANTED = [
    _planted("feeds two blanks for one card", FeedsTwice, "C-01"),
    _planted("writes the first customer's stripe again", WritesTheFirstStripeAgain, "C-02"),
    _planted("has two units of one name", HasTwoUnitsOfOneName, "C-03"),
    _planted("commits when the card is made", CommitsLate, "C-04"),
    _planted("commits once for the whole card", CommitsOnce, "C-05"),
    _planted("makes a card although the journal failed", DefiesTheJournal, "C-06"),
    _planted("gives a card out although the journal failed", DefiesTheJournal, "C-07"),
    _planted("makes a card although it was cancelled", CannotBeCancelled, "C-08"),
    _planted("tells tracks that were not asked for", TellsOtherTracks, "C-09"),
    _planted("does not see the card at its exit", DoesNotSeeItsExit, "C-10"),
    _planted("counts cards anew with each connection", CountsFromOneConnectionOn, "C-11"),
    _planted("presents a card that was to be ejected", PresentsInsteadOfEjecting, "C-12"),
    _planted("puts away what is inside to make room", MakesRoom, "C-13"),
    _planted("does not tell that the card was taken", DoesNotTellOfTaking, "C-14"),
    _planted("leaves a forgotten card at the exit", AlwaysLeaves, "C-15"),
    _planted("keeps cards back at the exit", RetainsAtTheExit, "C-16"),
    _planted("says that it took a card in and did not", DoesNotDrawIn, "C-17"),
    _planted("gives out at a reset what is inside", GivesOutAtReset, "C-18"),
    _planted("hides the chip from the app", HidesTheChip, "C-19"),
    _planted("calls an empty supply a fault of the printer", CallsAnEmptySupplyAFault, "C-20"),
    _planted("does not look at its ribbon", DoesNotLookAtItsRibbon, "C-21"),
    _planted("prints with any ribbon", PrintsWithAnyRibbon, "C-22"),
    _planted("does not see its open cover", DoesNotSeeItsCover, "C-23"),
    _planted("calls an open cover a fault of the printer", CallsAnOpenCoverAFault, "C-24"),
    _planted("calls a jam a fault of the printer", CallsAJamAFault, "C-25"),
    _planted("gives out a card whose stripe failed", GivesOutAFailedStripe, "C-26"),
    _planted("takes any blank", TakesAnyBlank, "C-27"),
    _planted("says that nothing happened when the line breaks", CallsLossesHarmless, "C-28"),
    _planted("settles every card as complete", SettlesAsComplete, "C-29"),
    _planted("makes the card anew when the printer is back", MakesItAnew, "C-30"),
    _planted("settles what it does not know as none", SettlesAsNone, "C-31"),
    _planted("settles every card as none", SettlesAsNone, "C-32"),
]
