"""Frames between the daemon and a driver's process: two lengths, a JSON header, bytes. Bytes in, frames out."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

__all__ = ["MAX_FRAME", "BadFrame", "Frame", "FrameDecoder"]

MAX_FRAME = 8 * 2**20
"""Bytes of a header and its blob at most."""

_LENGTHS = struct.Struct(">II")  # of header and blob together, of the header


class BadFrame(ValueError):
    """The bytes are no frame. Tells their shape, never what is in them."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A header that JSON can hold, and bytes beside it."""

    header: dict[str, Any]
    blob: bytes = b""

    def to_bytes(self) -> bytes:
        """As it is sent. Raises BadFrame for more than MAX_FRAME bytes."""
        header = json.dumps(self.header, separators=(",", ":")).encode()
        length = len(header) + len(self.blob)
        if length > MAX_FRAME:
            raise BadFrame(f"expected a frame of at most {MAX_FRAME} bytes, got {length}")
        return _LENGTHS.pack(length, len(header)) + header + self.blob


class FrameDecoder:
    """Cuts a byte stream into frames; it keeps one unfinished frame at most. After BadFrame the stream is dead."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now. Raises BadFrame."""
        self._buffer += data
        frames, at = [], 0
        while len(self._buffer) - at >= _LENGTHS.size:
            length, header_length = _LENGTHS.unpack_from(self._buffer, at)
            if length > MAX_FRAME:
                raise BadFrame(f"expected a frame of at most {MAX_FRAME} bytes, got {length}")
            if header_length > length:
                raise BadFrame(f"expected a header within its frame of {length} bytes, got {header_length}")
            start = at + _LENGTHS.size
            if len(self._buffer) < start + length:
                break
            at = start + length
            header = _header(bytes(self._buffer[start : start + header_length]))
            frames.append(Frame(header, bytes(self._buffer[start + header_length : at])))
        del self._buffer[:at]
        return frames


def _header(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError):
        raise BadFrame(f"expected JSON as a header, got {len(data)} other bytes") from None
    if not isinstance(header, dict):
        raise BadFrame(f"expected an object as a header, got {type(header).__name__}")
    return header
