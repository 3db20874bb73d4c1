"""Pictures as commands: strips of rows, harmless for the printer's real-time stage."""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterator

from countertop.sdk.receipt.ir import Bitmap

__all__ = ["harmless", "strips", "trimmed"]

# Sequences that a printer carries out at once even inside picture data ("the data will be also processed as the
# real-time command", Epson): functions of DLE DC4 (pulse, power off, clear) and of DLE ENQ (resume, recover).
# DLE EOT is left alone: it only sends a status byte, which the decoder knows as unsolicited.
_FUNCTIONS = {1: rb"\x01", 2: rb"\x02\x01\x08", 8: rb"\x08\x01\x03\x14\x01\x06\x02\x08"}
_REQUESTS = rb"\x05[\x01\x02]"


@functools.cache
def _carried_out(disabled: tuple[int, ...]) -> re.Pattern[bytes]:
    functions = b"|".join(tail for function, tail in _FUNCTIONS.items() if function not in disabled)
    return re.compile(rb"\x10(?:\x14(?:" + functions + rb")|" + _REQUESTS + rb")")


def harmless(data: bytes, disabled: tuple[int, ...]) -> bytes:
    """Picture data in which no real-time command can open a drawer, switch off, resume or clear.

    `disabled` are the functions of DLE DC4 that GS ( D keeps out already. A sequence that is left is broken by
    blackening one dot in its first byte.
    """
    return _carried_out(disabled).sub(_blackened, data)


def _blackened(match: re.Match[bytes]) -> bytes:
    return b"\x18" + match.group()[1:]


def trimmed(bitmap: Bitmap) -> Bitmap:
    """The bitmap without the bytes at its right that are white in every row: they need not cross the wire.

    For a line of text; one step a row.
    """
    rows, stride = bitmap.rows, bitmap.stride
    ink = 0
    for start in range(0, len(rows), stride):
        ink |= int.from_bytes(rows[start : start + stride], "big")
    if not ink:
        return Bitmap(0, bitmap.height, b"")
    # whole bytes that no row has ink in, at the low end
    white = ((ink & -ink).bit_length() - 1) // 8
    if not white:
        return bitmap
    keep = stride - white
    kept = b"".join(rows[start : start + keep] for start in range(0, len(rows), stride))
    return Bitmap(keep * 8, bitmap.height, kept)


def strips(bitmap: Bitmap, command: str, max_rows: int, disabled: tuple[int, ...]) -> Iterator[tuple[bytes, int]]:
    """The commands that print a bitmap, each with its number of rows.

    `command` is "gs-v-0" (GS v 0: obsolete, but every printer has it) or "gs-8-l" (GS 8 L function 112 and GS ( L
    function 50; the length field of GS ( L has only 16 bits and is too short for a tall picture).
    """
    stride = bitmap.stride
    for top in range(0, bitmap.height, max_rows):
        count = min(max_rows, bitmap.height - top)
        data = harmless(bitmap.rows[top * stride : (top + count) * stride], disabled)
        if command == "gs-8-l":
            head = struct.pack("<3sI6sHH", b"\x1d8L", len(data) + 10, b"0p0\x01\x011", bitmap.width, count)
            yield head + data + b"\x1d(L\x02\x0002", count
        else:
            yield struct.pack("<4sHH", b"\x1dv0\x00", stride, count) + data, count
