"""Looking at the printer: where the card is, what stands, what is left."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from countertop.drivers.evolis.models import Model
from countertop.drivers.evolis.protocol import reason_of, volts
from countertop.drivers.evolis.session import Session
from countertop.sdk.cards.printer import CardSight, condition
from countertop.v1 import card_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import CardPlace, CardUnit
from countertop.v1.device_pb2 import Consumable

__all__ = ["Ribbon", "Watcher"]

HIGH_VOLTS = 1.0
"""Above this a sensor sees something: measured are 4,9 and 5,00 against 0,00 to 0,2."""
SLOW_SECONDS = 5.0
"""How long the ribbon's count and the hopper's level are taken as they were."""
LOW_PRINTS = 20
_INSIDE: dict[str, CardPlace] = {
    "CARD": card_pb2.CARD_PLACE_PRINT,
    "SMART CARD": card_pb2.CARD_PLACE_CONTACT,
    "CONTACTLESS CARD": card_pb2.CARD_PLACE_CONTACTLESS,
    "OK": card_pb2.CARD_PLACE_NONE,
}
"""Answers to `Rlr;p`."""


@dataclass(frozen=True, slots=True)
class Ribbon:
    """The ribbon that is in the printer."""

    panels: str
    """Letters of its panels, in their order; empty when there is none or it is not told."""
    left: int | None
    capacity: int | None
    absent: bool

    def consumable(self) -> Consumable:
        """As the status tells it."""
        level = device_pb2.SUPPLY_LEVEL_OK
        if self.absent or self.left == 0:
            level = device_pb2.SUPPLY_LEVEL_OUT
        elif self.left is not None and self.left <= LOW_PRINTS:
            level = device_pb2.SUPPLY_LEVEL_LOW
        return Consumable(
            name="ribbon",
            level=level,
            type=self.panels.upper(),
            remaining=self.left,
            capacity=self.capacity or 0,
        )


class Watcher:
    """Asks sensors and counters; those that change slowly not every time."""

    def __init__(self, session: Session, model: Model, fed_counter: str) -> None:
        self._session = session
        self._model = model
        self._fed_counter = fed_counter
        self._slow_at = float("-inf")
        self._slow: tuple[Ribbon, bool] = (Ribbon("", None, None, False), False)

    def forget(self) -> None:
        """Ask everything the next time."""
        self._slow_at = float("-inf")

    @property
    def last_ribbon(self) -> Ribbon:
        """As it was seen last."""
        return self._slow[0]

    async def look(self) -> CardSight:
        """Everything that the printer can tell."""
        place = await self._place()
        near_empty = False
        now = asyncio.get_running_loop().time()
        if now - self._slow_at > SLOW_SECONDS:
            self._slow = (await self.ribbon(), await self._sees("n"))
            self._slow_at = now
        ribbon, near_empty = self._slow
        feeder = await self._feeder(near_empty)
        bin_full = (await self._session.ask("Rlr", "h")) == "CARD"
        open_cover = not await self._sees("o", default=True)
        fed = await self._session.number("Rco", self._fed_counter) if self._fed_counter else None
        return CardSight(
            place,
            conditions=self._conditions(place, ribbon, feeder, bin_full=bin_full, open_cover=open_cover),
            consumables=(ribbon.consumable(),),
            units=tuple(units_of(self._model, feeder, bin_full=bin_full)),
            fed=fed,
        )

    async def ribbon(self) -> Ribbon:
        """The ribbon's panels and how much is left."""
        count = await self._session.ask("Rrt", "count")
        absent = reason_of(count) == error_pb2.REASON_RIBBON_OUT
        if absent:
            return Ribbon("", 0, None, absent=True)
        left = await self._session.number("Rrt", "count")
        capacity = await self._session.number("Rrt", "qty")
        kind = await self._session.ask("Rr")
        panels = "" if reason_of(kind) is not None or kind == "OK" else kind.lower()
        return Ribbon(panels, left, capacity, absent=False)

    async def _place(self) -> CardPlace:
        place = await self._inside()
        if place != card_pb2.CARD_PLACE_NONE:
            return place
        if self._model.exit and await self._sees("b"):
            return card_pb2.CARD_PLACE_EXIT
        # one that is being pushed in was outside for the first sensor, and is inside for the second
        return await self._inside()

    async def _inside(self) -> CardPlace:
        """Where its position sensors see it; NONE is also told of a card at the bezel."""
        reply = await self._session.ask("Rlr", "p")
        if reason_of(reply) == error_pb2.REASON_CARD_JAMMED:
            return card_pb2.CARD_PLACE_JAMMED
        return _INSIDE.get(reply, card_pb2.CARD_PLACE_UNSPECIFIED)

    async def _feeder(self, near_empty: bool) -> card_pb2.CardUnitLevel:
        if not await self._sees("f", default=True):
            return card_pb2.CARD_UNIT_LEVEL_EMPTY
        return card_pb2.CARD_UNIT_LEVEL_LOW if near_empty else card_pb2.CARD_UNIT_LEVEL_OK

    async def _sees(self, sensor: str, *, default: bool = False) -> bool:
        found = volts(await self._session.ask("Rse", sensor))
        return default if found is None else found > HIGH_VOLTS

    @staticmethod
    def _conditions(
        place: CardPlace, ribbon: Ribbon, feeder: card_pb2.CardUnitLevel, *, bin_full: bool, open_cover: bool
    ) -> tuple[device_pb2.Condition, ...]:
        level = ribbon.consumable().level
        stands = (
            (open_cover, error_pb2.REASON_COVER_OPEN, device_pb2.SEVERITY_BLOCKING),
            (place == card_pb2.CARD_PLACE_JAMMED, error_pb2.REASON_CARD_JAMMED, device_pb2.SEVERITY_BLOCKING),
            (feeder == card_pb2.CARD_UNIT_LEVEL_EMPTY, error_pb2.REASON_CARDS_OUT, device_pb2.SEVERITY_WARNING),
            (feeder == card_pb2.CARD_UNIT_LEVEL_LOW, error_pb2.REASON_CARDS_NEAR_END, device_pb2.SEVERITY_WARNING),
            (bin_full, error_pb2.REASON_RETAIN_BIN_FULL, device_pb2.SEVERITY_WARNING),
            (level == device_pb2.SUPPLY_LEVEL_OUT, error_pb2.REASON_RIBBON_OUT, device_pb2.SEVERITY_WARNING),
            (level == device_pb2.SUPPLY_LEVEL_LOW, error_pb2.REASON_RIBBON_LOW, device_pb2.SEVERITY_WARNING),
        )
        return tuple(condition(reason, severity) for found, reason, severity in stands if found)


def units_of(
    model: Model, feeder: card_pb2.CardUnitLevel = card_pb2.CARD_UNIT_LEVEL_UNSPECIFIED, *, bin_full: bool = False
) -> list[CardUnit]:
    """The hoppers and bins of a model, with what is sensed."""
    full = card_pb2.CARD_UNIT_LEVEL_FULL if bin_full else card_pb2.CARD_UNIT_LEVEL_UNSPECIFIED
    units = [
        CardUnit(name="feeder", kind=card_pb2.CARD_UNIT_KIND_SUPPLY, capacity=100, sensed=feeder),
        CardUnit(name="reject", kind=card_pb2.CARD_UNIT_KIND_RETAIN, sensed=full),
    ]
    if not model.exit:
        units.append(CardUnit(name="output", kind=card_pb2.CARD_UNIT_KIND_OUTPUT))
    return units
