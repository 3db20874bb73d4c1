"""The layout engine: from a receipt, which knows no paper, to things placed on a paper.

Bad content raises InvalidRequest that names every block at fault by its path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt.cells import text_cells
from countertop.sdk.receipt.ir import (
    CodeItem,
    CutItem,
    FeedItem,
    Item,
    Layout,
    Paper,
    PictureItem,
    RuleItem,
    Style,
    SymbolItem,
    TextLine,
    TextRun,
)
from countertop.sdk.receipt.tables import lay_out_table
from countertop.sdk.receipt.wrap import Piece, wrap
from countertop.v1 import receipt_pb2
from countertop.v1.receipt_pb2 import Align, Block, Paragraph, Receipt, Span

__all__ = ["MAX_RECEIPT_MM", "lay_out"]

MAX_RECEIPT_MM = 5000
"""Paper of one receipt, all its pieces together."""
_RULE_DOTS = 8
_PLAIN = Style()
_EMPTY = Span()
QUIET_MODULES = 4
"""Blank modules that ISO/IEC 18004 asks for around a QR Code: fed above and below it, paper beside it."""
_ROOM_DOTS = 8


def lay_out(receipt: Receipt, paper: Paper) -> Layout:
    """Place a receipt on a paper. Raises InvalidRequest, paths beginning with `receipt.blocks[N]`; or `receipt`, where
    it would take more than MAX_RECEIPT_MM of paper.
    """
    items: list[Item] = []
    violations: dict[str, str] = {}
    left = paper.dots(MAX_RECEIPT_MM)
    for index, block in enumerate(receipt.blocks):
        try:
            placed = _PLACERS[block.WhichOneof("block") or ""](block, index, paper)
        except InvalidRequest as error:
            violations |= {f"receipt.blocks[{index}].{field}": text for field, text in error.violations.items()}
            continue
        items += placed
        for item in placed:
            left -= _length(item, paper)
        if left < 0:  # at once: what follows would only take more time
            violations["receipt"] = f"expected at most {MAX_RECEIPT_MM} mm of paper, all blocks together"
            break
    if violations:
        raise InvalidRequest(violations)
    return Layout(paper, tuple(items), len(receipt.blocks))


def _length(item: Item, paper: Paper) -> int:
    """Dots of paper."""
    if isinstance(item, TextLine):
        return item.height + paper.line_gap
    if isinstance(item, PictureItem):
        return item.bitmap.height
    if isinstance(item, CodeItem):
        return item.height + (paper.cell[1] + paper.line_gap if item.text_below else 0)
    if isinstance(item, SymbolItem):
        return item.height
    return item.dots if isinstance(item, FeedItem) else _RULE_DOTS if isinstance(item, RuleItem) else 0


def style_of(span: Span) -> Style:
    """A span's style, as the layout knows it."""
    if not (span.bold or span.underline or span.inverted or span.width or span.height or span.small):
        return _PLAIN
    return Style(span.bold, span.underline, span.inverted, span.width or 1, span.height or 1, span.small)


def styled(paragraph: Paragraph, paper: Paper, field: str) -> list[tuple[str, Style]]:
    """A paragraph's text with its styles. Raises InvalidRequest for control characters."""
    spans = []
    for index, span in enumerate(paragraph.spans):
        text = span.text
        if not text.isprintable():
            text = text.replace("\r\n", "\n").replace("\t", "    ")
            odd = {char for char in text if (ord(char) < 0x20 and char != "\n") or 0x7F <= ord(char) < 0xA0}
            if odd:
                codes = ", ".join(f"U+{ord(char):04X}" for char in sorted(odd))
                raise InvalidRequest({f"{field}.spans[{index}].text": f"expected no control characters, got {codes}"})
        spans.append((text, style_of(span)))
    return spans


def shifted(width: int, room: int, align: Align, grid: int = 1) -> int:
    """Where something of a width begins in a room. Text keeps to the grid of its cells."""
    if align == receipt_pb2.ALIGN_CENTER:
        return max(0, (room - width) // 2 // grid * grid)
    return max(0, room - width) if align == receipt_pb2.ALIGN_RIGHT else 0


def line_of(pieces: Sequence[Piece], x: int, block: int, paper: Paper) -> TextLine:
    """Pieces side by side from `x` on."""
    runs = []
    for piece in pieces:
        runs.append(TextRun(x, piece.text, piece.style))
        x += piece.width
    return TextLine(block, tuple(runs), height_of(pieces, paper))


def height_of(pieces: Iterable[Piece], paper: Paper) -> int:
    """Dots of the tallest piece; an empty line is as high as font A."""
    return max((paper.cell[1] * piece.style.height for piece in pieces), default=paper.cell[1])


def _place_paragraph(block: Block, index: int, paper: Paper) -> list[Item]:
    paragraph = block.paragraph
    first, *others = paragraph.spans or (_EMPTY,)
    if not others and len(first.ListFields()) <= 1:
        text = first.text
        width = text_cells(text) * paper.cell[0]
        if width <= paper.width_dots and text.isprintable():  # most lines of most receipts: plain, and they fit
            x = shifted(width, paper.width_dots, paragraph.align, paper.cell[0]) if paragraph.align else 0
            return [TextLine(index, (TextRun(x, text, _PLAIN),), paper.cell[1])]
    spans = styled(paragraph, paper, "paragraph")
    items: list[Item] = []
    for pieces in wrap(spans, paper.width_dots, paper):
        width = sum(piece.width for piece in pieces)
        items.append(line_of(pieces, shifted(width, paper.width_dots, paragraph.align, paper.cell[0]), index, paper))
    return items


def _place_table(block: Block, index: int, paper: Paper) -> list[Item]:
    table = block.table
    cells = [
        [styled(cell, paper, f"table.rows[{row}].cells[{column}]") for column, cell in enumerate(line.cells)]
        for row, line in enumerate(table.rows)
    ]
    return list(lay_out_table(table, cells, index, paper))


def _place_rule(block: Block, index: int, paper: Paper) -> list[Item]:
    return [RuleItem(index, block.rule.style or receipt_pb2.RULE_STYLE_SINGLE)]


def _place_picture(block: Block, index: int, paper: Paper) -> list[Item]:
    from countertop.sdk.receipt.pictures import place_picture

    return [place_picture(block.picture, index, paper)]


def _place_barcode(block: Block, index: int, paper: Paper) -> list[Item]:
    from countertop.sdk.receipt.symbols import place_barcode

    code = place_barcode(block.barcode, index, paper)
    return [FeedItem(index, _ROOM_DOTS), code, FeedItem(index, _ROOM_DOTS)]


def _place_symbol(block: Block, index: int, paper: Paper) -> list[Item]:
    from countertop.sdk.receipt.symbols import place_symbol

    symbol = place_symbol(block.symbol, index, paper)
    quiet = FeedItem(index, QUIET_MODULES * symbol.module)
    return [quiet, symbol, quiet]


def _place_feed(block: Block, index: int, paper: Paper) -> list[Item]:
    return [FeedItem(index, max(1, paper.dots(block.feed.mm)))]


def _place_cut(block: Block, index: int, paper: Paper) -> list[Item]:
    return [CutItem(index, block.cut.full)]


def _place_seal_field(block: Block, index: int, paper: Paper) -> list[Item]:
    from countertop.sdk.receipt.pictures import place_frame

    field = block.seal_field
    items: list[Item] = []
    if field.name:
        name = Paragraph(spans=[Span(text=field.name)], align=field.align)
        for pieces in wrap(styled(name, paper, "seal_field"), paper.width_dots, paper):
            width = sum(piece.width for piece in pieces)
            items.append(line_of(pieces, shifted(width, paper.width_dots, field.align, paper.cell[0]), index, paper))
    items.append(place_frame(field, index, paper))
    return items


def _place_nothing(block: Block, index: int, paper: Paper) -> list[Item]:
    return []


_PLACERS: dict[str, Callable[[Block, int, Paper], list[Item]]] = {
    "paragraph": _place_paragraph,
    "table": _place_table,
    "rule": _place_rule,
    "picture": _place_picture,
    "barcode": _place_barcode,
    "symbol": _place_symbol,
    "feed": _place_feed,
    "cut": _place_cut,
    "seal_field": _place_seal_field,
    "": _place_nothing,
}
