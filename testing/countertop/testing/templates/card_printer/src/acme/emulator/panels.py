"""The printer's memory for panels, until they are printed."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

__all__ = ["PanelMemory"]

WIDTH, HEIGHT = 1016, 648
DYE, RESIN = WIDTH * HEIGHT, WIDTH // 8 * HEIGHT
SIZES = {"C": DYE, "M": DYE, "Y": DYE, "K": RESIN, "O": RESIN}
"""Bytes of a panel."""


class PanelMemory:
    """Ten panels at most: five of each side. `whole` holds those that are complete, as arrays, by side and letter."""

    def __init__(self) -> None:
        self.whole: dict[tuple[int, str], Any] = {}
        self._packed = bytearray()

    def clear(self) -> None:
        """Forget all."""
        self.whole.clear()
        self._packed.clear()

    def take(self, side: int, letter: str, data: bytes, *, last: bool) -> bool:
        """A part of a panel. False for one that is none; what came of it before is forgotten."""
        if side not in (0, 1) or letter not in SIZES or len(self._packed) > SIZES[letter] * 2:
            self._packed.clear()
            return False
        self._packed += data
        if not last:
            return True
        packed = bytes(self._packed)
        self._packed.clear()
        plane = _unpacked(letter, packed)
        if plane is None:
            return False
        self.whole[side, letter] = plane
        return True


def _unpacked(letter: str, packed: bytes) -> Any | None:
    size, inflater = SIZES[letter], zlib.decompressobj()
    try:
        data = inflater.decompress(packed, size + 1)
    except zlib.error:
        return None
    if len(data) != size:
        return None
    dots = np.frombuffer(data, np.uint8).reshape(HEIGHT, -1)
    return dots if letter in "CMY" else np.unpackbits(dots, axis=1).astype(bool)
