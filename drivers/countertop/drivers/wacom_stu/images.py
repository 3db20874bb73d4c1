"""Pictures in the encodings of STU pads (Wacom's STU SDK: ProtocolHelper)."""

from __future__ import annotations

import zlib

__all__ = ["NAMES", "encode", "pick"]

ONE_BIT, ONE_BIT_ZLIB, SIXTEEN_BIT, TWENTY_FOUR_BIT = 0x00, 0x01, 0x02, 0x04
NAMES = {"24bit": TWENTY_FOUR_BIT, "16bit": SIXTEEN_BIT, "1bit-zlib": ONE_BIT_ZLIB, "1bit": ONE_BIT}
"""Best first."""
_FLAGS = {TWENTY_FOUR_BIT: 8, SIXTEEN_BIT: 4, ONE_BIT: 2, ONE_BIT_ZLIB: 1}
"""Bits of the capability report's encoding flag."""
BITS = {TWENTY_FOUR_BIT: 24, SIXTEEN_BIT: 16, ONE_BIT: 1, ONE_BIT_ZLIB: 1}
_INK = bytes(0x30 if value <= 0x80 else 0x31 for value in range(256))
"""Dark is ink, 0; light is 1: as digits."""
_RED_HIGH = bytes(value & 0xF8 for value in range(256))
_GREEN_HIGH = bytes(value >> 5 for value in range(256))
_GREEN_LOW = bytes(value << 3 & 0xE0 for value in range(256))
_BLUE_LOW = bytes(value >> 3 for value in range(256))


def pick(flags: int) -> int:
    """The best encoding that the pad takes; plain 1 bit when it names none."""
    return next((encoding for encoding in NAMES.values() if flags & _FLAGS[encoding]), ONE_BIT)


def encode(pixels: bytes, width: int, height: int, encoding: int) -> bytes:
    """RGB pixels, 3 bytes each, rows from the top. 24 bits: blue, green, red; 16 bits: RGB565, high byte first; 1 bit:
    1 is white, highest bit first, rows padded to bytes.
    """
    red, green, blue = pixels[0::3], pixels[1::3], pixels[2::3]
    if encoding == TWENTY_FOUR_BIT:
        swapped = bytearray(pixels)
        swapped[0::3], swapped[2::3] = blue, red
        return bytes(swapped)
    if encoding == SIXTEEN_BIT:
        packed = bytearray(width * height * 2)
        packed[0::2] = _either(red.translate(_RED_HIGH), green.translate(_GREEN_HIGH))
        packed[1::2] = _either(green.translate(_GREEN_LOW), blue.translate(_BLUE_LOW))
        return bytes(packed)
    digits = _either(_either(red, green), blue).translate(_INK)
    stride = (width + 7) // 8
    padding = b"1" * (stride * 8 - width)
    rows = (digits[y * width : (y + 1) * width] + padding for y in range(height))
    packed_rows = b"".join(int(row, 2).to_bytes(stride, "big") for row in rows)
    return zlib.compress(packed_rows, 9) if encoding == ONE_BIT_ZLIB else packed_rows


def _either(one: bytes, other: bytes) -> bytes:
    """The bits of both, all bytes at once."""
    return (int.from_bytes(one, "big") | int.from_bytes(other, "big")).to_bytes(len(one), "big")
