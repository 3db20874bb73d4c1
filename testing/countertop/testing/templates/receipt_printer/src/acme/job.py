"""From a receipt that was laid out to the steps of a job. No I/O."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from countertop.sdk.receipt import Bitmap, Layout, Paper, code_bitmap, ir, rule_bitmap, symbol_bitmap, text_below
from countertop.sdk.receipt.ir import CodeItem, CutItem, FeedItem, Item, PictureItem, RuleItem, TextLine

from acme.protocol import Command, Style, encode_run

__all__ = ["PAPER", "Step", "steps_of"]

PAPER = Paper(width_dots=576, dpi=203)
ROWS = 255
"""Of one graphic or feed, so that every step is short."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the printer does."""

    command: Command
    block: int
    """The receipt's block that it belongs to."""
    dots: int
    """Paper that it moves."""
    content: bytes = field(repr=False)

    def payload(self, number: int) -> bytes:
        """As the step of this number in its job."""
        return number.to_bytes(2) + self.content


def steps_of(layout: Layout) -> list[Step]:
    """The steps, in order. May take long where there is much to draw: call it in a thread."""
    return [step for item in layout.items for step in _steps(item)]


def _steps(item: Item) -> Iterator[Step]:
    match item:
        case TextLine():
            yield _text(item)
        case FeedItem():
            for start in range(0, item.dots, ROWS):
                dots = min(ROWS, item.dots - start)
                yield Step(Command.FEED, item.block, dots, dots.to_bytes(2))
        case CutItem():
            yield Step(Command.CUT, item.block, 0, bytes([item.full]))
        case RuleItem():
            yield from _graphics(item.block, 0, rule_bitmap(item, PAPER))
        case PictureItem():
            yield from _graphics(item.block, item.x, item.bitmap)
        case CodeItem():
            yield from _graphics(item.block, item.x, code_bitmap(item))
            if item.text_below:
                yield _text(text_below(item, PAPER))
        case _:
            yield from _graphics(item.block, item.x, symbol_bitmap(item))


def _text(line: TextLine) -> Step:
    height = line.height + PAPER.line_gap
    runs = b"".join(
        encode_run(run.x, _style(run.style), run.style.width, run.style.height, run.text) for run in line.runs
    )
    return Step(Command.TEXT, line.block, height, struct.pack(">H", height) + runs)


def _style(style: ir.Style) -> Style:
    return Style(style.bold | style.underline << 1 | style.inverted << 2 | style.small << 3)


def _graphics(block: int, x: int, bitmap: Bitmap) -> Iterator[Step]:
    """In strips of ROWS, each with its place and its bytes a row."""
    size = bitmap.stride * ROWS
    for start in range(0, len(bitmap.rows), size):
        rows = bitmap.rows[start : start + size]
        head = struct.pack(">HB", x, bitmap.stride)
        yield Step(Command.GRAPHIC, block, len(rows) // bitmap.stride, head + rows)
