"""Packets of Topaz pads: a status byte, marked by its highest bit, and two halves each of x and y."""

from __future__ import annotations

__all__ = ["identity", "position", "pressure"]

_PRESSURE, _IDENTITY = 7, 2


def position(x: int, y: int, *, near: bool, down: bool, narrow: bool = False) -> bytes:
    """Where the pen is, 0 to 4095 each."""
    if narrow:
        return bytes([0x40 | near << 2 | down, x & 0x3F, x >> 6, y & 0x3F, y >> 6])
    return bytes([0x80 | near << 6 | down, x & 0x7F, x >> 7, y & 0x7F, y >> 7])


def pressure(value: int) -> bytes:
    """0 to 1023."""
    return bytes([0x80 | 0x40 | _PRESSURE << 2 | 1, 0, 0, value & 0x7F, value >> 7])


def identity(model: int, serial: int) -> bytes:
    """Who it is: the model's number, 6 bits, and 18 bits of serial number."""
    first, second = model << 2 | serial >> 16, serial & 0xFFFF
    return bytes([0x80 | _IDENTITY << 2, first & 0x7F, first >> 7, second & 0x7F, second >> 7 & 0x7F])
