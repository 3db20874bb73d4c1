"""The fast way of wrapping gives the same lines as the slow way, which goes character by character."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from countertop.sdk.receipt.cells import all_common, char_cells, clusters, text_cells, text_width
from countertop.sdk.receipt.ir import Paper, Style
from countertop.sdk.receipt.wrap import NEVER_FIRST, NEVER_LAST, Piece, wrap

PAPER = Paper()
WORDS = re.compile(r" +|[!-~]+|[^ -~]+")
COMMON = "aab  Z09.,!?()-$[中文回单，。、（）《》\u3000“”…—·￥"
ODD = "\né\xa0\u0301😀𠮷Ж\u200b"
STYLES = [Style(), Style(bold=True), Style(inverted=True), Style(height=2), Style(width=2), Style(small=True)]
texts = (
    st.text(st.sampled_from(COMMON), max_size=60)
    | st.text(st.sampled_from("abc .,(12"), max_size=60)
    | st.text(st.sampled_from("中文回单，。（“”"), max_size=60)
    | st.text(st.sampled_from(COMMON + ODD), max_size=60)
)
widths = st.integers(48, 300)


def slow(spans: Sequence[tuple[str, Style]], width: int) -> list[list[Piece]]:
    """What `wrap` is measured against."""
    lines: list[list[Piece]] = []
    hard: list[tuple[str, Style]] = []
    for text, style in spans:
        first, *others = text.split("\n")
        hard.append((first, style))
        for other in others:
            lines += slow_line(hard, width, PAPER)
            hard = [(other, style)]
    return lines + slow_line(hard, width, PAPER)


def slow_line(spans: Sequence[tuple[str, Style]], width: int, paper: Paper) -> list[list[Piece]]:
    whole = [Piece(text, style, text_width(text, style, paper)) for text, style in spans if text]
    if sum(piece.width for piece in whole) <= width:
        return [whole]
    return SlowBreaker(width, paper).run(whole)


class SlowBreaker:
    """Fills lines with unbreakable pieces."""

    def __init__(self, width: int, paper: Paper) -> None:
        self._width = width
        self._paper = paper
        self._lines: list[list[Piece]] = []
        self._line: list[Piece] = []
        self._used = 0

    def run(self, whole: Sequence[Piece]) -> list[list[Piece]]:
        """All lines."""
        for unit in slow_units(whole, self._paper):
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
        line = joined(self._line)
        while line and line[-1].text.endswith(" ") and not line[-1].style.inverted:
            last = line.pop()
            rest = last.text.rstrip(" ")
            if rest:
                line.append(Piece(rest, last.style, text_width(rest, last.style, self._paper)))
        if self._line:
            self._lines.append(line)
        self._line, self._used = [], 0


def slow_units(whole: Sequence[Piece], paper: Paper) -> list[list[Piece]]:
    """Stretches that must not be broken: words, single wide characters with the punctuation that clings to them."""
    units: list[list[Piece]] = []
    glue = False
    before = ""
    for piece in whole:
        for text in slow_atoms(piece.text):
            atom = Piece(text, piece.style, text_width(text, piece.style, paper))
            both_words = bool(before) and is_word(before[-1]) and is_word(text[0])
            clings = text[0] in NEVER_FIRST or glue or both_words
            if units and clings and not before.isspace() and not text.isspace():
                units[-1].append(atom)
            else:
                units.append([atom])
            glue = text[-1] in NEVER_LAST
            before = text
    return units


def is_word(char: str) -> bool:
    return char_cells(char) == 1 and char != " "


def slow_atoms(text: str) -> Iterable[str]:
    for match in WORDS.finditer(text):
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


def joined(line: Sequence[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for piece in line:
        if joined and joined[-1].style == piece.style:
            last = joined.pop()
            piece = Piece(last.text + piece.text, piece.style, last.width + piece.width)
        joined.append(piece)
    return joined


@settings(max_examples=400, deadline=None)
@given(texts, st.sampled_from(STYLES), widths)
@example("   " + "a" * 9, Style(), 48)
@example("中\u3000\u3000\u3000文文", Style(), 48)
@example(" " * 9, Style(), 48)
@example("ab   " * 4, Style(inverted=True), 60)
@example("a（" + "中。" * 9, Style(), 60)
def test_one_span_wraps_as_the_slow_way_wraps_it(text, style, width):
    assert wrap([(text, style)], width, PAPER) == slow([(text, style)], width)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(texts, st.sampled_from(STYLES[:4]) | st.sampled_from(STYLES)), max_size=4), widths)
@example([("ab ", Style()), (" cd", Style(bold=True))], 48)
@example([("ab", Style()), ("，c", Style(bold=True)), ("d", Style(bold=True))], 48)
@example([("abc", Style()), (" ", Style(inverted=True)), ("中", Style())], 48)
def test_spans_wrap_as_the_slow_way_wraps_them(spans, width):
    assert wrap(spans, width, PAPER) == slow(spans, width)


@pytest.mark.parametrize("length", [0, 1, 2, 79, 8192])
def test_long_texts_wrap_as_the_slow_way_wraps_them(length):
    text = ("账户 12345 余额（1,234.50）元，see terms; " * 250)[:length]
    for width in (48, 384, 576, 1024):
        assert wrap([(text, Style())], width, PAPER) == slow([(text, Style())], width)


@given(st.text(max_size=20))
def test_common_text_never_combines_and_is_as_wide_as_its_bytes(text):
    if all_common(text):
        assert list(clusters(text)) == list(text)
        assert text_cells(text) == len(text.encode("gb18030")) == sum(map(char_cells, text))


def test_every_common_character_is_measured_right():
    common = [char for char in map(chr, range(0x20, 0x10000)) if all_common(char)]
    assert len(common) > 20_000
    assert [char for char in common if not len(char.encode("gb18030")) == char_cells(char) > 0] == []


@pytest.mark.parametrize("char", sorted(NEVER_FIRST | NEVER_LAST))
def test_punctuation_that_clings_does_so_on_the_fast_way_too(char):
    text = f"中文{char}回单{char}" * 6
    for width in range(60, 200, 12):
        assert wrap([(text, Style())], width, PAPER) == slow([(text, Style())], width)
