"""A layout as plain text: columns by cells, pictures and codes named."""

from __future__ import annotations

from collections.abc import Iterator

from countertop.sdk.receipt.cells import text_cells
from countertop.sdk.receipt.ir import CodeItem, Item, Layout, Paper, PictureItem, RuleItem, SymbolItem, TextLine
from countertop.v1 import receipt_pb2
from countertop.v1.receipt_pb2 import BarcodeSymbology, SymbolKind

__all__ = ["line_text", "to_text"]

_RULES = {
    receipt_pb2.RULE_STYLE_SINGLE: "-",
    receipt_pb2.RULE_STYLE_DOUBLE: "=",
    receipt_pb2.RULE_STYLE_DASHED: "- ",
}


def to_text(layout: Layout) -> str:
    """Lines that end in a newline; trailing blanks are dropped. Feeds are left out, a cut ends with a blank line."""
    return "".join(f"{line.rstrip()}\n" for item in layout.items for line in _lines(item, layout.paper))


def line_text(line: TextLine, paper: Paper) -> str:
    """One line of text, its runs at their columns."""
    text, column = "", 0
    for run in line.runs:
        start = max(column, round(run.x / paper.cell[0]))
        text += " " * (start - column) + run.text
        column = start + text_cells(run.text) * run.style.width
    return text


def _lines(item: Item, paper: Paper) -> Iterator[str]:
    if isinstance(item, TextLine):
        yield line_text(item, paper)
    elif isinstance(item, RuleItem):
        yield (_RULES[item.style] * paper.columns)[: paper.columns]
    elif isinstance(item, PictureItem):
        yield f"[image {item.bitmap.width}x{item.bitmap.height}]"
    elif isinstance(item, CodeItem):
        yield f'[{BarcodeSymbology.Name(item.symbology).removeprefix("BARCODE_SYMBOLOGY_")} "{item.data}"]'
    elif isinstance(item, SymbolItem):
        yield f'[{SymbolKind.Name(item.kind).removeprefix("SYMBOL_KIND_")} "{item.data}"]'
