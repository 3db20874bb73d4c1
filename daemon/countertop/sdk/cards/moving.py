"""Moving one card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk.cards.printer import INSIDE
from countertop.sdk.cards.session import CardSession, seconds
from countertop.sdk.device import Run
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.v1 import card_pb2, card_printer_pb2, error_pb2
from countertop.v1.card_pb2 import CardPlace
from countertop.v1.card_printer_pb2 import CardMove, MoveCardRequest, MoveCardResult

if TYPE_CHECKING:
    from countertop.sdk.cards.printer import CardPrinter

__all__ = ["MoveSession"]

_STATIONS: dict[CardMove, CardPlace] = {
    card_printer_pb2.CARD_MOVE_PRINT: card_pb2.CARD_PLACE_PRINT,
    card_printer_pb2.CARD_MOVE_CONTACT: card_pb2.CARD_PLACE_CONTACT,
    card_printer_pb2.CARD_MOVE_CONTACTLESS: card_pb2.CARD_PLACE_CONTACTLESS,
}
_SOURCES: dict[CardMove, card_printer_pb2.CardSource] = {
    card_printer_pb2.CARD_MOVE_FEED: card_printer_pb2.CARD_SOURCE_SUPPLY,
    card_printer_pb2.CARD_MOVE_ACCEPT: card_printer_pb2.CARD_SOURCE_EXIT,
}


class MoveSession(CardSession):
    """Moves a card from where it is."""

    def __init__(self, printer: CardPrinter, request: MoveCardRequest, run: Run) -> None:
        super().__init__(printer, run)
        self._request = request

    async def carry_out(self) -> MoveCardResult:
        """Raises CountertopError."""
        self._check()
        try:
            await self._move()
        except CountertopError as error:
            raise await self.give_up(error, keep_inside=True) from error
        return MoveCardResult(card=self.report)

    def _check(self) -> None:
        request, has = self._request, self.printer.capabilities
        if request.HasField("take_within") and request.move != card_printer_pb2.CARD_MOVE_PRESENT:
            raise InvalidRequest({"take_within": "expected only with move PRESENT"})
        lacking = {
            card_printer_pb2.CARD_MOVE_CONTACT: not has.contact,
            card_printer_pb2.CARD_MOVE_CONTACTLESS: not has.contactless,
            card_printer_pb2.CARD_MOVE_PRESENT: not has.exit,
            card_printer_pb2.CARD_MOVE_ACCEPT: not has.accepts,
            card_printer_pb2.CARD_MOVE_EJECT: not self.printer.has_output,
        }
        if has.one_pass or lacking.get(request.move, False):
            name = CardMove.Name(request.move).removeprefix("CARD_MOVE_")
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, f"The device cannot do {name} with a card.")

    async def _move(self) -> None:
        request = self._request
        source = _SOURCES.get(request.move)
        if source is not None:
            sight = await self.look_first()
            self.need_source(source, sight.place)
            await self.take_card(source, request.supply, sight.place)
            self.printer.hold(True)
            return
        sight = await self.printer.look()  # a card is put away whatever else stands
        if sight.place not in INSIDE and sight.place != card_pb2.CARD_PLACE_EXIT:
            jammed = sight.place == card_pb2.CARD_PLACE_JAMMED
            raise self.refused(error_pb2.REASON_CARD_JAMMED if jammed else error_pb2.REASON_NO_CARD_INSIDE)
        self.note_counters(sight)
        self.report.place = sight.place
        if request.move in _STATIONS:
            await self.commit("move")
            await self.put(_STATIONS[request.move])
            self.printer.hold(True)
        elif request.move == card_printer_pb2.CARD_MOVE_PRESENT:
            await self.present(seconds(request, "take_within"), request.if_not_taken)
        elif request.move == card_printer_pb2.CARD_MOVE_EJECT:
            await self.deliver(card_printer_pb2.CARD_DELIVERY_EJECT)
        else:
            await self._put_away()

    async def _put_away(self) -> None:
        await self.printer.clear()
        rejected = self._request.move == card_printer_pb2.CARD_MOVE_REJECT
        stage = "reject" if rejected else "retain"
        movement = card_pb2.CARD_MOVEMENT_REJECTED if rejected else card_pb2.CARD_MOVEMENT_RETAINED
        if not await self.put_away(stage, movement):
            raise self.refused(error_pb2.REASON_NO_CARD_INSIDE, step="take the card in from the exit")
