"""What printing puts on a side of a card, and how it looks.

The canvas is 1016 by 648 dots at 300 dpi and goes over the edge of the card, which lies in its middle: 1011 by 638 dots
with corners of 3.18 mm radius (ISO/IEC 7810: 85.60 by 53.98 mm).
"""

from __future__ import annotations

import io
from typing import Any

__all__ = ["CANVAS", "CARD", "Side", "to_png"]

CANVAS = (1016, 648)
CARD = (1011, 638)
CORNER_DOTS = 37.6
_DYES = {"c": 0, "m": 1, "y": 2}


class Side:
    """One side: dyes, resin and overlay, as far as anything was printed; of the size of what is printed."""

    def __init__(self, width: int = CANVAS[0], height: int = CANVAS[1]) -> None:
        self.width, self.height = width, height
        self.dyes: dict[str, Any] = {}
        """By y, m, c: bytes of density (height, width), 0 none to 255 full."""
        self.black: Any = None
        """Booleans (height, width)."""
        self.overlay: Any = None

    @property
    def printed(self) -> bool:
        """Something that can be seen was printed."""
        return bool(self.dyes) or self.black is not None

    def put(self, panel: str, plane: Any) -> None:
        """Print a panel over what is there: y, m, c as densities, k and o as booleans."""
        import numpy as np

        self.height, self.width = plane.shape
        if panel in _DYES:
            before = self.dyes.get(panel)
            self.dyes[panel] = plane if before is None else np.maximum(before, plane)
        elif panel == "o":
            self.overlay = plane if self.overlay is None else self.overlay | plane
        else:
            self.black = plane if self.black is None else self.black | plane

    def rgb(self) -> Any:
        """The colours that are seen, (height, width, 3)."""
        import numpy as np

        picture = np.full((self.height, self.width, 3), 255, np.uint8)
        for panel, plane in self.dyes.items():
            picture[..., _DYES[panel]] = 255 - plane
        if self.black is not None:
            picture[self.black] = 0
        return picture

    def describe(self) -> dict[str, Any]:
        """As plain data."""
        share = 0.0 if self.overlay is None else round(float(self.overlay.mean()), 3)
        return {"printed": self.printed, "dyes": sorted(self.dyes), "black": self.black is not None, "overlay": share}


def to_png(side: Side) -> bytes:
    """The side as a PNG file, cut to the card, with transparent corners."""
    from PIL import Image, ImageDraw

    left, top = round((side.width - CARD[0]) / 2), round((side.height - CARD[1]) / 2)
    picture = Image.fromarray(side.rgb()).crop((left, top, left + CARD[0], top + CARD[1])).convert("RGBA")
    mask = Image.new("L", CARD, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, CARD[0] - 1, CARD[1] - 1), CORNER_DOTS, fill=255)
    picture.putalpha(mask)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
