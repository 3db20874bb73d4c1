"""PWG Raster: pages as IPP Everywhere printers take them (PWG 5102.4-2012). Sans-IO.

A file is `RaS2` and for each page a header of 1796 bytes and its lines. A line is the number of further lines that are
like it, and runs: 0 to 127 and one pixel, which comes once more than that; 129 to 255 and 257 less that many pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

__all__ = ["HEADER_BYTES", "SYNC", "document", "encode_lines", "page_header"]

SYNC = b"RaS2"
HEADER_BYTES = 1796
SRGB, SGRAY = 19, 18
"""cupsColorSpace."""
POINTS = 72
LITERAL = 128
MAX_REPEATS = 256
_FEW = 8
"""Runs pay off where a line has fewer than one for so many pixels."""


def document(pages: Sequence[Any], *, dpi: int, two_sided: bool, size_name: str) -> bytes:
    """Pages, each (height, width, 3) of sRGB or (height, width) of grey, 0 black to 255 white."""
    parts = [SYNC]
    for page in pages:
        parts.append(page_header(page, dpi, two_sided, size_name, len(pages)))
        parts.append(encode_lines(page))
    return b"".join(parts)


def page_header(page: Any, dpi: int, two_sided: bool, size_name: str, pages: int) -> bytes:
    """The header of a page; all numbers most significant byte first, at the places of PWG 5102.4, table 2."""
    height, width = page.shape[:2]
    colors = 3 if page.ndim == 3 else 1
    header = bytearray(HEADER_BYTES)
    header[0:9] = b"PwgRaster"
    numbers = {
        272: int(two_sided),
        276: dpi,
        280: dpi,
        340: 1,  # copies
        352: round(width * POINTS / dpi),
        356: round(height * POINTS / dpi),
        372: width,
        376: height,
        384: 8,  # bits per color
        388: 8 * colors,  # bits per pixel
        392: width * colors,  # bytes per line
        396: 0,  # chunky
        400: SRGB if colors == 3 else SGRAY,
        420: colors,
        452: pages,
        456: 1,  # transforms
        460: 1,
        472: 0,
        480: 0xFFFFFF,  # alternate primary
    }
    for at, value in numbers.items():
        struct.pack_into(">I", header, at, value)
    name = size_name.encode("ascii")[:63]
    header[1732 : 1732 + len(name)] = name
    return bytes(header)


def encode_lines(page: Any) -> bytes:
    """All lines of a page."""
    import numpy as np

    pixels = page if page.ndim == 3 else page[..., np.newaxis]
    alike = np.all(pixels[1:] == pixels[:-1], axis=(1, 2)) if len(pixels) > 1 else np.zeros(0, bool)
    parts: list[bytes] = []
    row = 0
    while row < len(pixels):
        last = row
        while last < len(alike) and alike[last] and last - row < MAX_REPEATS - 1:
            last += 1
        parts += (bytes((last - row,)), _line(pixels[row]))
        row = last + 1
    return b"".join(parts)


def _line(pixels: Any) -> bytes:
    import numpy as np

    width = len(pixels)
    starts = np.flatnonzero(np.any(pixels[1:] != pixels[:-1], axis=1)) + 1
    if len(starts) * _FEW > width:
        blocks = (pixels[at : at + LITERAL] for at in range(0, width, LITERAL))
        return b"".join(_literal(block) for block in blocks)
    parts = []
    edges = [0, *starts.tolist(), width]
    for begin, end in pairwise(edges):
        pixel, count = pixels[begin].tobytes(), end - begin
        while count:
            run = min(count, LITERAL)
            parts.append(bytes((run - 1,)) + pixel)
            count -= run
    return b"".join(parts)


def _literal(block: Any) -> bytes:
    head = bytes((257 - len(block),)) if len(block) > 1 else b"\0"
    return head + bytes(block.tobytes())
