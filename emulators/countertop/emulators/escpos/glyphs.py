"""The printer's fonts (A 12 by 24, B 9 by 17, Kanji 24 by 24), drawn from an outline font and cut to one bit."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from countertop.emulators.core.fonts import load_font

__all__ = ["glyph"]

_INK = 104


@lru_cache(maxsize=4096)
def glyph(char: str, width: int, height: int) -> Any:
    """A character as a numpy array of booleans (height, width), True for black."""
    import numpy as np
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (width, height))
    if not char.isspace():
        font = load_font(22 if height >= 24 else 16)
        left, _, right, _ = font.getbbox(char, anchor="ls")
        baseline = height - (5 if height >= 24 else 4)
        ImageDraw.Draw(canvas).text(((width - (right - left)) // 2 - left, baseline), char, 255, font, anchor="ls")
    return np.array(canvas) > _INK
