"""How thick ink is drawn."""

from __future__ import annotations

from countertop.v1.ink_pb2 import InkPoint

__all__ = ["CLASSES", "PLAIN_MM", "width_class", "width_mm"]

CLASSES = 8
"""Widths that a drawing tells apart, so that neighbouring points share one line."""
PLAIN_MM = 0.45
"""Where pressure is not measured."""
_THIN_MM, _THICK_MM = 0.25, 0.85


def width_class(point: InkPoint) -> int:
    """0 to CLASSES - 1 by pressure; -1 where it is not measured."""
    return min(CLASSES - 1, int(point.pressure * CLASSES)) if point.HasField("pressure") else -1


def width_mm(class_: int) -> float:
    """The pen's width in millimetres."""
    return PLAIN_MM if class_ < 0 else _THIN_MM + (_THICK_MM - _THIN_MM) * (class_ + 0.5) / CLASSES
