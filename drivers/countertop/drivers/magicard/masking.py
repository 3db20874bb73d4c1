"""What may be kept of a Magicard printer's traffic: jobs without their tracks and pictures, queries, states."""

from __future__ import annotations

from collections.abc import Callable

from countertop.drivers.magicard.masking_fields import masked_fields, plane_sizes
from countertop.drivers.magicard.protocol import MAX_ANSWER
from countertop.sdk.trace import Masker

__all__ = ["MAX_HEADER", "MagicardMasker"]

SOH, ETX, ENQ, FS = 0x01, 0x03, 0x05, 0x1C
MAX_HEADER = 4096
"""Bytes of a page's fields that are held; those of a card with three tracks are some 600."""
_LEADER = bytes((ENQ,))
_X = b"x"
_TRAILERS = (b"\x1cB:", b"\x1cG:", b"\x1cR:", b"\x1cK:")

_Step = Callable[[bytes, int, bytearray], int]


class MagicardMasker(Masker):
    """Tracks are zeros between their sentinels, planes are without ink, the time of a job is zeros; the other fields
    that the driver makes stay, of unknown ones their lengths. Between pages, and of a page that makes no sense, all is
    05, which means nothing there. Answers stay when they are answers.

    At most some 5200 bytes are held.
    """

    def __init__(self) -> None:
        self._step: _Step = self._between
        self._header = bytearray()
        self._planes: list[int] = []
        self._answer: bytearray | None = None
        """What has come of an answer, its SOH left out."""
        self._overlong = False

    # --- what is sent ----------------------------------------------------------------------------------------------

    def sent(self, data: bytes) -> bytes:
        """Holds back a page's fields until they are whole."""
        out, at = bytearray(), 0
        while at < len(data):
            at = self._step(data, at, out)
        return bytes(out)

    def _between(self, data: bytes, at: int, out: bytearray) -> int:
        start = data.find(SOH, at)
        if start < 0:
            out += _LEADER * (len(data) - at)
            return len(data)
        out += _LEADER * (start - at)
        self._header.append(SOH)
        self._step = self._in_header
        return start + 1

    def _in_header(self, data: bytes, at: int, out: bytearray) -> int:
        byte = data[at]
        if byte in (SOH, ENQ) or len(self._header) > MAX_HEADER:  # cut off by another page, by a leader; no page
            self._blank_header(out)
            return at
        self._header.append(byte)
        if byte == FS:
            fields = bytes(self._header[1:-1])
            sizes = plane_sizes(fields)
            if sizes is None:
                self._blank_header(out)
            else:
                out.append(SOH)
                out += masked_fields(fields)
                out.append(FS)
                self._header.clear()
                self._planes = sizes
                self._step = self._in_plane if sizes else self._at_end
        return at + 1

    def _blank_header(self, out: bytearray) -> None:
        out += _LEADER * len(self._header)
        self._header.clear()
        self._step = self._between

    def _in_plane(self, data: bytes, at: int, out: bytearray) -> int:
        count = min(self._planes[0], len(data) - at)
        self._planes[0] -= count
        out += bytes(count)
        if not self._planes[0]:
            self._step = self._in_trailer
        return at + count

    def _in_trailer(self, data: bytes, at: int, out: bytearray) -> int:
        """What follows a plane: `1C`, its letter, a colon."""
        trailer = bytes((*self._header, data[at]))
        if not any(known.startswith(trailer) for known in _TRAILERS):
            self._blank_header(out)
            return at
        self._header.append(data[at])
        if trailer in _TRAILERS:
            out += self._header
            self._header.clear()
            self._planes.pop(0)
            self._step = self._in_plane if self._planes else self._at_end
        return at + 1

    def _at_end(self, data: bytes, at: int, out: bytearray) -> int:
        self._step = self._between
        if data[at] != ETX:
            return at
        out.append(ETX)
        return at + 1

    # --- what comes ------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> bytes:
        """Holds back an answer until its 03."""
        out = bytearray()
        for byte in data:
            if byte == SOH:
                self._break_off(out)
                self._answer, self._overlong = bytearray(), False
            elif self._answer is None or self._overlong:
                out.append(ETX if byte == ETX else _X[0])
                self._overlong = self._overlong and byte != ETX
            elif byte == ETX:
                kept = self._answer if self._answer.startswith(b"STA") else _X * len(self._answer)
                out += bytes((SOH,)) + kept + bytes((ETX,))
                self._answer = None
            else:
                self._answer.append(byte)
                if len(self._answer) > MAX_ANSWER:
                    self._break_off(out)
                    self._overlong = True
        return bytes(out)

    def _break_off(self, out: bytearray) -> None:
        if self._answer is not None:
            out += _X * (1 + len(self._answer))
        self._answer = None

    def end(self) -> tuple[bytes, bytes]:
        """Half a page is 05, half an answer x."""
        sent, received = bytearray(), bytearray()
        self._blank_header(sent)
        self._break_off(received)
        return bytes(sent), bytes(received)
