"""Planes as the print head takes them.

A plane is sent column by column, from left to right. A column is 24 big-endian words of 32 bits for each bit of a dot,
the least significant first: six of a colour, one of black. The head has 672 dots; those from 288 on lie between the
others (the vendor's driver, `rastertoultra.c`, `format_printhead_data_KGE`). The picture's lowest line comes first: two
real jobs, of an Enduro and of an Alto, decode so.
"""

from __future__ import annotations

from functools import cache
from typing import Any

__all__ = ["COLOR_BITS", "HEAD_DOTS", "density", "holes", "packed"]

HEAD_DOTS = 672
WORDS, WORD_BITS = 24, 32
FIRST_DOTS, FIRST_WORD = 288, 6
COLOR_BITS = 6
_CHANNELS = {"R": 0, "G": 1, "B": 2}
STRAIGHT_HEAD = "KGE"
"""Its words begin with their least significant bit; those of all other heads with their most significant."""


def density(rgb: Any, letter: str) -> Any:
    """The 64 steps of a dye: B yellow, G magenta, R cyan. They are the upper six bits of a density of 0 to 255."""
    return (255 - rgb[..., _CHANNELS[letter]]) >> 2


def packed(plane: Any, bits: int, head: str, position: int) -> bytes:
    """A plane of (height, width), row 0 at the top, with values below 2 ** bits.

    585,216 bytes for six bits and 1016 columns, 97,536 for one. `position` is the head's, 50 in the middle. Raises
    ValueError for lines that are not below the head.
    """
    import numpy as np

    height, width = plane.shape
    first = (HEAD_DOTS - height) // 2 + 50 - position
    if not 0 <= first <= HEAD_DOTS - height:
        raise ValueError(f"expected {height} lines within the {HEAD_DOTS} dots of the head, got the first at {first}")
    places = _places(head)[first : first + height]
    columns = np.ascontiguousarray(plane[::-1].T).astype(np.uint8)
    spread = np.zeros((width, bits, WORDS * WORD_BITS), np.uint8)
    for bit in range(bits):
        spread[:, bit, places] = columns >> bit & 1
    return np.packbits(spread, axis=-1).tobytes()


@cache
def _places(head: str) -> Any:
    """Where each dot of the head is among the 768 bits of a column, most significant bit first."""
    import numpy as np

    dots = np.arange(HEAD_DOTS)
    second = dots >= FIRST_DOTS
    within = np.where(second, dots - FIRST_DOTS, dots)
    word = within // 16 + np.where(second, 0, FIRST_WORD)
    bit = within % 16 * 2 + second
    return word * WORD_BITS + (WORD_BITS - 1 - bit if head == STRAIGHT_HEAD else bit)


def holes(overlay: Any) -> list[tuple[int, int, int, int]]:
    """The rectangles that an overlay leaves free: left, lower, right, upper edge, both included, from the lower left
    corner of the picture. Nothing for an overlay that is nowhere.
    """
    import numpy as np

    height = overlay.shape[0]
    if not overlay.any() or overlay.all():
        return []
    changes = np.flatnonzero((overlay[1:] != overlay[:-1]).any(axis=1)) + 1
    found: list[tuple[int, int, int, int]] = []
    growing: dict[tuple[int, int], int] = {}
    for row in (0, *changes.tolist(), height):
        spans = _spans(overlay[row]) if row < height else []
        ended = [span for span in growing if span not in spans]
        found += [(first, height - row, last, height - 1 - growing.pop((first, last))) for first, last in ended]
        for span in spans:
            growing.setdefault(span, row)
    return found


def _spans(line: Any) -> list[tuple[int, int]]:
    """First and last column of each stretch that is free."""
    import numpy as np

    steps = np.flatnonzero(np.diff(np.concatenate(([1], line.astype(np.int8), [1]))))
    return [(int(first), int(last) - 1) for first, last in zip(steps[::2], steps[1::2], strict=True)]
