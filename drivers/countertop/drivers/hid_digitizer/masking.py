"""What may be kept of a HID digitizer's reports: when the pen touched, not where."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from countertop.drivers.hid_digitizer.layout import Element, PenLayout
from countertop.sdk.trace import Masker

__all__ = ["DigitizerMasker"]


class DigitizerMasker(Masker):
    """Of a pen's report stay its id, its length, and the tip, the range and the buttons, as on or off. Places and tilt
    are the middle of their range; so is the pressure of a pen that writes, that of another is the least. A value beyond
    its limits, which says that it did not change, stays beyond them. All other bits are 0: a pen's serial number, scan
    time, what a vendor put there. Of other reports only the id stays.

    So a replay shows the same samples in number, strokes without a shape, and the same buttons. Nothing is held back.
    """

    def __init__(self, layout: Callable[[], PenLayout | None], threshold: int) -> None:
        """`layout`: the driver's, when it is asked; while it is None, reports are kept as zeros. `threshold`: the
        pressure from which on the pen writes.
        """
        self._layout = layout
        self._threshold = threshold

    def sent(self, data: bytes) -> bytes:
        """The driver sends nothing."""
        return data[:1].ljust(len(data), b"\0")

    def received(self, data: bytes) -> bytes:
        """One report."""
        layout = self._layout()
        if layout is None:
            return bytes(len(data))
        payload = layout.payload(data)
        if payload is None:
            return data[:1].ljust(len(data), b"\0")
        bits = 0
        for element, value in self._values(layout, payload):
            bits |= (value & (1 << element.size) - 1) << element.offset
        return data[: len(data) - len(payload)] + bits.to_bytes(len(payload), "little")

    def end(self) -> tuple[bytes, bytes]:
        """Nothing is held back."""
        return b"", b""

    def _values(self, layout: PenLayout, payload: bytes) -> Iterator[tuple[Element, int]]:
        """What the pen's report may say, number by number."""
        tilts = (tilt.element for tilt in (layout.tilt_x, layout.tilt_y) if tilt is not None)
        switches = (layout.tip, layout.in_range, layout.barrel, *layout.buttons)
        for element, mask in (
            (layout.x, _middle),
            (layout.y, _middle),
            (layout.pressure, self._pressure),
            *((tilt, _middle) for tilt in tilts),
            *((switch, _switch) for switch in switches),
        ):
            if element is not None and element.offset + element.size <= 8 * len(payload):
                value = element.read(payload)
                yield element, _beyond(element) if value is None else mask(element, value)

    def _pressure(self, element: Element, value: int) -> int:
        low, _ = _limits(element)
        least = element.minimum + self._threshold
        return max(least, _middle(element, value)) if value >= least else low


def _bounds(element: Element) -> tuple[int, int]:
    """What its bits can say."""
    if element.minimum < 0:
        return -(1 << (element.size - 1)), (1 << (element.size - 1)) - 1
    return 0, (1 << element.size) - 1


def _limits(element: Element) -> tuple[int, int]:
    """What its bits can say within its limits."""
    lowest, highest = _bounds(element)
    return max(lowest, element.minimum), min(highest, element.maximum)


def _beyond(element: Element) -> int:
    """One value for all that are beyond its limits."""
    lowest, highest = _bounds(element)
    return highest if highest > element.maximum else lowest


def _middle(element: Element, value: int) -> int:
    low, high = _limits(element)
    return (low + high) // 2


def _switch(element: Element, value: int) -> int:
    """0 for off, and one value for all that are on."""
    low, high = _limits(element)
    if not value or low <= 1 <= high:
        return int(bool(value))
    return high or low
