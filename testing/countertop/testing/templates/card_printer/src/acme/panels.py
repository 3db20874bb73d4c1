"""From planes to the printer's panels. No I/O; may take a while: call it in a thread."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from countertop.sdk.cards import CardImage, Planes

__all__ = ["panel_commands"]

PART = 32_768
"""Bytes of a panel in one command."""
_DYES = {"C": 0, "M": 1, "Y": 2}


def panel_commands(image: CardImage, ribbon: str) -> list[bytes]:
    """The payloads of the commands that load an image, for a ribbon with these panels."""
    sides = ((0, image.front), (1, image.back))
    return [part for side, planes in sides if planes is not None for part in _side(side, planes, ribbon)]


def _side(side: int, planes: Planes, ribbon: str) -> Iterator[bytes]:
    for letter in ribbon:
        data = _panel(planes, letter)
        if data is None:
            continue
        packed = zlib.compress(data, 1)
        for start in range(0, len(packed), PART):
            last = start + PART >= len(packed)
            yield bytes([side, ord(letter), last]) + packed[start : start + PART]


def _panel(planes: Planes, letter: str) -> bytes | None:
    """None for a panel that leaves nothing on the card."""
    if letter in _DYES:
        return None if planes.rgb is None else (255 - planes.rgb[..., _DYES[letter]]).astype(np.uint8).tobytes()
    plane: Any = {"K": planes.black, "O": planes.overlay}.get(letter)
    return None if plane is None or not plane.any() else np.packbits(plane, axis=1).tobytes()
