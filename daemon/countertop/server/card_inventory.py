"""The cards of one device: counts of hoppers and bins, and what became of each card. Survives the daemon."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from countertop.sdk.errors import InvalidRequest
from countertop.v1 import card_pb2
from countertop.v1.card_pb2 import CardMovement, CardStatus, CardTotals, CardUnit, CardUnitCount, CardUnitLevel
from countertop.v1.card_printer_pb2 import UnitCount
from countertop.v1.device_pb2 import DeviceStatus

__all__ = ["HELD_PLACES", "CardBook"]

REMEMBERED = 256
"""Operations whose movements are remembered, so that what is told again after a crash is not counted again."""
SUPPLY, OUTPUT = card_pb2.CARD_UNIT_KIND_SUPPLY, card_pb2.CARD_UNIT_KIND_OUTPUT
RETAIN = card_pb2.CARD_UNIT_KIND_RETAIN
_COUNTED: dict[CardMovement, tuple[str, card_pb2.CardUnitKind | None, int]] = {
    card_pb2.CARD_MOVEMENT_FED: ("fed", SUPPLY, -1),
    card_pb2.CARD_MOVEMENT_INSERTED: ("inserted", None, 0),
    card_pb2.CARD_MOVEMENT_TAKEN: ("taken", None, 0),
    card_pb2.CARD_MOVEMENT_EJECTED: ("ejected", OUTPUT, 1),
    card_pb2.CARD_MOVEMENT_RETAINED: ("retained", RETAIN, 1),
    card_pb2.CARD_MOVEMENT_REJECTED: ("rejected", RETAIN, 1),
    card_pb2.CARD_MOVEMENT_REMOVED: ("removed", None, 0),
}
"""What a movement counts as, the kind of unit that it fills or empties, and by how much."""


@dataclass(slots=True)
class _Unit:
    initial: int = 0
    count: int = 0
    threshold: int = 0
    counted: bool = False


@dataclass(slots=True)
class _Book:
    units: dict[str, _Unit] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    told: deque[tuple[str, list[int]]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    exchange: list[str | None] = field(default_factory=list)
    """While cards are exchanged: why the device was in maintenance before, None when it was in use."""


class CardBook:
    """Keeps the counts of one device; `keep` writes them where they survive, `publish` tells a unit's new level."""

    def __init__(
        self, kept: str | None, keep: Callable[[str], object], publish: Callable[[CardUnitCount], object]
    ) -> None:
        self._keep = keep
        self._publish = publish
        self._seen: list[CardUnit] = []
        self._levels: dict[str, CardUnitLevel] = {}
        self._book = _load(kept)

    def seen(self, units: Iterable[CardUnit]) -> None:
        """What the driver says of hoppers and bins."""
        found = list(units)
        if found:
            self._seen = found
            for unit in found:
                self._book.units.setdefault(unit.name, _Unit())
            self._tell_levels()

    def moved(self, card: CardStatus) -> None:
        """A card moved. The same movement of the same operation is counted once."""
        if card.movement not in _COUNTED or not self._is_new(card):
            return
        total, kind, step = _COUNTED[card.movement]
        self._add(total)
        unit = next((unit for unit in self._seen if unit.kind == kind), None)
        if unit is None and kind == RETAIN:  # where there is no such bin they go to the output
            unit = next((unit for unit in self._seen if unit.kind == OUTPUT), None)
        if unit is not None and kind is not None:
            counted = self._book.units[unit.name]
            counted.count = max(0, counted.count + step)
        self._write()
        self._tell_levels()

    def at_rest(self, status: DeviceStatus) -> None:
        """Nothing is under way. A card that should be inside and is not was taken out while nobody looked."""
        place = status.card.place
        if place in (card_pb2.CARD_PLACE_UNSPECIFIED, card_pb2.CARD_PLACE_JAMMED, *HELD_PLACES) or self._inside() <= 0:
            return
        self._add("removed", self._inside())
        self._write()

    def units(self) -> list[CardUnitCount]:
        """Each hopper and bin with its counts."""
        return [self._count_of(unit) for unit in self._seen]

    def totals(self) -> CardTotals:
        """What became of the cards since the last exchange."""
        return CardTotals(**{**self._book.totals, "inside": max(0, self._inside())})

    @property
    def exchanging(self) -> bool:
        """Somebody fills and empties the device."""
        return bool(self._book.exchange)

    def begin_exchange(self, maintenance: str | None) -> None:
        """Remember what the device goes back to afterwards: its maintenance, or None for use."""
        self._book.exchange = [maintenance]
        self._write()

    def end_exchange(self) -> str | None:
        """What the device goes back to."""
        before = self._book.exchange[0]
        self._book.exchange = []
        self._write()
        return before

    def exchanged(self, counts: Iterable[UnitCount]) -> None:
        """A person says what is where. Raises InvalidRequest for a unit that there is not; nothing is changed then."""
        given = list(counts)
        for index, item in enumerate(given):
            if item.unit not in self._book.units:
                names = ", ".join(self._book.units) or "none"
                raise InvalidRequest({f"counts[{index}].unit": f"expected one of: {names}"})
        for item in given:
            unit = self._book.units[item.unit]
            unit.initial = unit.count = item.count
            unit.counted = True
            if item.HasField("threshold"):
                unit.threshold = item.threshold
        inside = max(0, self._inside())
        self._book.totals = {"fed": inside} if inside else {}
        self._write()
        self._tell_levels()

    def _is_new(self, card: CardStatus) -> bool:
        if not card.operation_id:
            return True
        told = next((movements for operation, movements in self._book.told if operation == card.operation_id), None)
        if told is None:
            told = []
            self._book.told.append((card.operation_id, told))
        if card.movement in told:
            return False
        told.append(int(card.movement))
        return True

    def _add(self, total: str, count: int = 1) -> None:
        self._book.totals[total] = self._book.totals.get(total, 0) + count

    def _inside(self) -> int:
        totals = dict(self._book.totals)
        came = totals.pop("fed", 0) + totals.pop("inserted", 0)
        return came - sum(totals.values())

    def _count_of(self, unit: CardUnit) -> CardUnitCount:
        counted = self._book.units[unit.name]
        return CardUnitCount(
            unit=unit,
            initial=counted.initial,
            count=counted.count,
            threshold=counted.threshold,
            level=_level(unit, counted),
            counted=counted.counted,
        )

    def _tell_levels(self) -> None:
        for found in self.units():
            before = self._levels.get(found.unit.name)
            self._levels[found.unit.name] = found.level
            if before is not None and before != found.level:
                self._publish(found)

    def _write(self) -> None:
        book = self._book
        units = {name: asdict(unit) for name, unit in book.units.items()}
        kept = {"units": units, "totals": book.totals, "told": list(book.told), "exchange": book.exchange}
        self._keep(json.dumps(kept))


HELD_PLACES = (
    card_pb2.CARD_PLACE_PRINT,
    card_pb2.CARD_PLACE_CONTACT,
    card_pb2.CARD_PLACE_CONTACTLESS,
    card_pb2.CARD_PLACE_TRANSPORT,
    card_pb2.CARD_PLACE_EXIT,
)
"""Places where a card is still the device's."""


def _level(unit: CardUnit, counted: _Unit) -> CardUnitLevel:
    """What the sensor says where something is the matter, else by count; a sensor's OK outdoes EMPTY and FULL."""
    by_count = _by_count(unit, counted)
    if unit.sensed not in (card_pb2.CARD_UNIT_LEVEL_UNSPECIFIED, card_pb2.CARD_UNIT_LEVEL_OK):
        return unit.sensed
    if unit.sensed and by_count in (card_pb2.CARD_UNIT_LEVEL_EMPTY, card_pb2.CARD_UNIT_LEVEL_FULL):
        return card_pb2.CARD_UNIT_LEVEL_OK
    return by_count or unit.sensed


def _by_count(unit: CardUnit, counted: _Unit) -> CardUnitLevel:
    """A supply that nobody has counted may hold any number."""
    if unit.kind == SUPPLY:
        if not counted.counted:
            return card_pb2.CARD_UNIT_LEVEL_UNSPECIFIED
        if counted.count == 0:
            return card_pb2.CARD_UNIT_LEVEL_EMPTY
        return card_pb2.CARD_UNIT_LEVEL_LOW if counted.count <= counted.threshold else card_pb2.CARD_UNIT_LEVEL_OK
    if unit.capacity and counted.count >= unit.capacity:
        return card_pb2.CARD_UNIT_LEVEL_FULL
    high = 0 < counted.threshold <= counted.count
    return card_pb2.CARD_UNIT_LEVEL_HIGH if high else card_pb2.CARD_UNIT_LEVEL_OK


def _load(kept: str | None) -> _Book:
    book = _Book()
    if kept:
        found: dict[str, Any] = json.loads(kept)
        book.units = {name: _Unit(**unit) for name, unit in found["units"].items()}
        book.totals = found["totals"]
        book.told.extend((operation, movements) for operation, movements in found["told"])
        book.exchange = found["exchange"]
    return book
