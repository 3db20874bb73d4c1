"""Bitmaps without ink, as long as those that were sent."""

from __future__ import annotations

import re

from countertop.drivers.evolis.bitmaps import BITS, LINE_BYTES

__all__ = ["BlankBitmap", "bitmap_of"]

LINES = 1016
_PANEL = re.compile(rb"Db;[ymcko];(\d{1,3});")
_COMPRESSED = re.compile(rb"Dbc;[ymcko];2;(\d{1,8});")


class BlankBitmap:
    """Gives the bytes of a bitmap of a known length, a piece at a time."""

    def __init__(self, length: int, head: bytes = b"") -> None:
        """`head`: what it begins with; zeros follow."""
        self._length = length
        self._head = head
        self._given = 0

    @property
    def ended(self) -> bool:
        """All was given."""
        return self._given == self._length

    def take(self, count: int) -> bytes:
        """The next bytes, `count` at most."""
        start = self._given
        self._given = min(self._length, start + count)
        return self._head[start : self._given].ljust(self._given - start, b"\0")


def bitmap_of(head: bytes) -> BlankBitmap | None:
    """The bitmap that this head, without ESC, announces; None for anything else."""
    panel = _PANEL.fullmatch(head)
    if panel is not None:
        bits = BITS.get(int(panel[1]))
        return None if bits is None else BlankBitmap(LINES * LINE_BYTES * bits)
    compressed = _COMPRESSED.fullmatch(head)
    return None if compressed is None else BlankBitmap(int(compressed[1]), _lines(int(compressed[1])))


def _lines(length: int) -> bytes:
    """A compressed panel without ink of so many bytes, which do not tell where there was some: the first lines are
    given at full length, the last with none. Nothing for a length that no panel has.
    """
    spare = length - LINES
    if not 0 <= spare <= LINES * LINE_BYTES:
        return b""
    whole, rest = divmod(spare, LINE_BYTES)
    return (bytes((LINE_BYTES,)) + bytes(LINE_BYTES)) * whole + bytes((rest,))
