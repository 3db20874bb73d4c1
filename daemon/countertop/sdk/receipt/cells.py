"""How wide text is: half-width cells, the rule that GB18030 printers and this layout share.

East Asian wide and fullwidth characters take two cells. So do ambiguous ones (“ ” … — ×), since a Chinese printer
prints them from its two-byte font. Combining marks take none. Everything else takes one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from countertop.sdk.receipt.ir import Paper, Style

__all__ = ["char_cells", "clusters", "text_cells", "text_width"]

_PLAIN = re.compile(r"[ -~]*")
_IDEOGRAPHS = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff60]*")


@lru_cache(maxsize=65536)
def char_cells(char: str) -> int:
    """Cells of one character: 0, 1 or 2."""
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WFA" else 1


def text_cells(text: str) -> int:
    """Cells of a text at normal size."""
    if text.isascii():
        return len(text)
    if _IDEOGRAPHS.fullmatch(text):
        return 2 * len(text)
    return sum(map(char_cells, text))


def text_width(text: str, style: Style, paper: Paper) -> int:
    """Dots that a text takes in a style. Wide characters of the small font are as wide as those of font A."""
    if not style.small:
        return text_cells(text) * paper.cell[0] * style.width
    narrow = sum(1 for char in text if char_cells(char) == 1)
    wide = text_cells(text) - narrow
    return (narrow * paper.small_cell[0] + wide * paper.cell[0]) * style.width


def clusters(text: str) -> Iterator[str]:
    """Characters with the marks that combine with them; never cut inside one."""
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or char_cells(text[index]) > 0:
            yield text[start:index]
            start = index
