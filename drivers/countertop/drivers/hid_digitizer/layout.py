"""Where a digitizer's input reports have the pen, and what they say of it. No I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from countertop.drivers.hid_digitizer.report_descriptor import Field, ReportDescriptor, ReportKind, read_bits

__all__ = ["FIXED", "Element", "PenLayout", "Tilt", "find_pen"]

# HID Usage Tables: generic desktop (01), button (09), digitizers (0D).
X, Y = 0x010030, 0x010031
DIGITIZER, PEN = 0x0D0001, 0x0D0002
TOUCH_SCREEN, TOUCH_PAD = 0x0D0004, 0x0D0005
TIP_PRESSURE, TOUCH, X_TILT, Y_TILT, TIP_SWITCH, BARREL_SWITCH = (
    0x0D0000 | usage for usage in (0x30, 0x33, 0x3D, 0x3E, 0x42, 0x44)
)
IN_RANGE = 0x0D0032
BUTTON_PAGE = 0x09

MM = {0x11: 10.0, 0x13: 25.4}
"""Millimetres of the units of length: centimetre, inch."""
DEGREES = {0x12: math.degrees(1), 0x14: 1.0, 0: 1.0}
"""Degrees of the units of angle: radian, degree; without one, degrees are meant."""
MAX_EXPONENT = 32


@dataclass(frozen=True, slots=True)
class Element:
    """A number in an input report: bits from behind the report's id, and the limits that it keeps."""

    offset: int
    size: int
    minimum: int
    maximum: int

    def read(self, payload: bytes) -> int | None:
        """None when it is not there, or beyond its limits, which says that it did not change (HID 1.11, 5.10)."""
        value = read_bits(payload, self.offset, self.size, signed=self.minimum < 0)
        return value if value is not None and self.minimum <= value <= self.maximum else None


@dataclass(frozen=True, slots=True)
class Tilt:
    """A tilt in a report, and how it becomes degrees."""

    element: Element
    slope: float
    at_zero: float

    def read(self, payload: bytes) -> float | None:
        """Degrees, -90 to 90."""
        value = self.element.read(payload)
        return None if value is None else min(90.0, max(-90.0, self.at_zero + self.slope * value))


@dataclass(frozen=True, slots=True)
class PenLayout:
    """The pen in a device's input reports."""

    x: Element
    y: Element
    tip: Element | None = None
    in_range: Element | None = None
    pressure: Element | None = None
    tilt_x: Tilt | None = None
    tilt_y: Tilt | None = None
    barrel: Element | None = None
    buttons: tuple[Element, ...] = ()
    report_id: int = 0
    """0 where reports are not numbered."""
    x_per_mm: float | None = None
    """Units per millimetre along x; None where the device does not say."""
    y_per_mm: float | None = None
    report_rate: float = 0
    """Reports per second; 0 when not known."""

    def payload(self, report: bytes) -> bytes | None:
        """What stands behind the id; None when it is another report."""
        if not self.report_id:
            return report
        return report[1:] if report[:1] == bytes([self.report_id]) else None


def _bit(offset: int) -> Element:
    return Element(offset, 1, 0, 1)


EPAD = PenLayout(
    x=Element(8, 16, 0, 2896),
    y=Element(24, 16, 0, 1370),
    tip=_bit(5),
    pressure=Element(40, 7, 0, 127),
    buttons=(_bit(0), _bit(1)),
    x_per_mm=2896 / (8.96 * 25.4),
    y_per_mm=2896 / (8.96 * 25.4),
    report_rate=52,
)
"""After an open driver for it, made with a real one. Its report descriptor has the same fields, all in a vendor's own
collection. The size is what that says of x; of y it says another one, and neither was measured. Bit 6 of the first byte
is left out: one source takes it for In Range, the descriptor calls it Untouch (usage 35).
"""

FIXED: Mapping[tuple[int, int], PenLayout] = {(0x04DF, 0x0012): EPAD}
"""Devices whose layout is known beforehand, by vendor and product id."""


def find_pen(descriptor: ReportDescriptor) -> PenLayout | None:
    """The report that has a pen in it: x and y, and a tip or its pressure. A pen's or digitizer's own collection is
    preferred, a tip switch to none; touch screens and touch pads are left out. None when there is none.
    """
    reports: dict[int, dict[int, Field]] = {}
    for field in descriptor.fields:
        outer = field.collections[0] if field.collections else 0
        plain = field.kind is ReportKind.INPUT and not field.is_array and not field.is_relative
        if plain and field.logical_minimum < field.logical_maximum and outer not in (TOUCH_SCREEN, TOUCH_PAD):
            reports.setdefault(field.report_id, {}).setdefault(field.usage, field)
    pens = [fields for fields in reports.values() if X in fields and Y in fields and _tips(fields)]
    return _layout(min(pens, key=_rank)) if pens else None


def _tips(fields: Iterable[int]) -> set[int]:
    return {TIP_SWITCH, TOUCH, TIP_PRESSURE}.intersection(fields)


def _rank(fields: Mapping[int, Field]) -> tuple[bool, bool, bool]:
    own = any(usage in (DIGITIZER, PEN) for usage in fields[X].collections)
    return not own, TIP_SWITCH not in fields, TIP_PRESSURE not in fields


def _layout(fields: Mapping[int, Field]) -> PenLayout:
    def element(*usages: int) -> Element | None:
        return next((_element(fields[usage]) for usage in usages if usage in fields), None)

    buttons = sorted(usage for usage in fields if usage >> 16 == BUTTON_PAGE)
    return PenLayout(
        x=_element(fields[X]),
        y=_element(fields[Y]),
        tip=element(TIP_SWITCH, TOUCH),
        in_range=element(IN_RANGE),
        pressure=element(TIP_PRESSURE),
        tilt_x=_tilt(fields.get(X_TILT)),
        tilt_y=_tilt(fields.get(Y_TILT)),
        barrel=element(BARREL_SWITCH),
        buttons=tuple(_element(fields[usage]) for usage in buttons),
        report_id=fields[X].report_id,
        x_per_mm=_units_per_mm(fields[X]),
        y_per_mm=_units_per_mm(fields[Y]),
    )


def _element(field: Field) -> Element:
    return Element(field.offset, field.size, field.logical_minimum, field.logical_maximum)


def _units_per_mm(field: Field) -> float | None:
    mm, span = MM.get(field.unit), field.physical_maximum - field.physical_minimum
    if mm is None or span <= 0 or abs(field.exponent) > MAX_EXPONENT:
        return None
    return (field.logical_maximum - field.logical_minimum) / (span * 10.0**field.exponent * mm)


def _tilt(field: Field | None) -> Tilt | None:
    if field is None or field.unit not in DEGREES or abs(field.exponent) > MAX_EXPONENT:
        return None
    factor = 10.0**field.exponent * DEGREES[field.unit]
    span = field.physical_maximum - field.physical_minimum
    slope = factor * span / (field.logical_maximum - field.logical_minimum)
    return Tilt(_element(field), slope, factor * field.physical_minimum - slope * field.logical_minimum)
