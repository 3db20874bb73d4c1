"""A picture format for tests: fills the 1024 bytes of a card's photo with a cartoon that can be decoded here.

Real photos (WLT) are decoded by vendors' libraries only. A test photo begins with the header that real ones have, so
that readers take it for one, then has its own marker, by which `decode_test_photo` knows it::

    57 4C | width 0066 LE | height 007E LE | 32 00 00 FF 85 | "CTTP" | size LE16 | zlib | zeros

The zlib stream holds eight RGB colours, then two palette indices a byte, each row as its difference from the one
above.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from random import Random

from countertop.v1.image_pb2 import Image

__all__ = ["PHOTO_SIZE", "decode_test_photo", "make_test_photo"]

PHOTO_SIZE = 1024
WIDTH, HEIGHT = 102, 126
_HEADER = bytes.fromhex("574C66007E0032 0000FF85")
_MARKER = b"CTTP"
_START = len(_HEADER) + len(_MARKER) + 2
_COLOURS = 8
_ROW = WIDTH // 2
_BACKGROUND, _SKIN, _HAIR, _COAT, _WHITE, _EYE, _MOUTH, _SHADE = range(_COLOURS)

_SKINS = ("f2d2b6", "e8c09a", "d9a77c", "c68f63")
_HAIRS = ("1c1a19", "2e2320", "4a3728", "777777")
_COATS = ("27405f", "5b2434", "2f5a46", "3d3d46")

Ellipse = tuple[int, float, float, float, float]


def make_test_photo(seed: int) -> bytes:
    """1024 bytes with a cartoon portrait; the same seed gives the same face."""
    random = Random(seed)
    colours = ("d7e3ee", random.choice(_SKINS), random.choice(_HAIRS), random.choice(_COATS))
    palette = bytes.fromhex("".join((*colours, "ffffff", "221f1f", "b5545a", "b98a6b")))
    packed = zlib.compress(palette + _pack(_draw(random)), 9)
    if _START + len(packed) > PHOTO_SIZE:
        raise AssertionError(f"the cartoon needs {len(packed)} bytes")
    return (_HEADER + _MARKER + struct.pack("<H", len(packed)) + packed).ljust(PHOTO_SIZE, b"\0")


def decode_test_photo(raw: bytes) -> Image | None:
    """The picture as PNG, 102 by 126 pixels; None when it is not one of ours."""
    if len(raw) != PHOTO_SIZE or not raw.startswith(_HEADER + _MARKER):
        return None
    (size,) = struct.unpack_from("<H", raw, _START - 2)
    wanted = 3 * _COLOURS + _ROW * HEIGHT
    try:
        plain = zlib.decompressobj().decompress(raw[_START : _START + size], wanted + 1)
    except zlib.error:
        return None
    if len(plain) != wanted:
        return None
    palette, rows = plain[: 3 * _COLOURS], plain[3 * _COLOURS :]
    return Image(media_type="image/png", width=WIDTH, height=HEIGHT, data=_png(palette, rows))


def _shapes(random: Random) -> Iterator[Ellipse]:
    """What a face is made of, from back to front: colour, centre, radii."""
    x, y = 51.0, random.uniform(54, 58)
    wide, high = random.uniform(22, 26), random.uniform(29, 33)
    hair = random.uniform(4, 8)
    if random.random() < 0.5:
        yield _HAIR, x, y + 14, wide + 6, high + 6
    yield _COAT, x, 130, random.uniform(42, 48), 34
    yield _WHITE, x, 98, 13, 10
    yield _SHADE, x, y + high - 2, 9, 14
    yield _HAIR, x, y - 5, wide + 4, high + hair - 2
    yield _SKIN, x, y + 4, wide, high - 3
    eye_x, eye_y, brow = random.uniform(9, 11), y + random.uniform(-2, 1), random.uniform(6, 8)
    for side in (-1, 1):
        yield _SKIN, x + side * wide, y + 4, 3.5, 6
        yield _WHITE, x + side * eye_x, eye_y, 4.5, 2.6
        yield _EYE, x + side * eye_x, eye_y, 2.2, 2.2
        yield _HAIR, x + side * eye_x, eye_y - brow, 5.5, 1.2
    yield _SHADE, x, y + 9, 2.5, 1.5
    yield _MOUTH, x, y + 18, random.uniform(5, 9), random.uniform(1.4, 2.4)


def _draw(random: Random) -> list[bytearray]:
    """Rows of palette indices."""
    rows = [bytearray(WIDTH) for _ in range(HEIGHT)]
    for colour, cx, cy, rx, ry in _shapes(random):
        for y in range(max(0, int(cy - ry)), min(HEIGHT, int(cy + ry) + 2)):
            square = 1 - ((y + 0.5 - cy) / ry) ** 2
            half = rx * square**0.5 if square > 0 else 0.0
            left, right = max(0, round(cx - half)), min(WIDTH, round(cx + half))
            if left < right:
                rows[y][left:right] = bytes((colour,)) * (right - left)
    return rows


def _pack(rows: list[bytearray]) -> bytes:
    packed = [bytes(high << 4 | low for high, low in zip(row[::2], row[1::2], strict=True)) for row in rows]
    above = [bytes(_ROW), *packed]
    return b"".join(bytes(a ^ b for a, b in zip(*pair, strict=True)) for pair in zip(packed, above, strict=False))


def _png(palette: bytes, differences: bytes) -> bytes:
    """A PNG of 4-bit palette indices; broken indices show as whatever colour they fall on."""
    row, lines = bytes(_ROW), bytearray()
    for start in range(0, len(differences), _ROW):
        row = bytes((a ^ b) & 0x77 for a, b in zip(row, differences[start : start + _ROW], strict=True))
        lines += b"\0" + row
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 4, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(bytes(lines), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
