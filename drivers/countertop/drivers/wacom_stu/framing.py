"""The serial line of STU pads: reports in frames of 7-bit bytes (Wacom's STU SDK: SerialProtocol). No I/O.

First byte 1, the CRC flag and the upper 6 bits of the body's length; second byte its lower 7 bits; then the report's
bits, 7 a byte, highest first, the last byte filled with zeros. Whatever has its highest bit set begins a frame.
"""

from __future__ import annotations

__all__ = ["FrameDecoder", "encode"]


def encode(report: bytes) -> bytes:
    """A frame without a CRC."""
    digits = "".join(f"{byte:08b}" for byte in report)
    groups = [digits[start : start + 7].ljust(7, "0") for start in range(0, len(digits), 7)]
    length = len(groups)
    return bytes([0x80 | length >> 7, length & 0x7F, *(int(group, 2) for group in groups)])


def _crc16(data: bytes, initial: int) -> int:
    value = initial
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0xA001 * (value & 1))
    return value


class FrameDecoder:
    """Reports from bytes in any pieces. A frame that another one cuts off, or whose CRC is wrong, is dropped and
    counted in `dropped`. Where the CRC begins is not known of real pads: `crc_initial`, 0 or FFFF.
    """

    def __init__(self, crc_initial: int = 0) -> None:
        self.dropped = 0
        self._crc_initial = crc_initial
        self._head: list[int] = []
        self._digits: list[str] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The reports that have come whole."""
        reports = []
        for byte in data:
            if byte >= 0x80:
                self.dropped += bool(self._head)
                self._head, self._digits = [byte], []
            elif len(self._head) == 1:
                self._head.append(byte)
            elif self._head:
                self._digits.append(f"{byte:07b}")
            if len(self._head) == 2 and len(self._digits) == (self._head[0] & 0x3F) << 7 | self._head[1]:
                report = self._finish()
                if report:
                    reports.append(report)
        return reports

    def _finish(self) -> bytes:
        digits = "".join(self._digits)
        whole = len(digits) // 8
        report = bytes(int(digits[start : start + 8], 2) for start in range(0, whole * 8, 8))
        checked = self._head[0] & 0x40
        self._head, self._digits = [], []
        if not checked:
            return report
        if len(report) > 2 and _crc16(report[:-2], self._crc_initial) == int.from_bytes(report[-2:], "little"):
            return report[:-2]
        self.dropped += 1
        return b""
