"""Planes as they come over the wire, as pictures.

Each column has `bits` times 24 words of 32 bits, big-endian, least significant bit of the dots first. Dot `y` of the
head's 672 is, below 288, in word 6 + y / 16 at every second bit, else in word (y - 288) / 16 at the bits between. An
Enduro counts bits from the most significant one, an Alto and its like from the least. `y` grows from the lower edge of
the card (two real jobs, of which the picture that was printed is known).
"""

from __future__ import annotations

from typing import Any

from countertop.emulators.core.cards.picture import CANVAS

__all__ = ["HEAD", "area_of", "column_bytes", "on_canvas", "unpack"]

HEAD = 672
WORDS = 24


def column_bytes(bits: int) -> int:
    """Of one column: 576 or 96."""
    return bits * WORDS * 4


def unpack(data: bytes, bits: int, *, width: int, height: int, position: int, straight: bool) -> Any:
    """A picture of (height, width), row 0 at the top, of values below 2 ** bits.

    Lines that the head's position puts beside the head are blank. Raises ValueError for another number of bytes.
    """
    import numpy as np

    if len(data) != width * column_bytes(bits):
        raise ValueError(f"expected {width * column_bytes(bits)} bytes for {width} columns, got {len(data)}")
    words = np.frombuffer(data, ">u4").reshape(width, bits, WORDS)
    dots = np.zeros((HEAD, width), np.uint8)
    for y in range(HEAD):
        word, place = (6 + y // 16, 2 * (y % 16)) if y < 288 else ((y - 288) // 16, 2 * ((y - 288) % 16) + 1)
        shift = place if straight else 31 - place
        for bit in range(bits):
            dots[y] |= ((words[:, bit, word] >> shift & 1) << bit).astype(np.uint8)
    first = (HEAD - height) // 2 + 50 - position
    upright = np.zeros((height, width), np.uint8)
    low, high = max(0, first), min(HEAD, first + height)
    upright[low - first : high - first] = dots[low:high]
    return np.ascontiguousarray(upright[::-1])


def area_of(areas: list[tuple[int, int, int, int]], width: int, height: int) -> Any:
    """Where any of the areas is, (height, width); their edges count from the lower left corner."""
    import numpy as np

    found = np.zeros((height, width), bool)
    for left, low, right, high in areas:
        found[max(0, height - 1 - high) : max(0, height - low), left : right + 1] = True
    return found


def on_canvas(picture: Any) -> Any:
    """In the middle of the canvas of a side; one that is larger loses its edges."""
    import numpy as np

    width, height = CANVAS
    rows, columns = picture.shape
    placed = np.zeros((height, width), picture.dtype)
    top, left = max(0, (height - rows) // 2), max(0, (width - columns) // 2)
    cut = picture[max(0, rows - height) // 2 :, max(0, columns - width) // 2 :][: height - top, : width - left]
    placed[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    return placed
