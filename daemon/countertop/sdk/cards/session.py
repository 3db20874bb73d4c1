"""What every operation on a card has in common: evidence, movements, what becomes of a card that goes wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from countertop.sdk.cards.evidence import CardEvidence
from countertop.sdk.cards.printer import INSIDE, CardSight
from countertop.sdk.device import Run
from countertop.sdk.errors import CountertopError, DeviceFault, LinkFault, NoAnswer
from countertop.v1 import card_pb2, card_printer_pb2, device_pb2, error_pb2, operation_pb2
from countertop.v1.card_pb2 import CardMovement, CardPlace, CardReport
from countertop.v1.error_pb2 import PHYSICAL_EFFECT_NONE, PHYSICAL_EFFECT_PARTIAL, Reason

if TYPE_CHECKING:
    from countertop.sdk.cards.printer import CardPrinter

__all__ = ["CardSession", "seconds"]

TAKE_SECONDS = 30.0
"""How long a customer has to take a card when the request does not say."""
RETAIN_SECONDS = 3.0
"""Of an operation's time, what is kept for putting a forgotten card away."""
LOOK_SECONDS = 0.25
"""Between two looks at the exit; these devices do not tell by themselves."""


class CardSession:
    """One operation on one card of one printer."""

    def __init__(self, printer: CardPrinter, run: Run) -> None:
        self.printer = printer
        self.run = run
        self.report = CardReport()
        self.begun = False
        self._fed_before = -1
        self._is_forgotten = False

    # --- looking before anything moves -----------------------------------------------------------------------------

    async def look_first(self) -> CardSight:
        """Look whether the device can work now. Raises DeviceFault with effect NONE."""
        self.printer.look_anew()
        sight = await self.printer.look()
        self.note_counters(sight)
        for found in sight.conditions:
            if found.severity == device_pb2.SEVERITY_BLOCKING:
                raise self.refused(found.reason)
        if sight.place == card_pb2.CARD_PLACE_JAMMED:
            raise self.refused(error_pb2.REASON_CARD_JAMMED)
        return sight

    def note_counters(self, sight: CardSight) -> None:
        """What the device has counted before this operation."""
        self._fed_before = -1 if sight.fed is None else sight.fed

    def need_source(self, source: card_printer_pb2.CardSource, place: CardPlace) -> None:
        """A blank can come only into an empty device, and a card that is inside must be there. Raises DeviceFault."""
        if place == card_pb2.CARD_PLACE_EXIT:
            raise self.refused(error_pb2.REASON_CARD_AT_EXIT)
        if source == card_printer_pb2.CARD_SOURCE_INSIDE and place not in INSIDE:
            raise self.refused(error_pb2.REASON_NO_CARD_INSIDE)
        if source != card_printer_pb2.CARD_SOURCE_INSIDE and place in INSIDE:
            raise self.refused(error_pb2.REASON_CARD_INSIDE)

    def need_room(self, sight: CardSight, kind: card_pb2.CardUnitKind, reason: Reason) -> None:
        """A bin that a card may have to go to must not be full. Raises DeviceFault."""
        units = [unit for unit in sight.units if unit.kind == kind]
        if units and all(unit.sensed == card_pb2.CARD_UNIT_LEVEL_FULL for unit in units):
            raise self.refused(reason)

    @staticmethod
    def refused(reason: Reason, step: str = "look before anything moves") -> DeviceFault:
        """Nothing has happened."""
        return DeviceFault(reason, step=step, effect=PHYSICAL_EFFECT_NONE)

    # --- moving ----------------------------------------------------------------------------------------------------

    async def commit(self, stage: str) -> None:
        """The next byte has an effect: note what `recovery` needs to find out about it."""
        evidence = CardEvidence(stage, self._fed_before, self.report, self._is_forgotten)
        await self.run.commit_point(stage, evidence.to_evidence())
        self.begun = True

    def moved(self, movement: CardMovement, place: CardPlace) -> None:
        """The card is elsewhere."""
        self.report.place = place
        self.printer.moved(movement, place, self.run.operation_id, self.run)

    async def take_card(self, source: card_printer_pb2.CardSource, supply: str, place: CardPlace) -> None:
        """Have a card inside. Raises DeviceFault: CARDS_OUT, CARD_NOT_INSERTED, CARD_JAMMED, …"""
        if source == card_printer_pb2.CARD_SOURCE_INSIDE:
            self.report.place = place
            await self.commit("move")  # it may be moved from now on, and is put away when it is the wrong one
            return
        if source == card_printer_pb2.CARD_SOURCE_EXIT:
            await self._accept()
            return
        await self.commit("feed")
        try:
            await self.printer.feed(supply)
        except DeviceFault as fault:
            if fault.reason == error_pb2.REASON_CARDS_OUT:
                fault.effect = PHYSICAL_EFFECT_NONE  # the feeder turned and nothing came
            raise
        self.report.fed = True
        self.run.used("cards", 1)
        self.moved(card_pb2.CARD_MOVEMENT_FED, card_pb2.CARD_PLACE_PRINT)

    async def _accept(self) -> None:
        if not self.printer.capabilities.accepts:
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "The device takes no cards in at its exit.")
        self.run.prompt(operation_pb2.PROMPT_KIND_INSERT_CARD)
        await self.commit("accept")
        while not await self.printer.accept():
            if self.run.time_left <= 0:
                raise DeviceFault(error_pb2.REASON_CARD_NOT_INSERTED, step="accept", effect=PHYSICAL_EFFECT_NONE)
            await asyncio.sleep(LOOK_SECONDS)
        self.run.working()
        self.moved(card_pb2.CARD_MOVEMENT_INSERTED, card_pb2.CARD_PLACE_PRINT)

    async def put(self, place: CardPlace) -> None:
        """Move the card to a station inside, unless it is there."""
        if self.report.place != place:
            await self.printer.move(place)
            self.moved(card_pb2.CARD_MOVEMENT_MOVED, place)

    async def deliver(self, delivery: card_printer_pb2.CardDelivery) -> None:
        """Put it into the output hopper, or leave it inside; PRESENT is `present`."""
        if delivery == card_printer_pb2.CARD_DELIVERY_EJECT:
            await self.commit("eject")
            await self.printer.move(card_pb2.CARD_PLACE_OUTPUT)
            self.moved(card_pb2.CARD_MOVEMENT_EJECTED, card_pb2.CARD_PLACE_OUTPUT)
        self.printer.hold(delivery == card_printer_pb2.CARD_DELIVERY_HOLD)

    async def present(self, take_within: float | None, if_not_taken: card_printer_pb2.NotTaken) -> None:
        """Put it at the exit and wait until it is taken; with None do not wait. Raises DeviceFault(CARD_NOT_TAKEN)."""
        self.printer.hold(False)
        await self.commit("present")
        await self.printer.move(card_pb2.CARD_PLACE_EXIT)
        self.moved(card_pb2.CARD_MOVEMENT_PRESENTED, card_pb2.CARD_PLACE_EXIT)
        if take_within is None:
            return
        self.run.prompt(operation_pb2.PROMPT_KIND_TAKE_CARD)
        taken = await self._wait_taken(take_within)
        self.run.working()
        if not taken:
            await self._forgotten(if_not_taken)

    async def _wait_taken(self, take_within: float) -> bool:
        until = _now() + min(take_within, max(1.0, self.run.time_left - RETAIN_SECONDS))
        while True:
            place = (await self.printer.look()).place
            if place == card_pb2.CARD_PLACE_NONE:
                self.moved(card_pb2.CARD_MOVEMENT_TAKEN, card_pb2.CARD_PLACE_TAKEN)
                return True
            if place == card_pb2.CARD_PLACE_JAMMED:
                raise DeviceFault(error_pb2.REASON_CARD_JAMMED, step="present")
            if place in INSIDE:  # the customer pushed it back in: it is offered again
                self.moved(card_pb2.CARD_MOVEMENT_MOVED, place)
                await self.printer.move(card_pb2.CARD_PLACE_EXIT)
                self.moved(card_pb2.CARD_MOVEMENT_PRESENTED, card_pb2.CARD_PLACE_EXIT)
            left = until - _now()
            if left <= 0:
                return False
            await asyncio.sleep(min(LOOK_SECONDS, left))

    async def _forgotten(self, if_not_taken: card_printer_pb2.NotTaken) -> None:
        """Nobody took it. Raises DeviceFault(CARD_NOT_TAKEN), unless somebody takes it at the last moment."""
        self.moved(card_pb2.CARD_MOVEMENT_FORGOTTEN, card_pb2.CARD_PLACE_EXIT)
        message = "Nobody took the card in time; it lies at the exit."
        self._is_forgotten = True
        if if_not_taken != card_printer_pb2.NOT_TAKEN_LEAVE:
            if not await self.put_away("retain", card_pb2.CARD_MOVEMENT_RETAINED):
                return
            message = "Nobody took the card in time; it was kept back."
        raise DeviceFault(
            error_pb2.REASON_CARD_NOT_TAKEN, message, step="present", effect=PHYSICAL_EFFECT_PARTIAL, card=self.report
        )

    async def put_away(self, stage: str, movement: CardMovement) -> bool:
        """Move the card to where cards go that must not be given out. False when it was taken from the exit meanwhile.

        A card at the exit is taken inside first: from there no customer can take it, so that after a crash its absence
        says where it is.
        """
        if self.report.place == card_pb2.CARD_PLACE_EXIT:
            await self.commit("pull in")
            try:
                await self.put(card_pb2.CARD_PLACE_PRINT)
            except DeviceFault as fault:
                if fault.reason != error_pb2.REASON_NO_CARD_INSIDE:
                    raise
                self.moved(card_pb2.CARD_MOVEMENT_TAKEN, card_pb2.CARD_PLACE_TAKEN)
                return False
        to = self.printer.bin()
        await self.commit(stage)
        await self.printer.move(to)
        self.printer.hold(False)
        self.moved(movement, to)
        return True

    # --- when it goes wrong ----------------------------------------------------------------------------------------

    def is_lost(self, error: CountertopError) -> bool:
        """The device cannot be told anything: the daemon connects anew and lets `recovery` find out."""
        return isinstance(error, LinkFault | NoAnswer)

    async def give_up(self, error: CountertopError, *, keep_inside: bool = False) -> CountertopError:
        """Put away the card that went wrong; returns the error to raise, which says where it is now."""
        if not self.begun or error.reason == error_pb2.REASON_CARD_NOT_TAKEN or self.is_lost(error):
            return error
        if isinstance(error, DeviceFault) and error.effect == PHYSICAL_EFFECT_NONE:
            return error
        self._note_failed_work()
        sight = await self.printer.look()
        never_came = not self.report.place and not self.report.fed and self._fed_before == sight.fed
        if sight.place == card_pb2.CARD_PLACE_NONE and never_came:
            return self._with_card(error, PHYSICAL_EFFECT_NONE)
        if sight.fed is not None and sight.fed > self._fed_before >= 0 and not self.report.fed:
            self.report.fed = True
            self.moved(card_pb2.CARD_MOVEMENT_FED, sight.place)
        if sight.place in INSIDE or sight.place == card_pb2.CARD_PLACE_EXIT:
            if keep_inside:
                self.report.place = sight.place
                self.printer.hold(True)
            else:
                await self._reject(sight.place)
        elif sight.place == card_pb2.CARD_PLACE_JAMMED:
            self.moved(card_pb2.CARD_MOVEMENT_JAMMED, sight.place)
        else:
            self.report.place = sight.place  # staff has it, or the device cannot tell
        return self._with_card(error, PHYSICAL_EFFECT_PARTIAL)

    async def _reject(self, place: CardPlace) -> None:
        await self.printer.clear()
        self.report.place = place
        try:
            await self.put_away("reject", card_pb2.CARD_MOVEMENT_REJECTED)
        except DeviceFault as fault:
            if self.is_lost(fault):
                raise
            self.report.place = (await self.printer.look()).place  # it stays where it is, and is reported there

    def _note_failed_work(self) -> None:
        for name in ("stripe", "chip", "front", "back"):
            if getattr(self.report, name) == card_pb2.CARD_WORK_BEGUN:
                setattr(self.report, name, card_pb2.CARD_WORK_FAILED)

    def _with_card(self, error: CountertopError, effect: error_pb2.PhysicalEffect) -> DeviceFault:
        if not isinstance(error, DeviceFault):
            error = DeviceFault(error.reason, error.message)
        error.effect, error.card = effect, self.report
        return error


def seconds(message: card_printer_pb2.IssueCardRequest | card_printer_pb2.MoveCardRequest, field: str) -> float | None:
    """A duration field in seconds; None when it is absent."""
    if not message.HasField(field):
        return None
    duration: Duration = getattr(message, field)
    return float(duration.seconds + duration.nanos / 1e9)


def _now() -> float:
    return asyncio.get_running_loop().time()
