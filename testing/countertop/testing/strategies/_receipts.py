"""Receipts that the daemon takes: within the bounds of receipt.proto, on any paper of 384 dots and more, under 5 m."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from countertop.testing.strategies._codes import barcode_texts, symbol_texts
from countertop.testing.strategies._pictures import picture_files
from countertop.testing.strategies._texts import texts
from countertop.v1.receipt_pb2 import (
    Align,
    Barcode,
    BarcodeSymbology,
    Block,
    Cut,
    Dither,
    Feed,
    Paragraph,
    Picture,
    Receipt,
    Rule,
    SealField,
    Span,
    Symbol,
    Table,
    TableColumn,
    TableRow,
)

__all__ = ["BLOCKS", "receipts"]

MOST_MM = 4900
"""Of paper, estimated from above; the daemon refuses more than 5000 mm."""
_LINE_MM = 5.0
"""A line of normal height with its gap, on the printer with the largest dots (180 dpi)."""
_COLUMNS = 30
"""Half-width characters on the narrowest paper, less what breaking leaves blank."""

_ALIGNS: st.SearchStrategy[Any] = st.sampled_from(Align.values())
_DITHERS: st.SearchStrategy[Any] = st.sampled_from(Dither.values())
_SYMBOLOGIES: st.SearchStrategy[Any] = st.sampled_from(BarcodeSymbology.values()[1:])


def receipts(max_blocks: int = 12, *, min_blocks: int = 1, kinds: Sequence[str] = ()) -> st.SearchStrategy[Receipt]:
    """Receipts of `min_blocks` to `max_blocks` blocks of `kinds` (all nine of BLOCKS when empty). Shrinks to one
    paragraph without text.

    Always within the bounds of receipt.proto (`server/bounds.py`), and laid out (`sdk/receipt/layout.py`) on every
    paper at least 384 dots wide; blocks that would make it longer than 5 m are left out. Raises ValueError for a kind
    that does not exist.
    """
    for kind in kinds:
        if kind not in BLOCKS:
            raise ValueError(f"kinds: expected among {', '.join(BLOCKS)}; got {kind!r}")
    chosen = st.one_of([BLOCKS[kind] for kind in kinds or BLOCKS])
    return st.lists(chosen, min_size=min_blocks, max_size=max_blocks).map(_receipt)


def _receipt(blocks: Iterable[Block]) -> Receipt:
    receipt, left = Receipt(), float(MOST_MM)
    for block in blocks:
        left -= _most_mm(block)
        if left < 0:
            break
        receipt.blocks.append(block)
    return receipt


# -- text --


@cache
def _tenths(least: int, most: int) -> st.SearchStrategy[float]:
    """Millimetres in tenths: short to read."""
    return st.integers(least, most).map(lambda tenths: tenths / 10)


def _spans(max_chars: int, scale: int) -> st.SearchStrategy[Span]:
    scales = st.sampled_from((0, *range(1, scale + 1)))
    return st.builds(
        Span,
        text=texts(max_chars, lines=True),
        bold=st.booleans(),
        underline=st.booleans(),
        inverted=st.booleans(),
        width=scales,
        height=scales,
        small=st.booleans(),
    )


_plain_paragraphs = st.builds(Paragraph, spans=st.lists(_spans(40, 2), max_size=3), align=_ALIGNS)
_large_paragraphs = st.builds(Paragraph, spans=st.lists(_spans(6, 8), min_size=1, max_size=2), align=_ALIGNS)


# -- tables --


_columns = st.one_of(
    st.builds(TableColumn, align=_ALIGNS),
    st.builds(TableColumn, chars=st.integers(2, 6), align=_ALIGNS),
    st.builds(TableColumn, weight=st.integers(1, 100), align=_ALIGNS),
)
_cells = st.builds(Paragraph, spans=st.lists(_spans(10, 2), max_size=2), align=_ALIGNS)


@st.composite
def _tables(draw: st.DrawFn) -> Table:
    """At most four columns of at most six characters, or as wide as they need, or sharing what is left."""
    columns = draw(st.lists(_columns, min_size=1, max_size=4))
    rows = draw(st.lists(st.lists(_cells, max_size=len(columns)), max_size=4))
    return Table(columns=columns, rows=[TableRow(cells=row) for row in rows])


# -- pictures and codes --


_widths = st.none() | _tenths(10, 1200) | st.integers(1, 100)
_module_dots = st.sampled_from((0, 2, 3, 6))


@st.composite
def _pictures(draw: st.DrawFn) -> Picture:
    picture = Picture(data=draw(picture_files()), align=draw(_ALIGNS), dither=draw(_DITHERS))
    width = draw(_widths)
    if isinstance(width, float):
        picture.width_mm = width
    elif width is not None:
        picture.width_percent = width
    picture.threshold = draw(st.integers(0, 255))
    return picture


@st.composite
def _barcodes(draw: st.DrawFn) -> Barcode:
    symbology = draw(_SYMBOLOGIES)
    code = Barcode(symbology=symbology, data=draw(barcode_texts(symbology)), align=draw(_ALIGNS))
    code.height_mm = draw(_tenths(20, 500))
    code.module_dots = draw(_module_dots)
    code.text_below = draw(st.booleans())
    return code


_symbols = st.builds(
    Symbol,
    kind=st.integers(0, 3),
    data=symbol_texts(),
    module_dots=st.integers(0, 16),
    error_correction=st.integers(0, 4),
    align=_ALIGNS,
)
_seal_fields = st.builds(
    SealField,
    name=texts(20),
    width_mm=st.just(0.0) | _tenths(100, 720),
    height_mm=st.just(0.0) | _tenths(50, 600),
    align=_ALIGNS,
)

BLOCKS: dict[str, st.SearchStrategy[Block]] = {
    "paragraph": st.builds(Block, paragraph=_plain_paragraphs | _large_paragraphs),
    "rule": st.builds(Block, rule=st.builds(Rule, style=st.integers(0, 3))),
    "feed": st.builds(Block, feed=st.builds(Feed, mm=_tenths(1, 2000))),
    "cut": st.builds(Block, cut=st.builds(Cut, full=st.booleans())),
    "table": st.builds(Block, table=_tables()),
    "barcode": st.builds(Block, barcode=_barcodes()),
    "symbol": st.builds(Block, symbol=_symbols),
    "seal_field": st.builds(Block, seal_field=_seal_fields),
    "picture": st.builds(Block, picture=_pictures()),
}
"""Every kind of block by the name of its field."""


# -- how long it becomes at most --


def _most_mm(block: Block) -> float:
    kind = block.WhichOneof("block") or ""
    return _MOST[kind](block)


def _paragraph_mm(paragraph: Paragraph, columns: int = _COLUMNS) -> float:
    """Each character counts as two cells, and half of each line may stay blank."""
    lines = 1.0
    tallest = 1
    for span in paragraph.spans:
        wide = max(1, span.width)
        lines += span.text.count("\n") + 2 * 2 * len(span.text) * wide / columns
        tallest = max(tallest, span.height)
    return (lines + 1) * _LINE_MM * tallest


def _text_mm(text: str) -> float:
    return _paragraph_mm(Paragraph(spans=[Span(text=text)]))


def _table_mm(table: Table) -> float:
    return sum(max((_paragraph_mm(cell, columns=2) for cell in row.cells), default=_LINE_MM) for row in table.rows)


_MOST: dict[str, Callable[[Block], float]] = {
    "paragraph": lambda block: _paragraph_mm(block.paragraph),
    "rule": lambda block: _LINE_MM,
    "feed": lambda block: block.feed.mm,
    "cut": lambda block: 0.0,
    "table": lambda block: _table_mm(block.table),
    "barcode": lambda block: block.barcode.height_mm + 4 * _LINE_MM,
    "symbol": lambda block: 160.0,  # as wide as the widest paper, quiet zones included
    "seal_field": lambda block: (
        block.seal_field.height_mm + 15 + _paragraph_mm(Paragraph(spans=[Span(text="样" * 20)]))
    ),
    "picture": lambda block: 4 * 150.0,  # four times as high as the widest paper
}
