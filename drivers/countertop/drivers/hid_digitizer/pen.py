"""From a digitizer's input reports to the pen's samples. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from countertop.drivers.hid_digitizer.layout import Element, PenLayout
from countertop.sdk import PenSample
from countertop.sdk.signing import ButtonPress, PadEvent
from countertop.v1.ink_pb2 import InkSpace
from countertop.v1.signature_pad_pb2 import PadButton

__all__ = ["PenReader"]

SQUARE = 0.01
"""How much the resolutions of x and y may differ and still be taken for the same."""


class PenReader:
    """Reads one device's reports.

    Ink has one resolution: where those of x and y differ, the coarser axis is stretched to the finer one's, so that
    no place is lost; everywhere else places are the device's own, counted from its least.
    """

    def __init__(
        self,
        layout: PenLayout,
        x_per_mm: float,
        y_per_mm: float,
        *,
        threshold: int = 1,
        report_rate: float = 0,
        keys: Mapping[Element, PadButton] | None = None,
    ) -> None:
        """`threshold`: the pressure from which on the pen writes, where the device has no tip switch. `keys`: what the
        device's buttons mean.
        """
        finer = max(x_per_mm, y_per_mm)
        stretch = finer > (1 + SQUARE) * min(x_per_mm, y_per_mm)
        self._layout = layout
        self._stretch_x = finer / x_per_mm if stretch else 1.0
        self._stretch_y = finer / y_per_mm if stretch else 1.0
        self._threshold = threshold
        self._keys = dict(keys or {})
        self._held: set[Element] = set()
        self._place: tuple[int, int] | None = None
        self._pressure = 0
        pressure = layout.pressure
        self.space = InkSpace(
            width=self._across(layout.x, layout.x.maximum, self._stretch_x) + 1,
            height=self._across(layout.y, layout.y.maximum, self._stretch_y) + 1,
            units_per_mm=finer if stretch else x_per_mm,
            pressure_levels=pressure.maximum - pressure.minimum + 1 if pressure else 0,
            report_rate=report_rate or layout.report_rate,
        )

    def take(self, report: bytes) -> list[PadEvent]:
        """What one input report tells, its id first where reports are numbered; nothing for other reports."""
        payload = self._layout.payload(report)
        if payload is None:
            return []
        events: list[PadEvent] = [ButtonPress(self._keys[key]) for key in self._pressed(payload)]
        sample = self._sample(payload)
        if sample is not None:
            events.append(sample)
        return events

    def forget(self) -> None:
        """Forget where the pen was."""
        self._place, self._pressure = None, 0

    def _pressed(self, payload: bytes) -> list[Element]:
        before = self._held
        self._held = {key for key in self._keys if key.read(payload)}
        return [key for key in self._keys if key in self._held and key not in before]

    def _sample(self, payload: bytes) -> PenSample | None:
        layout = self._layout
        x, y = layout.x.read(payload), layout.y.read(payload)
        if x is not None and y is not None:
            self._place = self._across(layout.x, x, self._stretch_x), self._across(layout.y, y, self._stretch_y)
        if layout.pressure and (pressure := layout.pressure.read(payload)) is not None:
            self._pressure = pressure - layout.pressure.minimum
        if self._place is None:
            return None
        return PenSample(
            *self._place,
            touching=self._touches(payload),
            pressure=self._pressure if layout.pressure else None,
            tilt_x=layout.tilt_x.read(payload) if layout.tilt_x else None,
            tilt_y=layout.tilt_y.read(payload) if layout.tilt_y else None,
        )

    def _touches(self, payload: bytes) -> bool:
        layout = self._layout
        if layout.in_range and layout.in_range.read(payload) == 0:
            return False
        return bool(layout.tip.read(payload)) if layout.tip else self._pressure >= self._threshold

    @staticmethod
    def _across(axis: Element, value: int, stretch: float) -> int:
        return round((value - axis.minimum) * stretch)
