"""The serial line of STU pads: reports in frames of 7-bit bytes (Wacom's STU SDK: SerialProtocol). No I/O.

First byte 1, the CRC flag and the upper 6 bits of the body's length; second byte its lower 7 bits; then the report's
bits, 7 a byte, highest first, the last byte filled with zeros. Whatever has its highest bit set begins a frame.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FrameCutter", "FrameDecoder", "Piece", "encode", "rewrite"]

CHECKED = 0x40
"""Of the first byte: two bytes of CRC stand behind the report."""


def encode(report: bytes) -> bytes:
    """A frame without a CRC."""
    length = (len(report) * 8 + 6) // 7
    return bytes([0x80 | length >> 7, length & 0x7F]) + _spread(report, length)


def rewrite(frame: bytes, report: bytes, crc_initial: int) -> bytes:
    """A frame with another report of the same length in it, and the CRC of that where it has one."""
    if frame[0] & CHECKED:
        report += _crc16(report, crc_initial).to_bytes(2, "little")
    return frame[:2] + _spread(report, len(frame) - 2)


def _spread(data: bytes, length: int) -> bytes:
    """Bytes as `length` groups of 7 bits, zeros behind them."""
    digits = "".join(f"{byte:08b}" for byte in data).ljust(7 * length, "0")
    return bytes(int(digits[start : start + 7], 2) for start in range(0, 7 * length, 7))


def _crc16(data: bytes, initial: int) -> int:
    value = initial
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0xA001 * (value & 1))
    return value


class Piece(NamedTuple):
    """A piece of a stream: a frame with its report; or something else, whose report is empty."""

    raw: bytes
    report: bytes


class FrameCutter:
    """Cuts a stream into frames and what stands before, between and after them. A frame that another one cuts off, or
    whose CRC is wrong, is no frame and counted in `dropped`. Keeps one frame that has begun, 8192 bytes at most.

    Where the CRC begins is not known of real pads: `crc_initial`, 0 or FFFF.
    """

    def __init__(self, crc_initial: int = 0) -> None:
        self.dropped = 0
        self._crc_initial = crc_initial
        self._frame = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a frame that has begun."""
        return len(self._frame)

    def feed(self, data: bytes) -> list[Piece]:
        """Take in bytes: the stream in pieces, the same however it is split."""
        pieces: list[Piece] = []
        frame = self._frame
        for byte in data:
            if byte >= 0x80:
                if frame:
                    self.dropped += 1
                    pieces.append(Piece(bytes(frame), b""))
                frame[:] = bytes([byte])
                continue
            if not frame:
                pieces.append(Piece(bytes([byte]), b""))
                continue
            frame.append(byte)
            if len(frame) == 2 + ((frame[0] & 0x3F) << 7 | frame[1]):
                pieces.append(Piece(bytes(frame), self._report()))
                frame.clear()
        return pieces

    def _report(self) -> bytes:
        digits = "".join(f"{byte:07b}" for byte in self._frame[2:])
        report = bytes(int(digits[start : start + 8], 2) for start in range(0, len(digits) // 8 * 8, 8))
        if not self._frame[0] & CHECKED:
            return report
        if len(report) > 2 and _crc16(report[:-2], self._crc_initial) == int.from_bytes(report[-2:], "little"):
            return report[:-2]
        self.dropped += 1
        return b""


class FrameDecoder:
    """Reports from bytes in any pieces; what is no frame is left out."""

    def __init__(self, crc_initial: int = 0) -> None:
        self._cutter = FrameCutter(crc_initial)

    @property
    def dropped(self) -> int:
        """Frames that another one cut off, or whose CRC was wrong."""
        return self._cutter.dropped

    def feed(self, data: bytes) -> list[bytes]:
        """The reports that have come whole."""
        return [piece.report for piece in self._cutter.feed(data) if piece.report]
