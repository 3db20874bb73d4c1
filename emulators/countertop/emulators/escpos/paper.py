"""What has come out of the printer: strips of dots, lines of text, cut into receipts. All of it in bounded memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Receipt", "Roll"]


@dataclass(slots=True)
class Receipt:
    """One piece of paper. `strips` are arrays of packed dots, eight a byte, black as 1. `lines` holds what can be read
    on it with its place in dots from the top: text lines, and `[...]` for pictures and codes.
    """

    number: int
    width: int
    strips: list[Any] = field(default_factory=list)
    lines: list[tuple[int, str]] = field(default_factory=list)
    height: int = 0
    finished: bool = False

    @property
    def text(self) -> str:
        """All lines, each ended by a newline, blanks at their ends dropped."""
        return "".join(f"{line.rstrip()}\n" for _, line in self.lines)

    def rows(self) -> Any:
        """All dots, packed: a numpy array of bytes (height, width in bytes)."""
        import numpy as np

        return np.concatenate(self.strips) if self.strips else _blank(0, self.width)

    def png(self) -> bytes:
        """The paper as a 1-bit PNG, one pixel a dot. May take long: call it in a thread."""
        import numpy as np

        black = self.rows() if self.height else _blank(1, self.width)
        rows = np.zeros((black.shape[0], black.shape[1] + 1), np.uint8)
        rows[:, 1:] = ~black
        header = struct.pack(">2I5B", self.width, black.shape[0], 1, 0, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
        )


KEPT = 200
"""Receipts that are kept; older ones are thrown away."""
_KEPT_BYTES = 64 * 1024 * 1024
"""Dots of all kept receipts together, in bytes; the oldest go first."""
_LONGEST, _MOST_LINES = 40_000, 10_000
"""Dots, and lines, after which somebody tears off paper that nobody cuts."""


def _blank(height: int, width: int) -> Any:
    import numpy as np

    return np.zeros((height, (width + 7) // 8), np.uint8)


class Roll:
    """The paper that passes the head; cutting it gives receipts, and `on_receipt` is told of each; `on_heat` is told
    how many rows with black in them were printed.
    """

    def __init__(
        self,
        width: int,
        on_receipt: Callable[[Receipt], None] = lambda receipt: None,
        on_heat: Callable[[int], None] = lambda rows: None,
    ) -> None:
        self.width = width
        self._on_receipt = on_receipt
        self._on_heat = on_heat
        self.receipts: list[Receipt] = []
        self.current = Receipt(1, width)

    def feed(self, dots: int) -> None:
        """Blank paper."""
        if dots > 0:
            self._add(_blank(dots, self.width))

    def put(self, black: Any) -> None:
        """A strip of dots: a numpy array of booleans (rows, width of the paper)."""
        import numpy as np

        self._on_heat(int(black.any(axis=1).sum()))
        self._add(np.packbits(black, axis=1))

    def write(self, line: str) -> None:
        """A line that can be read, at the place that the paper has reached."""
        if len(self.current.lines) >= _MOST_LINES:
            self.cut(0)
        if len(self.current.lines) < _MOST_LINES:  # more can only lie on top of each other
            self.current.lines.append((self.current.height, line))

    def cut(self, distance: int) -> Receipt | None:
        """Cut `distance` dots before the head: what lies between stays. None when nothing has passed the cutter."""
        whole, edge = self.current, self.current.height - distance
        if edge <= 0:
            return None
        black = whole.rows()
        rest = Receipt(whole.number + 1, self.width, [black[edge:].copy()], height=distance)
        rest.lines = [(place - edge, line) for place, line in whole.lines if place >= edge]
        whole.strips, whole.height, whole.finished = [black[:edge]], edge, True
        whole.lines = [(place, line) for place, line in whole.lines if place < edge]
        self.receipts.append(whole)
        del self.receipts[:-KEPT]
        while sum(receipt.height for receipt in self.receipts) * black.shape[1] > _KEPT_BYTES:
            del self.receipts[0]
        self.current = rest
        self._on_receipt(whole)
        return whole

    def _add(self, packed: Any) -> None:
        self.current.strips.append(packed)
        self.current.height += packed.shape[0]
        if self.current.height > _LONGEST:
            self.cut(0)
