"""Finds fonts that can draw Chinese, and draws characters into cells.

Looked for in this order: the file named by the environment variable COUNTERTOP_FONT, the font package of the `receipt`
extra, well-known places of Linux distributions. A character is drawn by the first font that has it; one that none has
becomes a frame with its code point, and is counted: nothing is silently replaced.
"""

from __future__ import annotations

import os
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from countertop.sdk.errors import CountertopError
from countertop.sdk.receipt._needs import need
from countertop.v1 import error_pb2

__all__ = ["font_files", "glyph"]

_SYSTEM_FONTS = (
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/opentype/unifont/unifont.otf",
    "/usr/share/fonts/opentype/unifont/unifont_upper.otf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
)
_MONO_FACES = {"wqy-microhei.ttc": 1}
"""Faces of collections in which Latin letters are exactly half as wide as ideographs."""
_NOTHING = "\U0010ffff"
"""A code point that no font has: its glyph is what a font shows for characters that it lacks."""


@cache
def font_files() -> tuple[Path, ...]:
    """The fonts of this machine, best first. Raises CountertopError(NOT_SUPPORTED) when there is none."""
    found = []
    named = os.environ.get("COUNTERTOP_FONT")
    if named:
        if not Path(named).is_file():
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, f"COUNTERTOP_FONT names no file: {named}.")
        found.append(Path(named))
    package = find_spec("paperang_p2_fonts_cjk")
    if package is not None and package.submodule_search_locations:
        found += sorted(Path(package.submodule_search_locations[0]).glob("fonts/*.tt[cf]"))
    found += [path for path in map(Path, _SYSTEM_FONTS) if path.is_file()]
    if not found:
        raise CountertopError(
            error_pb2.REASON_NOT_SUPPORTED,
            "No font that can draw Chinese was found: run `pip install 'countertop[receipt]'`, or set COUNTERTOP_FONT.",
        )
    return tuple(found)


@cache
def _font(path: Path, size: int) -> Any:
    return need("PIL.ImageFont").truetype(str(path), size, index=_MONO_FACES.get(path.name, 0))


@cache
def _lacking(path: Path, size: int) -> bytes:
    return bytes(_font(path, size).getmask(_NOTHING, mode="L"))


def _has(path: Path, text: str, size: int) -> bool:
    mask = _font(path, size).getmask(text[0], mode="L")
    return text.isspace() or (mask.size != (0, 0) and bytes(mask) != _lacking(path, size))


@lru_cache(maxsize=8192)
def glyph(text: str, width: int, height: int) -> tuple[Any, bool]:
    """A character with its combining marks: a numpy array of booleans (height, width), and whether a font had it."""
    np = need("numpy")
    if text.isspace():
        return np.zeros((height, width), bool), True
    size = height if height < 20 else height - 2
    for path in font_files():
        if _has(path, text, size):
            return _drawn(path, text, width, height, size), True
    return _code_point(ord(text[0]), width, height), False


def _drawn(path: Path, text: str, width: int, height: int, size: int) -> Any:
    np, font = need("numpy"), _font(path, size)
    image = need("PIL.Image").new("L", (width, height), 0)
    ascent, descent = font.getmetrics()
    x = (width - font.getlength(text)) / 2
    y = (height - ascent - descent) / 2
    need("PIL.ImageDraw").Draw(image).text((round(x), round(y)), text, fill=255, font=font)
    return np.asarray(image) >= 110


_DIGITS = dict(
    zip(
        "0123456789ABCDEF",
        (0x7B6F, 0x2C97, 0x73E7, 0x73CF, 0x5BC9, 0x79CF, 0x79EF, 0x7249, 0x7BEF, 0x7BCF, 0x7BED, 0x6BAE, 0x7927, 0x6B6E,
         0x79E7, 0x79E4),
        strict=True,
    )
)  # fmt: skip
"""Hexadecimal digits, 3 by 5 dots, rows from the top, most significant bit first."""


def _code_point(code: int, width: int, height: int) -> Any:
    """A frame with a code point inside, in two columns of tiny digits."""
    np = need("numpy")
    box = np.zeros((height, width), bool)
    box[1:-1, 0] = box[1:-1, -1] = box[1, :] = box[-2, :] = True
    columns = max(1, (width - 2) // 4)
    for index, digit in enumerate(f"{code:04X}"):
        top, left = 3 + index // columns * 6, 2 + index % columns * 4
        pattern = [[_DIGITS[digit] >> (14 - row * 3 - column) & 1 for column in range(3)] for row in range(5)]
        if top + 5 < height and left + 3 <= width:
            box[top : top + 5, left : left + 3] = np.array(pattern, bool)
    return box
