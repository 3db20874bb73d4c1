"""Which font draws a character on a card, and how wide it is.

The fonts are those of receipts; numbers take their faces of even width. A character is drawn by the first font that
has it. Fonts, and which single characters they have, are kept; texts never are.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from countertop.sdk.receipt._needs import need
from countertop.sdk.receipt.cells import clusters
from countertop.sdk.receipt.fonts import font_files

__all__ = ["Face", "Segment", "cleaned", "faces", "segments"]

_INDICES = {"wqy-microhei.ttc": (0, 1), "NotoSansCJK-Regular.ttc": (2, 7), "NotoSansCJK-Bold.ttc": (2, 7)}
"""Faces of collections: sans serif for simplified Chinese, and the one of even width."""
_BOLD = {"NotoSansCJK-Regular.ttc": "NotoSansCJK-Bold.ttc", "DejaVuSansMono.ttf": "DejaVuSansMono-Bold.ttf"}
"""The bold file that may lie beside a file."""
_NOTHING = "\U0010ffff"
"""A code point that no font has."""
_PROBE = 32
_GRAIN = 4
"""Sizes are whole quarters of a dot, so that few fonts are kept."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a font file. `heavy` is bold by itself; others are made bold by a stroke around them."""

    path: Path
    index: int
    heavy: bool = False

    def font(self, size: float) -> Any:
        """The face at a size in dots, rounded down to quarters."""
        return _font(self, _quarters(size))

    def length(self, text: str, size: float) -> float:
        """Dots that a text takes. Those of single characters are kept."""
        if len(text) == 1:
            return _advance(self, _quarters(size), text)
        return float(self.font(size).getlength(text))


@dataclass(frozen=True, slots=True)
class Segment:
    """Text in one face; None for characters that no font has."""

    text: str
    face: Face | None


def _quarters(size: float) -> int:
    return max(_GRAIN, int(size * _GRAIN))


@lru_cache(maxsize=96)
def _font(face: Face, quarters: int) -> Any:
    return need("PIL.ImageFont").truetype(str(face.path), quarters / _GRAIN, index=face.index)


@lru_cache(maxsize=16384)
def _advance(face: Face, quarters: int, char: str) -> float:
    return float(_font(face, quarters).getlength(char))


@cache
def faces(mono: bool, bold: bool) -> tuple[Face, ...]:
    """Best first. Raises CountertopError(NOT_SUPPORTED) when this machine has no font for Chinese."""
    found = []
    for path in font_files():
        beside = path.with_name(_BOLD[path.name]) if bold and path.name in _BOLD else path
        heavy = beside != path and beside.is_file()
        used = beside if heavy else path
        found.append(Face(used, _INDICES.get(used.name, (0, 0))[mono], heavy))
    return tuple(found)


@lru_cache(maxsize=16)
def _lacking(face: Face) -> bytes:
    return bytes(face.font(_PROBE).getmask(_NOTHING, mode="L"))


@lru_cache(maxsize=16384)
def _face_of(char: str, mono: bool, bold: bool) -> Face | None:
    every = faces(mono, bold)
    if char.isspace():
        return every[0]
    for face in every:
        mask = face.font(_PROBE).getmask(char, mode="L")
        if mask.size != (0, 0) and bytes(mask) != _lacking(face):
            return face
    return None


def cleaned(text: str) -> str:
    """Line ends as newlines, other controls as spaces, without characters that only steer the layout."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and text.isprintable():
        return text
    return "".join(_clean(char) for char in text)


def _clean(char: str) -> str:
    category = unicodedata.category(char)
    if char == "\n" or category not in ("Cc", "Cf", "Zl", "Zp"):
        return char
    return "\n" if category in ("Zl", "Zp") else "" if category == "Cf" else " "


def segments(line: str, *, mono: bool, bold: bool) -> list[Segment]:
    """A line's stretches that one face draws; a character that none has stands alone."""
    found: list[Segment] = []
    for cluster in clusters(line):
        face = _face_of(cluster[0], mono, bold)
        if found and face is not None and found[-1].face == face:
            found[-1] = Segment(found[-1].text + cluster, face)
        else:
            found.append(Segment(cluster, face))
    return found
