"""Bitmaps as PNG files, with nothing but zlib."""

from __future__ import annotations

import struct
import zlib

from countertop.sdk.receipt.ir import Bitmap

__all__ = ["to_png"]

_INVERT = bytes(255 - value for value in range(256))


def to_png(bitmap: Bitmap) -> bytes:
    """A 1-bit greyscale PNG, black on white, one pixel a dot."""
    inverted, stride = bitmap.rows.translate(_INVERT), bitmap.stride
    rows = b"".join(b"\0" + inverted[at : at + stride] for at in range(0, len(inverted), stride))
    header = struct.pack(">IIBBBBB", bitmap.width, bitmap.height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    name, data = chunk
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
