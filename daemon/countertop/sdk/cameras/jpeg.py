"""What can be told of a JPEG file without decoding it (ITU-T T.81, annex B)."""

from __future__ import annotations

__all__ = ["frame_size", "is_whole"]

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
_SOS = 0xDA
_BARE = {0x01, *range(0xD0, 0xD9)}
"""Markers without a length: TEM, RST0-7, SOI."""
_SOF = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of frame; not DHT, JPG, DAC."""


def frame_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None when these bytes are no JPEG file, or end before they say it."""
    if data[:2] != SOI:
        return None
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _BARE:
            at += 2
            continue
        if marker == _SOS or at + 9 > len(data):
            return None
        if marker in _SOF:
            height = int.from_bytes(data[at + 5 : at + 7])
            width = int.from_bytes(data[at + 7 : at + 9])
            return (width, height) if width and height else None
        length = int.from_bytes(data[at + 2 : at + 4])
        if length < 2:
            return None
        at += 2 + length
    return None


def is_whole(data: bytes) -> bool:
    """It begins and ends as a JPEG file does: cheap, and true of some that are cut off all the same."""
    if len(data) < 4 or data[:2] != SOI:
        return False
    return data[-2:] == EOI or data.rstrip(b"\0")[-2:] == EOI  # cameras fill up their buffers
