"""What comes out of the printer: strips of dots and lines of text, cut into receipts."""

from __future__ import annotations

import io
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from countertop.emulators.core.fonts import load_font
from PIL import Image, ImageDraw

__all__ = ["DOTS_PER_MM", "Paper", "Receipt", "graphic", "text_line"]

WIDTH, DOTS_PER_MM = 576, 203 / 25.4
CELL, SMALL_CELL = (12, 24), (9, 17)
BOLD, UNDERLINE, INVERTED, SMALL = 1, 2, 4, 8
GOES_ON = 0xFFFF
"""In place of x: the run goes on where the one before has ended."""
KEPT, LONGEST = 100, 40_000
"""Receipts that are kept, and dots after which somebody tears the paper off."""


@dataclass(slots=True)
class Receipt:
    """One piece of paper."""

    number: int
    strips: list[Any] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    finished: bool = False

    @property
    def text(self) -> str:
        """What can be read on it."""
        return "".join(f"{line.rstrip()}\n" for line in self.lines)

    @property
    def height(self) -> int:
        """Dots."""
        return sum(strip.height for strip in self.strips)

    def png(self) -> bytes:
        """One pixel a dot. May take long: call it in a thread."""
        picture, top = Image.new("1", (WIDTH, max(1, self.height)), 1), 0
        for strip in list(self.strips):
            picture.paste(strip, (0, top))
            top += strip.height
        file = io.BytesIO()
        picture.save(file, "PNG")
        return file.getvalue()


class Paper:
    """The roll that passes the head."""

    def __init__(self, mm: float) -> None:
        self.left_mm = mm
        self.receipts: list[Receipt] = []
        self.current = Receipt(1)

    def put(self, strip: Any, line: str = "") -> None:
        """A strip, and what can be read on it."""
        self.left_mm = max(0.0, self.left_mm - strip.height / DOTS_PER_MM)
        self.current.strips.append(strip)
        if line:
            self.current.lines.append(line)
        if self.current.height > LONGEST:
            self.cut()

    def cut(self) -> None:
        """Cut off what hangs out."""
        if self.current.strips:
            self.current.finished = True
            self.receipts.append(self.current)
            del self.receipts[:-KEPT]
            self.current = Receipt(self.current.number + 1)

    def all(self) -> list[Receipt]:
        """Receipts, and what hangs in the printer."""
        return [*self.receipts, *([self.current] if self.current.strips else [])]


def graphic(x: int, stride: int, rows: bytes) -> Any:
    """A strip of the rows; raises ValueError when they do not make one."""
    if not stride or not rows or len(rows) % stride or x + (stride - 1) * 8 >= WIDTH:
        raise ValueError("expected whole rows on the paper")
    height = len(rows) // stride
    strip = Image.new("1", (WIDTH, height), 1)
    strip.paste(Image.frombytes("1", (stride * 8, height), bytes(byte ^ 0xFF for byte in rows)), (x, 0))
    return strip


def text_line(data: bytes) -> tuple[Any, str]:
    """A strip and its text, from a height and runs; raises ValueError, struct.error for what are none."""
    (height,) = struct.unpack_from(">H", data)
    strip = Image.new("1", (WIDTH, min(max(1, height), 1000)), 1)
    draw, line, end = ImageDraw.Draw(strip), "", 0
    for x, style, width, tall, text in _runs(data[2:]):
        left = end if x == GOES_ON else x
        line += " " * (0 if x == GOES_ON else left // CELL[0] - _columns(line)) + text
        end = _write(draw, left, style, width, tall, text)
    return strip, line or " "


def _runs(data: bytes) -> Iterator[tuple[int, int, int, int, str]]:
    at = 0
    while at < len(data):
        x, style, scale, length = struct.unpack_from(">HBBB", data, at)
        at += 5 + length
        yield x, style, max(1, scale >> 4), max(1, scale & 15), data[at - length : at].decode()


def _write(draw: Any, left: int, style: int, width: int, tall: int, text: str) -> int:
    cell, height = SMALL_CELL if style & SMALL else CELL
    for character in text:
        right = left + cell * width * _cells(character)
        box, ink = (left, 0, right - 1, height * tall - 1), 0
        if style & INVERTED:
            draw.rectangle(box, fill=0)
            ink = 1
        font = load_font(height * min(width, tall) - 2)
        shown = character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"  # a font cannot draw the others
        draw.text((left, 0), shown, fill=ink, font=font, stroke_width=1 if style & BOLD else 0)
        if style & UNDERLINE:
            draw.line((left, box[3], right, box[3]), fill=ink, width=2)
        left = right
    return left


def _cells(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _columns(text: str) -> int:
    return sum(map(_cells, text))
