"""Planes as panels: the printer's own orientation, levels and codings.

A panel has a line for each dot of the long edge, 1016 of 648 pixels; the picture that people read is the panel turned
by 90 degrees counter-clockwise (eight jobs of real drivers decode so). One-bit lines have their first pixel in the most
significant bit, 1 is ink. Pixels of 5, 6 and 7 bits follow each other without gaps, most significant bit first (the
order is not in the guide).
"""

from __future__ import annotations

from typing import Any

__all__ = ["BITS", "compress", "density", "one_bit", "packed", "panels_of_sides", "turned"]

BITS = {2: 1, 32: 5, 64: 6, 128: 7}
"""Bits of a pixel, by the number of levels."""
LINE_BYTES = 81
"""Of a one-bit line of 648 pixels."""
_BLANK = b"\0"


def panels_of_sides(ribbon: str) -> tuple[str, str]:
    """The panels for the front and for the back: a ribbon such as ymckok has a black panel of its own for the back."""
    second = ribbon.find("k", ribbon.find("k") + 1)
    return (ribbon[:second], ribbon[second:]) if second > 0 else (ribbon, ribbon)


def turned(plane: Any) -> Any:
    """A plane of (648, 1016, ...) as a panel of (1016, 648, ...)."""
    import numpy as np

    return np.ascontiguousarray(np.rot90(plane, -1))


def density(rgb: Any, panel: str) -> Any:
    """How much of the dye of a panel, y, m or c, each pixel takes: 0 to 255."""
    channel = {"c": 0, "m": 1, "y": 2}[panel]
    return 255 - rgb[..., channel]


def one_bit(plane: Any) -> bytes:
    """A plane of booleans as the 82,296 bytes of a two-level panel."""
    import numpy as np

    return np.packbits(turned(plane), axis=1).tobytes()


def packed(plane: Any, levels: int) -> bytes:
    """A plane of 0 to 255 as a panel of 32, 64 or 128 levels: 411,480, 493,776 or 576,072 bytes."""
    import numpy as np

    bits = BITS[levels]
    steps = ((turned(plane).astype(np.uint16) * (levels - 1) + 127) // 255).astype(np.uint8)
    spread = np.unpackbits((steps.reshape(-1, 1) << (8 - bits)).astype(np.uint8), axis=1, count=bits)
    return np.packbits(spread).tobytes()


def compress(panel: bytes) -> bytes:
    """A two-level panel as `Dbc` has it: for each line the number of bytes up to the last that has ink, and these."""
    import numpy as np

    lines = np.frombuffer(panel, np.uint8).reshape(-1, LINE_BYTES)
    inked = lines != 0
    lengths = np.where(inked.any(axis=1), LINE_BYTES - np.argmax(inked[:, ::-1], axis=1), 0)
    parts: list[bytes] = []
    for line, length in zip(lines, lengths.tolist(), strict=True):
        parts += (bytes((length,)), line[:length].tobytes()) if length else (_BLANK,)
    return b"".join(parts)
