"""Breaks styled text into lines.

A line may break at spaces and beside wide characters; closing punctuation never begins a line and opening punctuation
never ends one (the 避头尾 rules), unless the line would be empty. A word longer than a line is cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from countertop.sdk.receipt.cells import all_common, char_cells, clusters, text_cells, text_width
from countertop.sdk.receipt.ir import Paper, Style

__all__ = ["Piece", "widest_character", "wrap"]

NEVER_FIRST = frozenset("，。、；：？！）】》〉」』”’…—％℃,.;:?!)]}%·～")
NEVER_LAST = frozenset("（【《〈「『“‘([{￥$")
_WORDS = re.compile(r" +|[!-~]+|[^ -~]+")
_BLANKS = re.compile(" +|\u3000")


@dataclass(frozen=True, slots=True)
class Piece:
    """Text in one style with its width in dots."""

    text: str
    style: Style
    width: int


def wrap(spans: Iterable[tuple[str, Style]], width: int, paper: Paper) -> list[list[Piece]]:
    """Lines of pieces, none wider than `width` dots; spaces at a break are dropped. A newline always breaks.

    Where a span's widest character does not fit into `width`, the span's width (not its height) is magnified less: as
    much as fits. A character that does not fit even at normal width stands alone on its line: see `widest_character`.
    """
    lines: list[list[Piece]] = []
    hard: list[tuple[str, Style]] = []
    for text, style in spans:
        style = _fitted(text, style, width, paper) if style.width > 1 else style
        first, *others = text.split("\n")
        hard.append((first, style))
        for other in others:
            lines += _wrap_line(hard, width, paper)
            hard = [(other, style)]
    return lines + _wrap_line(hard, width, paper)


def widest_character(text: str, style: Style, paper: Paper) -> int:
    """Dots that the widest character of a text takes in a style at normal width."""
    wide = not text.isascii() and any(char_cells(char) == 2 for char in text)
    return paper.cell[0] * 2 if wide else (paper.small_cell if style.small else paper.cell)[0]


def _fitted(text: str, style: Style, width: int, paper: Paper) -> Style:
    if style.width * paper.cell[0] * 2 <= width:
        return style
    most = max(1, width // widest_character(text, style, paper))
    return style if style.width <= most else replace(style, width=most)


def _wrap_line(spans: Sequence[tuple[str, Style]], width: int, paper: Paper) -> list[list[Piece]]:
    spans = [(text, style) for text, style in spans if text]
    cell = _common_cell(spans, paper)
    if cell and width >= 2 * cell:
        return _wrap_common(spans, width // cell, cell)
    whole = [Piece(text, style, text_width(text, style, paper)) for text, style in spans]
    if sum(piece.width for piece in whole) <= width:
        return [whole]
    return _Breaker(width, paper).run(whole)


def _common_cell(spans: Sequence[tuple[str, Style]], paper: Paper) -> int:
    """The one size of the cells, in dots, that all spans keep to; 0 where there is none, or for what only `_Breaker`
    knows how to break: odd characters, and blanks in a row that change their style.
    """
    cell, blank = 0, False
    for text, style in spans:
        size = _cell(text, style, paper)
        if not size or (cell and size != cell) or (blank and text[0] == " "):
            return 0
        cell, blank = size, text[-1] == " "
    return cell


def _cell(text: str, style: Style, paper: Paper) -> int:
    """Dots of a half-width character, where all of the text keeps to a grid of them and has no odd characters; or 0."""
    if style.small:
        return paper.small_cell[0] * style.width if text.isascii() else 0
    return paper.cell[0] * style.width if all_common(text) else 0


def _wrap_common(spans: Sequence[tuple[str, Style]], columns: int, cell: int) -> list[list[Piece]]:
    """What `_Breaker` does, many times as fast, for spans that have a common cell."""
    text = spans[0][0] if len(spans) == 1 else "".join(text for text, _ in spans)
    cells = text_cells(text)
    if cells <= columns:
        return [[Piece(text, style, text_cells(text) * cell) for text, style in spans]]
    even = cells == len(text)
    places = _line_places(text, columns, even)
    if len(spans) > 1:
        return [_pieces(line, cell) for line in _sliced(spans, places)] or [[]]
    style, lines = spans[0][1], []
    for start, end in places:
        line = text[start:end] if style.inverted else text[start:end].rstrip(" ")
        width = (len(line) if even else text_cells(line)) * cell
        lines.append([Piece(line, style, width)] if line else [])
    return lines or [[]]


def _line_places(text: str, columns: int, even: bool) -> list[tuple[int, int]]:
    """Where lines of common text begin and end. Goes to where a line is full, and back to the last break. `even` text
    has one cell a character.
    """
    places = []
    start, size = 0, len(text)
    while start < size:
        full = start + columns
        if not even:
            full = start + len(text[start:full].encode("gb18030")[:columns].decode("gb18030", "ignore"))
        end = following = size
        if full < size:
            end = following = _last_break(text, start, full)
            blanks = _BLANKS.match(text, end)
            if blanks is not None:
                following = blanks.end()
            elif end == start:
                end = following = full  # longer than a line: cut
        if end > start:
            places.append((start, end))
        start = following
    return places


def _sliced(spans: Sequence[tuple[str, Style]], places: Sequence[tuple[int, int]]) -> Iterable[list[tuple[str, Style]]]:
    """The parts of the spans that make up each line."""
    index, offset = 0, 0
    for start, end in places:
        line = []
        while index < len(spans):
            text, style = spans[index]
            part = text[max(0, start - offset) : end - offset]
            if part:
                line.append((part, style))
            if offset + len(text) > end:
                break
            offset += len(text)
            index += 1
        yield line


def _pieces(line: list[tuple[str, Style]], cell: int) -> list[Piece]:
    """A line's parts, joined where their style is the same, without the spaces at its end."""
    while line and line[-1][0].endswith(" ") and not line[-1][1].inverted:
        text, style = line.pop()
        if text := text.rstrip(" "):
            line.append((text, style))
    return _joined([Piece(text, style, text_cells(text) * cell) for text, style in line])


def _last_break(text: str, start: int, place: int) -> int:
    """The last place from `start` to `place` where a line may break; `start` where there is none behind it."""
    after = text[place]
    while place > start:
        before = text[place - 1]
        if _may_break(before, after):
            return place
        place, after = place - 1, before
    return start


def _may_break(before: str, after: str) -> bool:
    """Whether a line may break between two characters of common text; blanks in a row stay together."""
    if before == " " or after == " ":
        return before != after
    if before < "\x7f" and after < "\x7f":
        return False
    return before == "\u3000" or after == "\u3000" or (after not in NEVER_FIRST and before not in NEVER_LAST)


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
