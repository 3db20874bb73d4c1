"""How wide text is: half-width cells, the rule that GB18030 printers and this layout share.

East Asian wide and fullwidth characters take two cells. So do ambiguous signs (“ ” … — ×), since a Chinese printer
prints them from its two-byte font; ambiguous letters (é, α, я) take one, as code pages print them. Combining marks take
none. Everything else takes one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from countertop.sdk.receipt.ir import Paper, Style

__all__ = ["all_common", "char_cells", "clusters", "text_cells", "text_width"]

_COMMON = re.compile(
    r"[ -~\xb7\xd7\u2014\u2018\u2019\u201c\u201d\u2026\u2103"
    r"\u3000-\u3003\u3005-\u3017\u3041-\u3093\u30a1-\u30f6\u4e00-\u9fa5\uff01-\uff5e\uffe5]*"
)
"""Half-width ASCII, and what GB18030 writes in two bytes and is two cells wide: most of most receipts."""


@lru_cache(maxsize=65536)
def char_cells(char: str) -> int:
    """Cells of one character: 0, 1 or 2."""
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    width = unicodedata.east_asian_width(char)
    return 2 if width in "WF" or (width == "A" and not unicodedata.category(char).startswith("L")) else 1


def all_common(text: str) -> bool:
    """Each character is printable ASCII, or two cells wide and two bytes in GB18030; none combines with another."""
    return _COMMON.fullmatch(text) is not None


def text_cells(text: str) -> int:
    """Cells of a text at normal size."""
    if text.isascii():
        return len(text)
    if _COMMON.fullmatch(text):
        return len(text.encode("gb18030"))
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
