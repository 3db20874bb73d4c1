"""Sets characters and pictures into a line, and lines onto the roll or into the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from unicodedata import combining

from countertop.emulators.escpos.charset import Char
from countertop.emulators.escpos.glyphs import glyph
from countertop.emulators.escpos.models import FONT_A
from countertop.emulators.escpos.page import Page
from countertop.emulators.escpos.paper import Roll
from countertop.emulators.escpos.settings import Settings

__all__ = ["Composer"]

FONT_B, KANJI = (9, 17), (24, 24)
_STRIP = 24
_MOST_MARKS = 4096
"""Characters and pictures in one line, some on top of others, after which the line is printed."""
_LONGEST_CLUSTER = 8
"""Combining characters beyond so many are lost."""


class Composer:
    """The print buffer of one line, and what prints it.

    Methods that move paper are generators: each yields the number of dots that it is about to print or feed, and goes
    on when the paper was moved.
    """

    def __init__(self, roll: Roll, settings: Settings) -> None:
        self.roll = roll
        self.settings = settings
        self.page: Page | None = None
        self.x = 0
        self._marks: list[tuple[int, Any]] = []
        self._text: list[tuple[int, int, str]] = []
        self._last_image: tuple[int, int, int] | None = None

    @property
    def empty(self) -> bool:
        """Nothing waits to be printed."""
        return not self._marks and not self._text

    @property
    def room(self) -> int:
        """Width of the print area in dots."""
        if self.page is not None:
            return self.page.width
        rest = self.roll.width - self._margin
        return min(self.settings.width or rest, rest)

    @property
    def _margin(self) -> int:
        """The left margin; at least one character has room beside it."""
        return min(self.settings.left, self.roll.width - FONT_A[0])

    def clear(self) -> None:
        """Forget the line."""
        self._marks, self._text, self.x = [], [], 0

    def settle(self) -> None:
        """In page mode: what waits stays where it is, whatever the next position or direction is."""
        if self.page is not None:
            x = self.x
            if not self.empty:
                self._put_on_page(0)
            self.x = x

    def end_picture(self) -> None:
        """What follows is another picture, even if it looks like the next strip of this one."""
        self._last_image = None

    def characters(self, text: Iterable[Char]) -> Iterator[int]:
        """Set text; a line that is full is printed."""
        for char, wide in text:
            if combining(char):
                self._combine(char)
                continue
            black, before, after = self._character(char, wide)
            full = len(self._marks) >= _MOST_MARKS
            if full or (self.x + before + black.shape[1] > self.room and self.x):
                yield from self.line()
            self.x += before
            self._text.append((self.x, black.shape[1] + after, char))
            self._marks.append((self.x, black))
            self.x += black.shape[1] + after

    def picture(self, black: Any) -> None:
        """Set a picture into the line (ESC *)."""
        room = self.room - self.x
        if room > 0 and len(self._marks) < _MOST_MARKS:
            self._marks.append((self.x, black[:, :room].copy()))
        self.x = min(self.x + black.shape[1], self.room)

    def line(self, spacing: int | None = None) -> Iterator[int]:
        """Print the line and feed to the next; `spacing` in dots instead of the one that is set."""
        pitch = self.settings.spacing if spacing is None else spacing
        height = self._height
        feed = max(height, pitch)
        if self.page is not None:
            self._put_on_page(feed)
            return
        yield feed
        used = self._used
        left = self._left(used)
        strip = self._strip(height, left)
        text = self._readable(left)
        pictured = bool(self._marks) and not self._text
        self.clear()
        if pictured:
            self._note_image(used, height, left)
        else:
            self._note(text)
        if height:
            self.roll.put(strip)
        self.roll.feed(feed - height)

    def feed(self, dots: int) -> Iterator[int]:
        """Print the line, if there is one, and feed."""
        if not self.empty:
            yield from self.line(spacing=dots)
        elif self.page is not None:
            self.page.move(dots)
        else:
            yield dots
            self.end_picture()
            self.roll.feed(dots)

    def label(self, text: str, width: int) -> Iterator[int]:
        """Print what a barcode says, in font A at normal size, in the middle of its `width` dots."""
        import numpy as np

        x = max(0, (width - len(text) * FONT_A[0]) // 2)
        self._marks.append((0, np.zeros((1, width), bool)))
        for char in text:
            if x + FONT_A[0] <= self.room:
                self._marks.append((x, glyph(char, *FONT_A)))
                self._text.append((x, FONT_A[0], char))
            x += FONT_A[0]
        yield from self.line(spacing=FONT_A[1])

    def raster(self, black: Any, note: str = "") -> Iterator[int]:
        """Print a picture of its own lines; what is wider than the print area is cut off."""
        if not self.empty:
            yield from self.line()
        black = black[:, : self.room]
        height, width = black.shape
        left = self._left(width)
        if self.page is not None:
            strip = self._blank(height)
            strip[:, left : left + width] = black
            self.page.put(strip, height, note or f"[image {width}x{height}]")
            self.x = 0
            return
        self.x = 0
        for top in range(0, height, _STRIP):
            part = black[top : top + _STRIP]
            yield part.shape[0]
            if note and top == 0:
                self._note(note)
            elif not note:
                self._note_image(width, part.shape[0], left)
            strip = self._blank(part.shape[0])
            strip[:, left : left + width] = part
            self.roll.put(strip)

    def _combine(self, char: str) -> None:
        if self._text and len(self._text[-1][2]) < _LONGEST_CLUSTER:
            x, width, before_mark = self._text[-1]
            self._text[-1] = (x, width, before_mark + char)

    def _put_on_page(self, feed: int) -> None:
        assert self.page is not None
        pictured = bool(self._marks) and not self._text
        note = f"[image {self._used}x{self._height}]" if pictured else self._readable(0)
        strip = self._strip(self._height, 0)
        self.clear()
        self.page.put(strip, feed, note)

    @property
    def _height(self) -> int:
        return max((mark.shape[0] for _, mark in self._marks), default=0)

    @property
    def _used(self) -> int:
        return max((x + mark.shape[1] for x, mark in self._marks), default=0)

    def _character(self, char: str, wide: bool) -> tuple[Any, int, int]:
        settings = self.settings
        width, height = KANJI if wide else FONT_B if settings.font_b else FONT_A
        black = glyph(char, width, height)
        if settings.bold:
            black = black.copy()
            black[:, 1:] |= black[:, :-1]
        underline = settings.kanji_underline if wide else settings.underline
        if underline:
            black = black.copy()
            black[-underline:] = True
        if settings.inverted:
            black = ~black
        across = settings.kanji_wide if wide else settings.wide
        down = settings.kanji_high if wide else settings.high
        if across > 1 or down > 1:
            black = black.repeat(down, axis=0).repeat(across, axis=1)
        if wide:
            return black, settings.kanji_left, settings.kanji_right
        return black, 0, settings.right_space

    def _left(self, width: int) -> int:
        """Where something of a width begins, from the left edge of the paper or page area."""
        if self.page is not None:  # alignment and margin do not count there
            return min(self.x, max(0, self.room - width))
        spare = max(0, self.room - width)
        return self._margin + {1: spare // 2, 2: spare}.get(self.settings.align, 0)

    def _blank(self, height: int) -> Any:
        import numpy as np

        return np.zeros((height, self.page.width if self.page is not None else self.roll.width), bool)

    def _strip(self, height: int, left: int) -> Any:
        strip = self._blank(height)
        for x, mark in self._marks:
            rows, columns = mark.shape
            start = left + x
            columns = min(columns, max(0, strip.shape[1] - start))
            strip[height - rows :, start : start + columns] |= mark[:, :columns]
        return strip[::-1, ::-1] if self.settings.upside_down and self.page is None else strip

    def _readable(self, left: int) -> str:
        """Characters at their columns; those that touch, at whatever size, touch here too."""
        line, edge = "", 0
        for x, width, char in self._text:
            line += " " * round((left + x - edge) / FONT_A[0]) + char
            edge = left + x + width
        return line

    def _note(self, line: str) -> None:
        self.end_picture()
        self.roll.write(line)

    def _note_image(self, width: int, height: int, left: int) -> None:
        """Strips of one picture that follow each other are one line."""
        last = self._last_image
        if last is not None and last[:2] == (width, left) and last[2] > 0 and self.roll.current.lines:
            total = last[2] + height
            self.roll.current.lines[-1] = (self.roll.current.lines[-1][0], f"[image {width}x{total}]")
        else:
            total = height
            self.roll.write(f"[image {width}x{height}]")
        self._last_image = (width, left, total)
