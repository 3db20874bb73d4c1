"""What a card printer prints: its canvas, and the planes that go onto it.

A design's millimetres begin at the upper left corner of the card. The canvas goes over the edge of the card, which lies
in the middle of it: at 300 dpi a card is 1011.02 by 637.56 dots, the usual canvas 1016 by 648.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from countertop.sdk.errors import CountertopError
from countertop.v1 import device_pb2, error_pb2

__all__ = ["CARD_HEIGHT_MM", "CARD_WIDTH_MM", "CORNER_MM", "Canvas", "CardImage", "Planes"]

CARD_WIDTH_MM = 85.60
"""Of an ID-1 card (ISO/IEC 7810)."""
CARD_HEIGHT_MM = 53.98
CORNER_MM = 3.18
"""Radius of its corners."""
MM_PER_INCH = 25.4
POINTS_PER_INCH = 72


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a printer can print: dots and panels."""

    width: int = 1016
    height: int = 648
    dpi: int = 300
    color: bool = True
    black: bool = True
    overlay: bool = True
    uv: bool = False

    @classmethod
    def of(cls, capabilities: device_pb2.CardPrinterCapabilities) -> Canvas:
        """The canvas of a printer as it is now. Raises CountertopError(NOT_SUPPORTED) for a device without a head."""
        has = capabilities
        if not (has.width and has.height and has.dpi):
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "The device has no print head for cards.")
        return cls(has.width, has.height, has.dpi, has.color, has.black, has.overlay, has.uv)

    def dots(self, mm: float) -> float:
        """A length in dots, not rounded."""
        return mm * self.dpi / MM_PER_INCH

    def points(self, points: float) -> float:
        """A size of type in dots, not rounded."""
        return points * self.dpi / POINTS_PER_INCH

    def x(self, mm: float) -> int:
        """The column at which a distance from the left edge of the card begins; may lie outside the canvas."""
        return nearest((self.width - self.dots(CARD_WIDTH_MM)) / 2 + self.dots(mm))

    def y(self, mm: float) -> int:
        """The row at which a distance from the upper edge of the card begins."""
        return nearest((self.height - self.dots(CARD_HEIGHT_MM)) / 2 + self.dots(mm))


@dataclass(frozen=True, slots=True)
class Planes:
    """One side: numpy arrays of the canvas's (height, width), landscape, row 0 at the top."""

    rgb: Any | None
    """Bytes (height, width, 3): red, green, blue; 255 where nothing is printed. None when all of it is."""
    black: Any | None
    """Booleans, True for resin; None when there is none."""
    overlay: Any | None
    """Booleans, True for varnish; None when the printer has no overlay."""
    uv: Any | None
    """Booleans, True for ink that shows in ultraviolet light; None when there is none."""


@dataclass(frozen=True, slots=True)
class CardImage:
    """Both sides, and what does not go as the design says. A side that the design leaves out is None."""

    front: Planes | None
    back: Planes | None
    warnings: tuple[str, ...] = ()


def nearest(value: float) -> int:
    """Halves go up, so that boxes that touch in millimetres touch in dots."""
    return math.floor(value + 0.5)
