"""Ink in a terminal window, in braille dots, as it is written."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from countertop.v1.ink_pb2 import InkPoint, InkSpace
    from countertop.v1.signature_pad_pb2 import CaptureSignatureResponse

__all__ = ["DotCanvas", "InkView"]

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of a braille character, by row and column of its dots (Unicode block 2800)."""


class DotCanvas:
    """A drawing of 2 by 4 dots a character."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._cells = [[0] * columns for _ in range(rows)]

    def line(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw from 0..1 to 0..1 in both directions."""
        width, height = self.columns * 2 - 1, self.rows * 4 - 1
        steps = max(1, round(max(abs(x1 - x0) * width, abs(y1 - y0) * height)))
        for step in range(steps + 1):
            part = step / steps
            x, y = round((x0 + (x1 - x0) * part) * width), round((y0 + (y1 - y0) * part) * height)
            if 0 <= x <= width and 0 <= y <= height:
                self._cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]

    def clear(self) -> None:
        """Wipe it."""
        self._cells = [[0] * self.columns for _ in range(self.rows)]

    def __str__(self) -> str:
        return "\n".join("".join(chr(0x2800 + cell) for cell in row) for row in self._cells)


class InkView:
    """Shows a capture's ink while it is written; nothing where nobody watches (`live` false, or no terminal)."""

    def __init__(self, console: Console, *, live: bool) -> None:
        self._console = console
        self._wanted = live and console.is_terminal
        self._live: Live | None = None
        self._space: InkSpace | None = None
        self._canvas: DotCanvas | None = None
        self._last: InkPoint | None = None

    def __enter__(self) -> InkView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def take(self, update: CaptureSignatureResponse) -> None:
        """Draw what an update brings."""
        if not self._wanted:
            return
        match update.WhichOneof("payload"):
            case "started":
                self._start(update.started.space)
            case "cleared":
                self._last = None
                if self._canvas is not None:
                    self._canvas.clear()
            case "ink":
                for point in update.ink.points:
                    self._draw(point)
                if update.ink.pen_up:
                    self._last = None

    def _start(self, space: InkSpace) -> None:
        from rich.live import Live
        from rich.panel import Panel

        columns = min(self._console.width - 4, 76)
        rows = max(4, min(round(columns * 2 * space.height / max(1, space.width) / 4), self._console.height - 6))
        canvas = self._canvas = DotCanvas(columns, rows)
        self._space = space
        self._live = Live(
            get_renderable=lambda: Panel.fit(str(canvas), title="ink"), console=self._console, refresh_per_second=15
        )
        self._live.start()

    def _draw(self, point: InkPoint) -> None:
        if self._canvas is None or self._space is None:
            return
        before = self._last or point
        width, height = max(1, self._space.width - 1), max(1, self._space.height - 1)
        self._canvas.line(before.x / width, before.y / height, point.x / width, point.y / height)
        self._last = point
