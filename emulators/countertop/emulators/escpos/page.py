"""Page mode: what is printed is gathered on a page, in areas with a direction, until FF."""

from __future__ import annotations

from typing import Any

__all__ = ["MAX_HEIGHT", "Page"]

MAX_HEIGHT = 2400
"""Dots; as long as the page memory of usual models."""


class Page:
    """A page of `paper` dots width. Directions after ESC T: 0 left to right, 1 bottom to top, 2 right to left (upside
    down), 3 top to bottom.
    """

    def __init__(self, paper: int) -> None:
        import numpy as np

        self.black = np.zeros((MAX_HEIGHT, paper), bool)
        self.lines: list[str] = []
        self.direction = 0
        self.area = (0, 0, paper, MAX_HEIGHT)
        self.y = 0
        self._canvas = self.black

    @property
    def width(self) -> int:
        """Width of a line in the present direction."""
        return int(self._canvas.shape[1])

    def set_area(self, x: int, y: int, width: int, height: int) -> None:
        """ESC W, in dots; kept inside the page."""
        x, y = min(x, self.black.shape[1] - 1), min(y, MAX_HEIGHT - 1)
        self.area = (x, y, max(1, min(width, self.black.shape[1] - x)), max(1, min(height, MAX_HEIGHT - y)))
        self._begin()

    def set_direction(self, direction: int) -> None:
        """ESC T."""
        self.direction = direction & 3
        self._begin()

    def move(self, dots: int) -> None:
        """Down by so many dots."""
        self.y = max(0, self.y + dots)

    def put(self, strip: Any, feed: int, note: str) -> None:
        """Set a strip at the present place and go on below it; what is outside the area is lost."""
        rows = min(strip.shape[0], max(0, self._canvas.shape[0] - self.y))
        self._canvas[self.y : self.y + rows] |= strip[:rows, : self.width]
        if self.y < self._canvas.shape[0] and len(self.lines) < MAX_HEIGHT:
            self.lines.append(note)
        self.move(feed)

    def clear(self) -> None:
        """CAN: the present area becomes blank."""
        self._canvas[:] = False
        self.y = 0
        self.lines.clear()

    def finished(self) -> Any:
        """The page down to its last black row."""
        import numpy as np

        rows = np.flatnonzero(self.black.any(axis=1))
        return self.black[: rows[-1] + 1].copy() if len(rows) else self.black[:0].copy()

    def _begin(self) -> None:
        """The area as it lies before whoever reads in the present direction: a turned view, not a copy."""
        import numpy as np

        x, y, width, height = self.area
        self._canvas = np.rot90(self.black[y : y + height, x : x + width], -self.direction)
        self.y = 0
