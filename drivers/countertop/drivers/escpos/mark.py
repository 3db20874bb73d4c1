"""The mark of a receipt that is printed a second time."""

from __future__ import annotations

from dataclasses import replace

from countertop.drivers.escpos.encode import Encoded
from countertop.v1.receipt_pb2 import ALIGN_CENTER, Block, Paragraph, Receipt, Span

__all__ = ["MARK_BLOCKS", "marked", "without_mark"]

MARK_BLOCKS = 1


def marked(receipt: Receipt) -> Receipt:
    """The receipt under the line "reprint", as Chinese banks have it."""
    mark = Block(paragraph=Paragraph(spans=[Span(text="补打", bold=True)], align=ALIGN_CENTER))
    return Receipt(blocks=[mark, *receipt.blocks])


def without_mark(encoded: Encoded) -> Encoded:
    """Blocks are counted as the caller counts them."""
    chunks = tuple(replace(chunk, blocks=max(0, chunk.blocks - MARK_BLOCKS)) for chunk in encoded.chunks)
    return replace(encoded, chunks=chunks)
