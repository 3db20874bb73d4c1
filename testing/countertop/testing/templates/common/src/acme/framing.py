"""The frames of the wire: bytes in, frames out. No I/O.

::

    STX  length   number  letter  payload        CRC
    02   3 bytes  1 byte  1 byte  length bytes   2 bytes

Numbers have their most significant byte first. The CRC is CRC-16/XMODEM of everything between STX and itself. `number`
ties an answer to its command, 1 to 255; what the device sends unasked has number 0.
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass, field

__all__ = ["Frame", "FrameDecoder", "encode"]

STX = 0x02
HEAD = 6
"""Bytes before the payload."""
TAIL = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, of the host or of the device."""

    number: int
    """0 to 255."""
    letter: str
    """What it is: one ASCII letter."""
    payload: bytes = field(default=b"", repr=False)
    """May be about a person, so that it never shows in a log."""


def encode(frame: Frame) -> bytes:
    """A frame as it goes over the wire."""
    body = len(frame.payload).to_bytes(3) + bytes([frame.number]) + frame.letter.encode("ascii") + frame.payload
    return bytes([STX]) + body + crc_hqx(body, 0).to_bytes(2)


class FrameDecoder:
    """Finds frames in a stream, whatever stands before, between and after them. Keeps less than one frame of `longest`
    bytes of payload. A frame that is damaged costs itself: the search goes on behind its first byte.
    """

    def __init__(self, longest: int) -> None:
        self.dropped = 0
        """Bytes that belonged to no frame: damage on the line, mostly."""
        self._longest = longest
        self._bytes = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a frame that may have begun."""
        return len(self._bytes)

    def reset(self) -> None:
        """Forget a frame that has begun, when the line was silent for longer than a frame takes."""
        self.dropped += len(self._bytes)
        self._bytes.clear()

    def feed(self, data: bytes) -> list[Frame]:
        """Take in bytes; the same bytes give the same frames, however they are split."""
        return [found for found in self.scan(data) if isinstance(found, Frame)]

    def scan(self, data: bytes) -> list[Frame | int]:
        """As `feed`, with what lies between: the number of bytes that belong to no frame."""
        self._bytes += data
        found: list[Frame | int] = []
        while self._bytes:
            start = self._bytes.find(STX)
            if start:
                found.append(self._drop(start if start > 0 else len(self._bytes)))
                continue
            length = int.from_bytes(self._bytes[1:4])
            end = HEAD + length + TAIL
            if len(self._bytes) < HEAD or (length <= self._longest and len(self._bytes) < end):
                break
            if length <= self._longest and self._is_whole(end):
                payload = bytes(self._bytes[HEAD : end - TAIL])
                found.append(Frame(self._bytes[4], chr(self._bytes[5]), payload))
                del self._bytes[:end]
            else:
                found.append(self._drop(1))
        return found

    def _is_whole(self, end: int) -> bool:
        said = int.from_bytes(self._bytes[end - TAIL : end])
        return self._bytes[5] < 0x80 and crc_hqx(self._bytes[1 : end - TAIL], 0) == said

    def _drop(self, count: int) -> int:
        self.dropped += count
        del self._bytes[:count]
        return count
