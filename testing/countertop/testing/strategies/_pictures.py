"""Small picture files, written by hand: no library is needed to make them."""

from __future__ import annotations

import struct
import zlib
from functools import cache

from hypothesis import strategies as st

__all__ = ["picture_files", "png"]

_PATTERNS = st.binary(min_size=1, max_size=8)
_BMP = -1
_KINDS = st.sampled_from((0, 2, 4, 6, _BMP))
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Samples of a pixel by PNG's colour type: grey, RGB, grey with alpha, RGB with alpha."""


@cache
def picture_files(max_side: int = 16) -> st.SearchStrategy[bytes]:
    """PNG and BMP files of 1 to `max_side` pixels a side, at most four times as high as wide and the other way round:
    grey, colour, with an alpha channel. PNG (ISO/IEC 15948), BMP with 24 bits a pixel.
    """

    @st.composite
    def files(draw: st.DrawFn) -> bytes:
        width = draw(st.integers(1, max_side))
        height = draw(st.integers(-(-width // 4), min(max_side, 4 * width)))
        pattern, kind = draw(_PATTERNS), draw(_KINDS)
        return _bmp(width, height, pattern) if kind == _BMP else png(width, height, pattern, kind)

    return files()


def png(width: int, height: int, pattern: bytes, color_type: int = 0) -> bytes:
    """A file of 8 bits a sample, filled with a pattern."""
    row = width * _CHANNELS[color_type]
    samples = _repeated(pattern, row * height)
    body = b"".join(b"\0" + samples[at : at + row] for at in range(0, len(samples), row))
    header = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(body)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _bmp(width: int, height: int, pattern: bytes) -> bytes:
    row = -(-width * 3 // 4) * 4
    head = struct.pack("<2sIHHI", b"BM", 54 + row * height, 0, 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, row * height, 2835, 2835, 0, 0)
    return head + info + _repeated(pattern, row * height)


def _repeated(pattern: bytes, size: int) -> bytes:
    return (pattern * (size // len(pattern) + 1))[:size]
