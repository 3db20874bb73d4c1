"""The slip that a health check prints."""

from __future__ import annotations

from countertop.v1 import receipt_pb2
from countertop.v1.receipt_pb2 import Block, Paragraph, Receipt, Rule, Span

__all__ = ["test_slip"]


def test_slip(profile: str) -> Receipt:
    """A few lines in both scripts, and a cut."""
    title = Span(text="测试页 Test slip", bold=True)
    return Receipt(
        blocks=[
            Block(paragraph=Paragraph(spans=[title], align=receipt_pb2.ALIGN_CENTER)),
            Block(rule=Rule()),
            Block(paragraph=Paragraph(spans=[Span(text=f"Countertop, escpos, {profile}")])),
            Block(paragraph=Paragraph(spans=[Span(text="0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ")])),
            Block(paragraph=Paragraph(spans=[Span(text="一二三四五六七八九十，。：；")])),
            Block(cut=receipt_pb2.Cut()),
        ]
    )
