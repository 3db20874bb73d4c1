"""Breaks styled text into lines.

A line may break at spaces and beside wide characters; closing punctuation never begins a line and opening punctuation
never ends one (the 避头尾 rules), unless the line would be empty. A word longer than a line is cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from countertop.sdk.receipt.cells import char_cells, clusters, text_width
from countertop.sdk.receipt.ir import Paper, Style

__all__ = ["Piece", "wrap"]

NEVER_FIRST = frozenset("，。、；：？！）】》〉」』”’…—％℃,.;:?!)]}%·～")
NEVER_LAST = frozenset("（【《〈「『“‘([{￥$")
_WORDS = re.compile(r" +|[!-~]+|[^ -~]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text in one style with its width in dots."""

    text: str
    style: Style
    width: int


def wrap(spans: Iterable[tuple[str, Style]], width: int, paper: Paper) -> list[list[Piece]]:
    """Lines of pieces, none wider than `width` dots; spaces at a break are dropped. A newline always breaks.

    A single character wider than `width` stands alone on its line; the caller sees to it that there is room.
    """
    lines: list[list[Piece]] = []
    hard: list[tuple[str, Style]] = []
    for text, style in spans:
        first, *others = text.split("\n")
        hard.append((first, style))
        for other in others:
            lines += _wrap_line(hard, width, paper)
            hard = [(other, style)]
    return lines + _wrap_line(hard, width, paper)


def _wrap_line(spans: Sequence[tuple[str, Style]], width: int, paper: Paper) -> list[list[Piece]]:
    whole = [Piece(text, style, text_width(text, style, paper)) for text, style in spans if text]
    if sum(piece.width for piece in whole) <= width:
        return [whole]
    return _Breaker(width, paper).run(whole)


class _Breaker:
    """Fills lines with unbreakable pieces."""

    def __init__(self, width: int, paper: Paper) -> None:
        self._width = width
        self._paper = paper
        self._lines: list[list[Piece]] = []
        self._line: list[Piece] = []
        self._used = 0

    def run(self, whole: Sequence[Piece]) -> list[list[Piece]]:
        """All lines."""
        for unit in _units(whole, self._paper):
            self._add(unit)
        self._break()
        return self._lines or [[]]

    def _add(self, unit: list[Piece]) -> None:
        width = sum(piece.width for piece in unit)
        if self._used + width > self._width:
            blank = all(piece.text.isspace() for piece in unit)
            if self._used:
                self._break()
            if blank:
                return  # the space at which the line breaks
            if width > self._width:
                self._cut(unit)
                return
        self._line += unit
        self._used += width

    def _cut(self, unit: list[Piece]) -> None:
        for piece in unit:
            for cluster in clusters(piece.text):
                width = text_width(cluster, piece.style, self._paper)
                if self._used and self._used + width > self._width:
                    self._break()
                self._line.append(Piece(cluster, piece.style, width))
                self._used += width

    def _break(self) -> None:
        line = _joined(self._line)
        while line and line[-1].text.endswith(" ") and not line[-1].style.inverted:
            last = line.pop()
            rest = last.text.rstrip(" ")
            if rest:
                line.append(Piece(rest, last.style, text_width(rest, last.style, self._paper)))
        if self._line:
            self._lines.append(line)
        self._line, self._used = [], 0


def _units(whole: Sequence[Piece], paper: Paper) -> list[list[Piece]]:
    """Stretches that must not be broken: words, single wide characters with the punctuation that clings to them."""
    units: list[list[Piece]] = []
    glue = False
    before = ""
    for piece in whole:
        for text in _atoms(piece.text):
            atom = Piece(text, piece.style, text_width(text, piece.style, paper))
            both_words = bool(before) and _is_word(before[-1]) and _is_word(text[0])
            clings = text[0] in NEVER_FIRST or glue or both_words
            if units and clings and not before.isspace() and not text.isspace():
                units[-1].append(atom)
            else:
                units.append([atom])
            glue = text[-1] in NEVER_LAST
            before = text
    return units


def _is_word(char: str) -> bool:
    return char_cells(char) == 1 and char != " "


def _atoms(text: str) -> Iterable[str]:
    for match in _WORDS.finditer(text):
        stretch = match.group()
        if stretch.isascii():
            yield stretch
            continue
        word = ""
        for cluster in clusters(stretch):
            if char_cells(cluster[0]) == 2:
                if word:
                    yield word
                    word = ""
                yield cluster
            else:
                word += cluster
        if word:
            yield word


def _joined(line: Sequence[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in line:
        if joined and joined[-1].style == piece.style:
            last = joined.pop()
            piece = Piece(last.text + piece.text, piece.style, last.width + piece.width)
        joined.append(piece)
    return joined
