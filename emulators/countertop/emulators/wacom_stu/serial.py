"""A pad on a serial line: reports in 7-bit frames (Wacom's STU SDK, SerialProtocol).

A frame is two bytes and a body: 0x80 | CRC flag << 6 | length >> 7, then length & 0x7F, then the report (with CRC-16
behind it, low byte first, where the flag says so) as a stream of bits, highest first, in groups of seven. Every byte
from 0x80 up begins a frame. The host sends {80, id} to read a report, or a report to set it; the pad answers
{81, result}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from countertop.emulators.wacom_stu.device import RefusedReport, StuDevice

__all__ = ["FrameDecoder", "StuSerial", "frame"]

MAX_BODY = 8191
GET, RESULT = 0x80, 0x81
_WRONG_REPORT = 1


def crc16(data: bytes, initial: int) -> int:
    """CRC-16, polynomial 8005 reflected. Where it begins (0 or FFFF) is not known of the real pads."""
    crc = initial
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def frame(report: bytes, *, crc: bool = False, initial: int = 0) -> bytes:
    """A report as it goes over the line."""
    if crc:
        report += crc16(report, initial).to_bytes(2, "little")
    bits = int.from_bytes(report, "big")
    count = len(report) * 8
    length = (count + 6) // 7
    bits <<= length * 7 - count
    body = bytes(bits >> (7 * (length - 1 - index)) & 0x7F for index in range(length))
    return bytes([0x80 | crc << 6 | length >> 7, length & 0x7F]) + body


class FrameDecoder:
    """Reports from the line's bytes in any pieces; what is no frame, or fails its CRC, is skipped."""

    def __init__(self, initial: int = 0) -> None:
        self._initial = initial
        self._frame = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The reports that have come whole."""
        for byte in data:
            if byte & 0x80:
                self._frame[:] = bytes([byte])
                continue
            if not self._frame:
                continue
            self._frame.append(byte)
            length = (self._frame[0] & 0x3F) << 7 | self._frame[1]
            if len(self._frame) == 2 + length:
                report = self._unpack()
                self._frame.clear()
                if report:
                    yield report

    def _unpack(self) -> bytes:
        bits = 0
        body = self._frame[2:]
        for byte in body:
            bits = bits << 7 | byte
        spare = len(body) * 7 % 8
        report = (bits >> spare).to_bytes(len(body) * 7 // 8, "big")
        if not self._frame[0] & 0x40:
            return report
        good = len(report) > 2 and crc16(report[:-2], self._initial) == int.from_bytes(report[-2:], "little")
        return report[:-2] if good else b""


class StuSerial:
    """The pad's end of the line (`Peer`). It answers with a CRC when the host's last frame had one."""

    def __init__(self, device: StuDevice, crc_initial: int) -> None:
        self._device = device
        self._initial = crc_initial
        self._decoder = FrameDecoder(crc_initial)
        self._write: Callable[[bytes], None] | None = None
        device.send = self._send

    def connected(self, write: Callable[[bytes], None]) -> None:
        """The line is up."""
        self._write = write
        self._decoder = FrameDecoder(self._initial)

    def disconnected(self) -> None:
        """The line is down."""
        self._write = None

    def received(self, data: bytes) -> None:
        """Bytes from the host."""
        for report in self._decoder.feed(data):
            self._send(self._answer(report))

    def _answer(self, report: bytes) -> bytes:
        try:
            if report[0] == GET:
                return self._device.get(report[1] if len(report) > 1 else 0)
            self._device.set(report)
        except RefusedReport:
            return bytes([RESULT, _WRONG_REPORT])
        return bytes([RESULT, self._device.result])

    def _send(self, report: bytes) -> bool:
        if self._write is None:
            return False
        self._write(frame(report, initial=self._initial))
        return True
