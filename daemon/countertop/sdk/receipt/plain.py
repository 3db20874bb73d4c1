"""Plain text as a receipt."""

from __future__ import annotations

from countertop.v1.receipt_pb2 import Block, Cut, Paragraph, Receipt, Span

__all__ = ["receipt_from_text"]

_MOST_LINES = 400
"""Lines a paragraph: a receipt has at most 500 blocks."""


def receipt_from_text(text: str) -> Receipt:
    """Each line begins a line; long ones wrap. Tabs become blanks; a form feed, and the end, cut the paper."""
    receipt = Receipt()
    for page in text.replace("\r\n", "\n").rstrip("\n").split("\f"):
        lines = page.expandtabs().split("\n")
        for start in range(0, len(lines), _MOST_LINES):
            stretch = "\n".join(lines[start : start + _MOST_LINES])
            pieces = [stretch[at : at + 8192] for at in range(0, len(stretch), 8192)]
            receipt.blocks.append(Block(paragraph=Paragraph(spans=[Span(text=piece) for piece in pieces])))
        receipt.blocks.append(Block(cut=Cut()))
    return receipt
