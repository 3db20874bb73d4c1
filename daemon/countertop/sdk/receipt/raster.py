"""Draws a layout as dots: one line for a printer whose fonts lack something, or the whole receipt for a preview."""

from __future__ import annotations

from typing import Any

from countertop.sdk.receipt._needs import need
from countertop.sdk.receipt.cells import char_cells, clusters
from countertop.sdk.receipt.dither import pack, unpack
from countertop.sdk.receipt.fonts import glyph
from countertop.sdk.receipt.ir import (
    Bitmap,
    CodeItem,
    CutItem,
    FeedItem,
    Item,
    Layout,
    Paper,
    PictureItem,
    RuleItem,
    Style,
    TextLine,
    TextRun,
)
from countertop.sdk.receipt.symbols import code_bitmap, symbol_bitmap
from countertop.v1 import receipt_pb2

__all__ = ["rasterise", "rasterise_line", "rule_bitmap"]

CUT_MARK_DOTS = 24


def rasterise_line(line: TextLine, paper: Paper) -> tuple[Bitmap, int]:
    """A line of text as wide as the paper, and how many of its characters no font has."""
    black, missing = _line(line, paper)
    return pack(black), missing


def _line(line: TextLine, paper: Paper) -> tuple[Any, int]:
    black = need("numpy").zeros((line.height, paper.width_dots), bool)
    missing = sum(_run(run, line, paper, black) for run in line.runs)
    return black, missing


def _run(run: TextRun, line: TextLine, paper: Paper, black: Any) -> int:
    np, style = need("numpy"), run.style
    missing, x = 0, run.x
    for cluster in clusters(run.text):
        wide = char_cells(cluster[0]) == 2
        cell, height = paper.small_cell if style.small and not wide else paper.cell
        width = cell * 2 if wide else cell
        dots, found = glyph(cluster, width, height)
        missing += not found
        if style.bold:
            dots = dots | np.roll(dots, 1, axis=1)
        if style.underline:
            dots = dots.copy()
            dots[-2:] = True
        if style.inverted:
            dots = ~dots
        dots = dots.repeat(style.height, axis=0).repeat(style.width, axis=1)
        room = min(dots.shape[1], paper.width_dots - x)
        top = max(0, line.height - dots.shape[0])
        black[top : top + dots.shape[0], x : x + room] |= dots[:, :room]
        x += dots.shape[1]
    return missing


def rule_bitmap(item: RuleItem, paper: Paper) -> Bitmap:
    """A rule as wide as the paper, 8 dots high."""
    np = need("numpy")
    black = np.zeros((8, paper.width_dots), bool)
    if item.style == receipt_pb2.RULE_STYLE_DOUBLE:
        black[1:3] = black[5:7] = True
    else:
        black[3:5] = True
    if item.style == receipt_pb2.RULE_STYLE_DASHED:
        black[:, np.arange(paper.width_dots) % 12 >= 8] = False
    return pack(black)


def rasterise(layout: Layout) -> Bitmap:
    """The whole receipt as it will look on paper; a cut is a dashed line."""
    np, paper = need("numpy"), layout.paper
    strips = [strip for item in layout.items for strip in _strips(item, paper)]
    if not strips:
        strips = [np.zeros((1, paper.width_dots), bool)]
    return pack(np.concatenate(strips))


def _strips(item: Item, paper: Paper) -> list[Any]:
    np = need("numpy")
    if isinstance(item, TextLine):
        return [_line(item, paper)[0], np.zeros((paper.line_gap, paper.width_dots), bool)]
    if isinstance(item, FeedItem):
        return [np.zeros((item.dots, paper.width_dots), bool)]
    if isinstance(item, RuleItem):
        return [unpack(rule_bitmap(item, paper))]
    if isinstance(item, CutItem):
        mark = np.zeros((CUT_MARK_DOTS, paper.width_dots), bool)
        mark[CUT_MARK_DOTS // 2, np.arange(paper.width_dots) % 16 < 8] = True
        return [mark]
    if isinstance(item, CodeItem):
        return _code(item, paper)
    bitmap = item.bitmap if isinstance(item, PictureItem) else symbol_bitmap(item)
    return [_placed(bitmap, item.x, paper)]


def _code(item: CodeItem, paper: Paper) -> list[Any]:
    strips = [_placed(code_bitmap(item), item.x, paper)]
    if item.text_below:
        strips.append(_line(text_below(item, paper), paper)[0])
    return strips


def text_below(item: CodeItem, paper: Paper) -> TextLine:
    """What a barcode says, in letters below its middle."""
    width = len(item.data) * paper.cell[0]
    x = max(0, min(item.x + (item.width - width) // 2, paper.width_dots - width))
    return TextLine(item.block, (TextRun(x, item.data[: paper.columns], Style()),), paper.cell[1])


def _placed(bitmap: Bitmap, x: int, paper: Paper) -> Any:
    black = need("numpy").zeros((bitmap.height, paper.width_dots), bool)
    black[:, x : x + bitmap.width] = unpack(bitmap)[:, : paper.width_dots - x]
    return black
