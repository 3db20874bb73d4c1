"""The printer's fonts (A 12 by 24, B 9 by 17, Kanji 24 by 24), drawn from an outline font and cut to one bit."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["glyph", "load_font"]

_PLACES = ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
_INK = 104


def _font_file() -> Path:
    package = find_spec("paperang_p2_fonts_cjk")
    folders = list(package.submodule_search_locations or ()) if package else []
    candidates = [Path(os.environ.get("COUNTERTOP_FONT") or "/nonexistent")]
    candidates += [Path(folder, "fonts", "wqy-microhei.ttc") for folder in folders]
    for candidate in (*candidates, *map(Path, _PLACES)):
        if candidate.is_file():
            return candidate
    raise OSError("the emulated printer has no font: run `pip install 'countertop[receipt]'` or set COUNTERTOP_FONT")


@cache
def load_font(size: int) -> Any:
    """The outline font at a size. Raises OSError that says how to get one."""
    from PIL import ImageFont

    path = _font_file()
    return ImageFont.truetype(str(path), size, index=1 if path.name == "wqy-microhei.ttc" else 0)


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
