"""Bitmaps as they come over the wire, as pictures.

Panels have a line for each dot of the long edge; the first pixel of a line is in the most significant bits. The packing
of pixels of 5, 6 and 7 bits is not in the guide: most significant bit first, without gaps.
"""

from __future__ import annotations

import io
from typing import Any

from countertop.emulators.evolis.framing import BITS, HEIGHT, WIDTH

__all__ = ["expand_dye", "expand_resin", "from_bmp", "unpack", "upright"]

LINE_BYTES = WIDTH // 8
WHITE, BLACK = 0x00, 0xFF
_RUN = 0x80
_LONGER = {128: (), 64: (0x40,), 32: (0x40, 0x20), 2: (), 256: ()}
"""Bits of a run's value that each add 256 to its count."""


def upright(panel: Any) -> Any:
    """A panel of (1016, 648) as people look at it, (648, 1016)."""
    import numpy as np

    return np.ascontiguousarray(np.rot90(panel))


def unpack(data: bytes, levels: int) -> Any:
    """Whole lines of pixels, 0 to `levels` - 1. Raises ValueError for a part of a line."""
    import numpy as np

    bits = BITS[levels]
    lines, rest = divmod(len(data) * 8, WIDTH * bits)
    if rest:
        raise ValueError("data: expected whole lines")
    spread = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, bits)
    weights = 1 << np.arange(bits - 1, -1, -1)
    return (spread @ weights).astype(np.uint8).reshape(lines, WIDTH)


def expand_resin(data: bytes) -> Any:
    """`Dbc` of a two-level panel: for each line 00 white, FF black, or N (1 to 81) and N bytes, the rest white.

    Raises ValueError for anything else.
    """
    import numpy as np

    lines = []
    at = 0
    while at < len(data):
        head = data[at]
        at += 1
        if head == BLACK:
            lines.append(b"\xff" * LINE_BYTES)
            continue
        if head > LINE_BYTES or at + head > len(data):
            raise ValueError("data: expected 00, FF, or up to 81 and as many bytes for each line")
        lines.append(data[at : at + head].ljust(LINE_BYTES, b"\0"))
        at += head
        if len(lines) > HEIGHT:
            raise ValueError(f"data: expected at most {HEIGHT} lines")
    return np.unpackbits(np.frombuffer(b"".join(lines), np.uint8)).reshape(len(lines), WIDTH)


def expand_dye(data: bytes, levels: int) -> Any:
    """`Dbc` of a panel of 32, 64 or 128 levels: values, and runs (bit 7 set) whose count follows; count 00 leaves the
    rest of the line blank. Raises ValueError for more than a panel.
    """
    import numpy as np

    longer = _LONGER[levels]
    pixels = np.zeros(HEIGHT * WIDTH, np.uint8)
    at, filled = 0, 0
    while at < len(data):
        value = data[at]
        at += 1
        count = 1
        if value & _RUN:
            if at == len(data):
                raise ValueError("data: expected a count after a run's value")
            count = data[at] + 256 * sum(bool(value & bit) for bit in longer)
            at += 1
            value &= levels - 1
            if not count:
                count, value = WIDTH - filled % WIDTH, 0
        if value >= levels or filled + count > len(pixels):
            raise ValueError("data: expected values below the number of levels, and at most a panel of them")
        pixels[filled : filled + count] = value
        filled += count
    lines = -(-filled // WIDTH)
    return pixels[: lines * WIDTH].reshape(lines, WIDTH)


def from_bmp(data: bytes) -> Any:
    """A monochrome BMP file, True where it is black. Raises ValueError for anything else."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=["BMP"]) as picture:
            if picture.mode != "1" or picture.width > HEIGHT or picture.height > WIDTH:
                raise ValueError("data: expected a BMP file of one bit a pixel, no larger than the card")
            return ~np.asarray(picture)
    except (OSError, UnidentifiedImageError, SyntaxError):
        raise ValueError("data: expected a BMP file") from None
