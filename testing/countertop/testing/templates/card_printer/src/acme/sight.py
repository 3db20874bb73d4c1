"""From the printer's status to what the SDK wants to see. No I/O."""

from __future__ import annotations

from countertop.sdk import CardSight, reason_info
from countertop.v1 import card_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import CardUnit, CardUnitLevel
from countertop.v1.device_pb2 import Condition, Consumable

from acme.protocol import Status, StatusBit

__all__ = ["to_sight", "units"]

LOW_PRINTS = 20
CAPACITY = 200
_BLOCKING, _WARNING = device_pb2.SEVERITY_BLOCKING, device_pb2.SEVERITY_WARNING
_SUPPLY_OUT, _SUPPLY_LOW = device_pb2.SUPPLY_LEVEL_OUT, device_pb2.SUPPLY_LEVEL_LOW


def units(
    feeder: CardUnitLevel = card_pb2.CARD_UNIT_LEVEL_UNSPECIFIED,
    bin_: CardUnitLevel = card_pb2.CARD_UNIT_LEVEL_UNSPECIFIED,
) -> list[CardUnit]:
    """The feeder and the bin, with what is sensed."""
    return [
        CardUnit(name="feeder", kind=card_pb2.CARD_UNIT_KIND_SUPPLY, capacity=100, sensed=feeder),
        CardUnit(name="bin", kind=card_pb2.CARD_UNIT_KIND_RETAIN, capacity=30, sensed=bin_),
    ]


def to_sight(status: Status) -> CardSight:
    """All that the printer tells."""
    bits, ribbon = status.bits, _ribbon(status)
    stands = (
        (bits & StatusBit.COVER_OPEN, error_pb2.REASON_COVER_OPEN, _BLOCKING),
        (status.place == card_pb2.CARD_PLACE_JAMMED, error_pb2.REASON_CARD_JAMMED, _BLOCKING),
        (bits & StatusBit.CARDS_OUT, error_pb2.REASON_CARDS_OUT, _WARNING),
        (bits & StatusBit.CARDS_NEAR_END, error_pb2.REASON_CARDS_NEAR_END, _WARNING),
        (bits & StatusBit.BIN_FULL, error_pb2.REASON_RETAIN_BIN_FULL, _WARNING),
        (ribbon.level == _SUPPLY_OUT, error_pb2.REASON_RIBBON_OUT, _WARNING),
        (ribbon.level == _SUPPLY_LOW, error_pb2.REASON_RIBBON_LOW, _WARNING),
    )
    feeder = card_pb2.CARD_UNIT_LEVEL_OK
    if bits & StatusBit.CARDS_OUT:
        feeder = card_pb2.CARD_UNIT_LEVEL_EMPTY
    elif bits & StatusBit.CARDS_NEAR_END:
        feeder = card_pb2.CARD_UNIT_LEVEL_LOW
    full = bits & StatusBit.BIN_FULL
    return CardSight(
        status.place,
        conditions=tuple(_condition(reason, severity) for found, reason, severity in stands if found),
        consumables=(ribbon,),
        units=tuple(units(feeder, card_pb2.CARD_UNIT_LEVEL_FULL if full else card_pb2.CARD_UNIT_LEVEL_OK)),
        fed=status.fed,
    )


def _ribbon(status: Status) -> Consumable:
    level = device_pb2.SUPPLY_LEVEL_OK
    if not status.ribbon or not status.prints_left:
        level = _SUPPLY_OUT
    elif status.prints_left <= LOW_PRINTS:
        level = _SUPPLY_LOW
    return Consumable(name="ribbon", level=level, type=status.ribbon, remaining=status.prints_left, capacity=CAPACITY)


def _condition(reason: error_pb2.Reason, severity: device_pb2.Severity) -> Condition:
    info = reason_info(reason)
    return Condition(reason=reason, severity=severity, fixed_by=info.fixed_by, action=info.app)
