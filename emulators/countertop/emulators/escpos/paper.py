"""What has come out of the printer: strips of dots, lines of text, cut into receipts."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Receipt", "Roll"]


@dataclass(slots=True)
class Receipt:
    """One piece of paper. `lines` holds what can be read on it with its place in dots from the top: text lines, and
    `[...]` for pictures and codes.
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

    def png(self) -> bytes:
        """The paper as a 1-bit PNG, one pixel a dot. May take long: call it in a thread."""
        import numpy as np

        black = np.concatenate(self.strips) if self.strips else np.zeros((1, self.width), bool)
        packed = np.packbits(~black, axis=1)
        rows = np.zeros((packed.shape[0], packed.shape[1] + 1), np.uint8)
        rows[:, 1:] = packed
        header = struct.pack(">2I5B", self.width, black.shape[0], 1, 0, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
        )


KEPT = 200
"""Receipts that are kept; older ones are thrown away."""
_LONGEST = 40_000
"""Dots after which somebody tears off paper that nobody cuts."""


class Roll:
    """The paper that passes the head; cutting it gives receipts."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.receipts: list[Receipt] = []
        self.current = Receipt(1, width)

    def feed(self, dots: int) -> None:
        """Blank paper."""
        import numpy as np

        if dots > 0:
            self.current.strips.append(np.zeros((dots, self.width), bool))
            self.current.height += dots

    def put(self, black: Any) -> None:
        """A strip of dots: a numpy array of booleans (rows, width of the paper)."""
        self.current.strips.append(black)
        self.current.height += black.shape[0]
        if self.current.height > _LONGEST:
            self.cut(0)

    def write(self, line: str) -> None:
        """A line that can be read, at the place that the paper has reached."""
        self.current.lines.append((self.current.height, line))

    def cut(self, distance: int) -> Receipt | None:
        """Cut `distance` dots before the head: what lies between stays. None when nothing has passed the cutter."""
        import numpy as np

        whole, edge = self.current, self.current.height - distance
        if edge <= 0:
            return None
        black = np.concatenate(whole.strips)
        rest = Receipt(whole.number + 1, self.width, [black[edge:]], height=distance)
        rest.lines = [(place - edge, line) for place, line in whole.lines if place >= edge]
        whole.strips, whole.height, whole.finished = [black[:edge]], edge, True
        whole.lines = [(place, line) for place, line in whole.lines if place < edge]
        self.receipts.append(whole)
        del self.receipts[:-KEPT]
        self.current = rest
        return whole
