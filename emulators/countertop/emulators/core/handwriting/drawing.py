"""A drawing to be written: strokes of points, in any unit, with times and pressures where they are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Drawing", "DrawnPoint", "DrawnStroke"]


@dataclass(frozen=True, slots=True)
class DrawnPoint:
    """A point of a drawing, y downwards."""

    x: float
    y: float
    seconds: float | None = None
    """Since the drawing began."""
    pressure: float | None = None
    """0 to 1."""


DrawnStroke: TypeAlias = list[DrawnPoint]
Drawing: TypeAlias = list[DrawnStroke]
