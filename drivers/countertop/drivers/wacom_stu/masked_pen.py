"""Pen reports without a shape: when the pen touched, and which button it was on, not where it wrote."""

from __future__ import annotations

import struct
from collections.abc import Callable

from countertop.drivers.wacom_stu.pen import (
    ENCRYPTED,
    OPTION,
    PLAIN,
    SIZES,
    TIMED,
    TIMED_ENCRYPTED,
    PenDecoder,
)
from countertop.drivers.wacom_stu.reports import Capability
from countertop.sdk import ProtocolFault

__all__ = ["PenMask"]

BUTTONS = 3
"""Side by side along the screen's lower edge, as `countertop.sdk.signing.screen` draws them."""
_BEHIND_PLACE = {PLAIN: 0, OPTION: 2, TIMED: 4}
"""Bytes of time and count behind the place."""


class PenMask:
    """Masks pen reports. `decoder` gives the driver's own, which has the key and the session of encrypted ones."""

    def __init__(self, decoder: Callable[[], PenDecoder], thresholds: tuple[int, int]) -> None:
        self.thresholds = thresholds
        """Of pressure, from which on and below which not any more the pen writes."""
        self._decoder = decoder
        self._tablet = (0, 0)
        self._bar = 0

    def measure(self, pad: Capability) -> None:
        """Learn how large the pad is."""
        self._tablet = pad.tablet_x, pad.tablet_y
        pixels = pad.height - max(28, pad.height // 8)
        self._bar = -(-pixels * pad.tablet_y // pad.height)

    def mask(self, report: bytes) -> bytes:
        """A report of one of the kinds in `pen.SIZES`, as long as it was."""
        kind = report[0]
        if len(report) < SIZES[kind]:
            return bytes([kind]).ljust(len(report), b"\0")
        if kind in ENCRYPTED:
            return self._encrypted(report)
        return self._plain(kind, report[1:]).ljust(len(report), b"\0")

    def _encrypted(self, report: bytes) -> bytes:
        """As if it had come in the clear; of a pair the later half. What the driver cannot open stays so, and blank."""
        kind = report[0]
        try:
            block = self._decoder().opened(report)
        except ProtocolFault:
            return bytes([kind]).ljust(len(report), b"\0")
        plain = self._plain(TIMED, block) if kind == TIMED_ENCRYPTED else self._plain(PLAIN, block[10:16])
        return plain.ljust(len(report), b"\0")

    def _plain(self, kind: int, data: bytes) -> bytes:
        head, x, y = struct.unpack(">HHH", data[:6])
        pressure = self._pressure(head & 0x0FFF)
        place = self._place(x, y)
        return struct.pack(">BHHH", kind, head & 0xF000 | pressure, *place) + data[6 : 6 + _BEHIND_PLACE[kind]]

    def _pressure(self, value: int) -> int:
        """The least that is on the same side of both thresholds."""
        return max((threshold for threshold in self.thresholds if value >= threshold), default=0)

    def _place(self, x: int, y: int) -> tuple[int, int]:
        """The middle of the button that it is on, or of all that is no button."""
        width, height = self._tablet
        if 0 < self._bar <= y < height and x < width:
            button = BUTTONS * x // width
            first, behind = -(-button * width // BUTTONS), -(-(button + 1) * width // BUTTONS)
            return (first + behind - 1) // 2, (self._bar + height) // 2
        return width // 2, self._bar // 2 if self._bar > 0 else height // 2
