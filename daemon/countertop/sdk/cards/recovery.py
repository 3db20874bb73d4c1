"""After a crash or a pulled cable: where is the card, and what became of the operation?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from countertop.sdk.cards.evidence import CardEvidence
from countertop.sdk.cards.printer import INSIDE, CardSight
from countertop.sdk.device import Settlement, Unsettled
from countertop.sdk.errors import DeviceFault, LinkFault, NoAnswer
from countertop.v1 import card_pb2, card_printer_pb2
from countertop.v1.card_pb2 import CardMovement, CardPlace
from countertop.v1.error_pb2 import (
    PHYSICAL_EFFECT_COMPLETE,
    PHYSICAL_EFFECT_NONE,
    PHYSICAL_EFFECT_PARTIAL,
    PHYSICAL_EFFECT_UNKNOWN,
    PhysicalEffect,
)

if TYPE_CHECKING:
    from countertop.sdk.cards.printer import CardPrinter

__all__ = ["settle"]

TAKE_SECONDS = 10.0
"""How long a customer may still take a finished card that was at the exit when the terminal failed."""
LOOK_SECONDS = 0.25
_RESULTS: dict[str, type[Any]] = {
    "issue_card": card_printer_pb2.IssueCardResult,
    "encode_stripe": card_printer_pb2.EncodeStripeResult,
    "move_card": card_printer_pb2.MoveCardResult,
}
_REJECTED, _RETAINED = card_pb2.CARD_MOVEMENT_REJECTED, card_pb2.CARD_MOVEMENT_RETAINED
_TAKEN = card_pb2.CARD_MOVEMENT_TAKEN


async def settle(printer: CardPrinter, unsettled: Unsettled) -> Settlement:
    """Find the card of an operation that was cut off. A half-made card is put away, never given out; one that stands
    finished at the exit may still be taken. Raises DeviceFault when the device is lost again.
    """
    return await _Search(printer, unsettled).carry_out()


class _Search:
    def __init__(self, printer: CardPrinter, unsettled: Unsettled) -> None:
        self._printer = printer
        self._unsettled = unsettled
        self._verb = unsettled.verb
        self._known = CardEvidence.of(unsettled.evidence)
        self._stage = self._known.stage
        self._report = self._known.report

    async def carry_out(self) -> Settlement:
        printer = self._printer
        if self._verb not in _RESULTS:
            return Settlement(PHYSICAL_EFFECT_UNKNOWN, "The device cannot tell what became of it.")
        if not printer.capabilities.locates:
            return self._found(PHYSICAL_EFFECT_UNKNOWN, "The device cannot tell where the card is; look for it.")
        await printer.clear()
        sight = await printer.look()
        self._count_blank(sight)
        self._report.place = sight.place
        if sight.place in INSIDE:
            return await self._inside()
        if sight.place == card_pb2.CARD_PLACE_EXIT:
            return await self._at_exit()
        if sight.place == card_pb2.CARD_PLACE_JAMMED:
            self._moved(card_pb2.CARD_MOVEMENT_JAMMED, sight.place)
            return self._found(PHYSICAL_EFFECT_PARTIAL, "The card is stuck inside the device.")
        if sight.place == card_pb2.CARD_PLACE_NONE:
            return self._gone(sight)
        return self._found(PHYSICAL_EFFECT_UNKNOWN, "The device cannot tell where the card is; look for it.")

    def _count_blank(self, sight: CardSight) -> None:
        """A blank that left the supply is counted, once, whoever saw it leave."""
        before = self._known.fed_before
        more = sight.fed is not None and sight.fed > before >= 0
        if self._report.fed or (self._stage == "feed" and (more or sight.place in INSIDE)):
            self._report.fed = True
            self._moved(card_pb2.CARD_MOVEMENT_FED, sight.place)
        elif self._stage == "accept" and sight.place in INSIDE:
            self._moved(card_pb2.CARD_MOVEMENT_INSERTED, sight.place)

    @property
    def _is_putting_away(self) -> bool:
        """Putting a card away was all that was asked for."""
        return (
            self._verb == "move_card" and self._stage in ("retain", "reject", "pull in") and not self._known.forgotten
        )

    async def _inside(self) -> Settlement:
        if self._verb == "move_card" and self._stage in ("feed", "accept", "move"):
            self._printer.hold(True)
            return self._found(PHYSICAL_EFFECT_COMPLETE, "The card is inside.")
        if self._verb == "encode_stripe" and not self._report.fed:
            return self._found(
                PHYSICAL_EFFECT_PARTIAL, "The card is still inside the device."
            )  # it may be a customer's
        keep = self._known.forgotten or self._is_putting_away
        movement = _RETAINED if keep and self._stage != "reject" else _REJECTED
        if not await self._put_away(movement):
            return self._found(PHYSICAL_EFFECT_PARTIAL, "The card is still inside the device and could not be moved.")
        if self._is_putting_away:
            return self._found(PHYSICAL_EFFECT_COMPLETE, "The card was still inside and was put away now.")
        if self._known.forgotten:
            return self._found(PHYSICAL_EFFECT_PARTIAL, "The card, which nobody had taken, was kept back.")
        return self._found(PHYSICAL_EFFECT_PARTIAL, "The card was found inside, not finished, and was put away.")

    async def _at_exit(self) -> Settlement:
        """It is finished: every stage before `present` leaves it inside."""
        self._moved(card_pb2.CARD_MOVEMENT_PRESENTED, card_pb2.CARD_PLACE_EXIT)
        asked = self._is_putting_away
        if not self._known.forgotten and not asked:
            until = asyncio.get_running_loop().time() + TAKE_SECONDS
            while asyncio.get_running_loop().time() < until:
                if (await self._printer.look()).place == card_pb2.CARD_PLACE_NONE:
                    return self._taken("The card was at the exit and was taken.")
                await asyncio.sleep(LOOK_SECONDS)
        self._known.forgotten = self._known.forgotten or not asked
        await self._commit("pull in")
        try:
            await self._printer.move(card_pb2.CARD_PLACE_PRINT)
        except DeviceFault as fault:
            if isinstance(fault, LinkFault | NoAnswer):
                raise
            if (await self._printer.look()).place == card_pb2.CARD_PLACE_NONE:
                return self._taken("The card was taken at the last moment.")
            return self._found(PHYSICAL_EFFECT_PARTIAL, "The card lies at the exit and could not be taken in.")
        self._moved(card_pb2.CARD_MOVEMENT_MOVED, card_pb2.CARD_PLACE_PRINT)
        if not await self._put_away(_RETAINED):
            return self._found(PHYSICAL_EFFECT_PARTIAL, "The card was taken in and could not be put away.")
        effect = PHYSICAL_EFFECT_COMPLETE if asked else PHYSICAL_EFFECT_PARTIAL
        return self._found(effect, "The finished card was not taken and was kept back.")

    def _taken(self, message: str) -> Settlement:
        self._moved(_TAKEN, card_pb2.CARD_PLACE_TAKEN)
        effect = PHYSICAL_EFFECT_NONE if self._is_putting_away else PHYSICAL_EFFECT_COMPLETE
        return self._found(effect, message)

    def _gone(self, sight: CardSight) -> Settlement:
        """No card is in the device."""
        if self._stage in ("feed", "accept") and not self._report.fed:
            if self._stage == "accept" or sight.fed == self._known.fed_before >= 0:
                return self._found(PHYSICAL_EFFECT_NONE, "No card had moved.")
            return self._found(PHYSICAL_EFFECT_UNKNOWN, "No card is inside; whether one was fed is not known.")
        if self._stage in ("present", "pull in"):
            return self._taken("The finished card is no longer in the device: it was taken at the exit.")
        put_away = PHYSICAL_EFFECT_COMPLETE if self._is_putting_away else PHYSICAL_EFFECT_PARTIAL
        bin_ = self._printer.bin()
        ways: dict[str, tuple[CardMovement, CardPlace, PhysicalEffect, str]] = {
            "eject": (
                card_pb2.CARD_MOVEMENT_EJECTED,
                card_pb2.CARD_PLACE_OUTPUT,
                PHYSICAL_EFFECT_COMPLETE,
                "The card is in the output hopper.",
            ),
            "retain": (_RETAINED, bin_, put_away, "The card was kept back."),
            "reject": (_REJECTED, bin_, put_away, "The card was put away."),
        }
        if self._stage not in ways:
            return self._found(PHYSICAL_EFFECT_UNKNOWN, "The card is no longer in the device, and nobody saw it leave.")
        movement, place, effect, message = ways[self._stage]
        self._moved(movement, place)
        return self._found(effect, message)

    async def _put_away(self, movement: CardMovement) -> bool:
        """Put away the card that is inside; False when it cannot be moved."""
        to = self._printer.bin()
        await self._commit("retain" if movement == _RETAINED else "reject")
        try:
            await self._printer.move(to)
        except (LinkFault, NoAnswer):
            raise
        except DeviceFault:
            self._report.place = (await self._printer.look()).place
            return False
        self._moved(movement, to)
        return True

    async def _commit(self, stage: str) -> None:
        """Note it, should this too be cut off."""
        if self._unsettled.commit_point is None:
            return
        known = self._known
        evidence = CardEvidence(stage, known.fed_before, self._report, known.forgotten)
        await self._unsettled.commit_point(stage, evidence.to_evidence())

    def _moved(self, movement: CardMovement, place: CardPlace) -> None:
        self._report.place = place
        self._printer.moved(movement, place, self._unsettled.operation.id)

    def _found(self, effect: PhysicalEffect, message: str) -> Settlement:
        result: Message | None = None
        if effect == PHYSICAL_EFFECT_COMPLETE:
            result = _RESULTS[self._verb](card=self._report)
        return Settlement(effect, message, result, self._report)
