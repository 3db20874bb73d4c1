"""The digitizers: what their reports look like."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["MODELS", "Model", "Touch"]


@dataclass(frozen=True, slots=True)
class Touch:
    """Where the pen is."""

    x: int
    y: int
    pressure: int
    down: bool
    tilt_x: int = 0
    tilt_y: int = 0
    buttons: int = 0
    """Bits of the buttons on the device."""


@dataclass(frozen=True, slots=True)
class Model:
    """One digitizer. `units_per_mm` is along both axes."""

    vendor_id: int
    product_id: int
    manufacturer: str
    product: str
    width: int
    height: int
    pressure_levels: int
    units_per_mm: float
    rate: int
    buttons: int
    descriptor: bytes
    report: Callable[[Touch], bytes]


def _epad(touch: Touch) -> bytes:
    """6 bytes without an id: buttons 0 and 1, touch 5, 6 is set while it is near; x, y, pressure (an open driver)."""
    flags = touch.buttons & 3 | touch.down << 5 | 1 << 6
    return struct.pack("<BHHB", flags, touch.x, touch.y, touch.pressure if touch.down else 0)


def _pen(touch: Touch) -> bytes:
    """Report 7 of the descriptor below."""
    flags = touch.down | 1 << 5
    pressure = touch.pressure if touch.down else 0
    return struct.pack("<BBHHHbb", 7, flags, touch.x, touch.y, pressure, touch.tilt_x, touch.tilt_y)


def _item(tag: int, value: int, size: int = 1) -> bytes:
    """A short item (HID 1.11, 6.2.2.2): its tag with the size's bits, and a value, lowest byte first."""
    return bytes([tag | (4 if size == 3 else size)]) + value.to_bytes(size, "little", signed=value < 0)


_PAGE, _USAGE, _COLLECTION, _END, _REPORT_ID = 0x04, 0x08, 0xA0, b"\xc0", 0x84
_LOGICAL_MIN, _LOGICAL_MAX, _PHYSICAL_MIN, _PHYSICAL_MAX = 0x14, 0x24, 0x34, 0x44
_EXPONENT, _UNIT, _SIZE, _COUNT, _INPUT = 0x54, 0x64, 0x74, 0x94, 0x80
_VARIABLE, _CONSTANT, _CENTIMETRES = 0x02, 0x03, 0x11
_PEN_WIDTH, _PEN_HEIGHT, _PEN_PER_MM = 6672, 4200, 50


def _axis(usage: int, most: int) -> bytes:
    """A place of 16 bits, with its length in tenths of a millimetre."""
    return b"".join(
        (
            _item(_USAGE, usage),
            _item(_LOGICAL_MAX, most, 2),
            _item(_PHYSICAL_MAX, most * 10 // _PEN_PER_MM, 2),
            _item(_INPUT, _VARIABLE),
        )
    )


_EPAD_DESCRIPTOR = b"".join(
    (
        _item(_PAGE, 0xFF00, 2), _item(_USAGE, 1), _item(_COLLECTION, 1), _item(_LOGICAL_MIN, 0),
        _item(_LOGICAL_MAX, 255, 2), _item(_SIZE, 8), _item(_COUNT, 6), _item(_USAGE, 2), _item(_INPUT, _VARIABLE),
        _END,
    )
)  # fmt: skip
"""All in a vendor's own collection: that is why such a pad must be known."""
_PEN_DESCRIPTOR = b"".join(
    (
        _item(_PAGE, 0x0D), _item(_USAGE, 0x02), _item(_COLLECTION, 1), _item(_REPORT_ID, 7),
        _item(_USAGE, 0x20), _item(_COLLECTION, 0), _item(_LOGICAL_MIN, 0), _item(_LOGICAL_MAX, 1), _item(_SIZE, 1),
        _item(_COUNT, 1), _item(_USAGE, 0x42), _item(_INPUT, _VARIABLE), _item(_USAGE, 0x44), _item(_INPUT, _VARIABLE),
        _item(_COUNT, 3), _item(_INPUT, _CONSTANT),
        _item(_COUNT, 1), _item(_USAGE, 0x32), _item(_INPUT, _VARIABLE), _item(_COUNT, 2), _item(_INPUT, _CONSTANT),
        _item(_SIZE, 16), _item(_COUNT, 1), _item(_PAGE, 0x01), _item(_PHYSICAL_MIN, 0), _item(_UNIT, _CENTIMETRES),
        _item(_EXPONENT, 0x0E), _axis(0x30, _PEN_WIDTH - 1), _axis(0x31, _PEN_HEIGHT - 1),
        _item(_PAGE, 0x0D), _item(_PHYSICAL_MAX, 0), _item(_UNIT, 0), _item(_EXPONENT, 0),
        _item(_USAGE, 0x30), _item(_LOGICAL_MAX, 8191, 2), _item(_INPUT, _VARIABLE),
        _item(_SIZE, 8), _item(_LOGICAL_MIN, -60), _item(_LOGICAL_MAX, 60), _item(_PHYSICAL_MIN, -60),
        _item(_PHYSICAL_MAX, 60), _item(_UNIT, 0x14), _item(_USAGE, 0x3D), _item(_INPUT, _VARIABLE),
        _item(_USAGE, 0x3E), _item(_INPUT, _VARIABLE), _END, _END,
    )
)  # fmt: skip
"""A pen as HID's own usage tables have it (page 0D): tip, barrel, in range, x, y, pressure, tilt."""

MODELS = {
    "epad": Model(
        0x04DF, 0x0012, "Interlink Electronics", "ePad", 2897, 1371, 128, 12.7, 52, 2, _EPAD_DESCRIPTOR, _epad
    ),
    "pen": Model(
        0x1209,
        0x0D02,
        "Invented",
        "Pen display",
        _PEN_WIDTH,
        _PEN_HEIGHT,
        8192,
        _PEN_PER_MM,
        200,
        0,
        _PEN_DESCRIPTOR,
        _pen,
    ),
}
"""`pen` is no product: a display as bank kiosks have it, with the plain digitizer of HID's tables behind it."""
