"""Pen reports to samples: thresholds, and the pad's own time and count with their wraps undone. No I/O."""

from __future__ import annotations

import struct
from collections.abc import Callable

from countertop.sdk import PenSample, ProtocolFault

__all__ = ["ENCRYPTED", "SIZES", "PenDecoder", "Unwrapped"]

PLAIN, ENCRYPTED_PAIR, OPTION, OPTION_ENCRYPTED, TIMED_ENCRYPTED, TIMED = 0x01, 0x10, 0x30, 0x31, 0x33, 0x34
SIZES = {PLAIN: 7, ENCRYPTED_PAIR: 17, OPTION: 9, OPTION_ENCRYPTED: 21, TIMED_ENCRYPTED: 17, TIMED: 11}
"""Pen reports, and how long they are at least."""
ENCRYPTED = frozenset({ENCRYPTED_PAIR, OPTION_ENCRYPTED, TIMED_ENCRYPTED})
WRAP = 0x10000


class Unwrapped:
    """A count of 16 bits that goes on: a step back is a wrap, unless it is a small one of a report that came late."""

    def __init__(self) -> None:
        self._last: int | None = None

    def __call__(self, value: int) -> int:
        """The whole count."""
        if self._last is None:
            self._last = value
            return value
        step = (value - self._last) % WRAP
        self._last += step if step < WRAP - 16 else step - WRAP
        return self._last


class PenDecoder:
    """Samples from reports. `option` is the pen option mode: 0 none, 1 time, 2 sequence, 3 both. `decrypt` opens a
    block of 16 bytes; without it encrypted reports are a fault, as is another session id.
    """

    def __init__(self, on_threshold: int, off_threshold: int, option: int) -> None:
        self._on, self._off = on_threshold, off_threshold
        self._option = option
        self._down = False
        self._time, self._sequence = Unwrapped(), Unwrapped()
        self.decrypt: Callable[[bytes], bytes] | None = None
        self.session = 0

    def decode(self, report: bytes) -> list[PenSample]:
        """The samples in an input report; none in one that is no pen report. Raises ProtocolFault."""
        kind = report[0] if report else 0
        if kind not in SIZES:
            return []
        if len(report) < SIZES[kind]:
            raise ProtocolFault("pen", f"{SIZES[kind]} bytes of report {kind:02X}", f"{len(report)} bytes")
        body = report[1:]
        match kind:
            case 0x01:
                return [self._sample(body)]
            case 0x30:
                (value,) = struct.unpack(">H", body[6:8])
                timed = self._option == 1
                return [self._sample(body, value if timed else None, None if timed else value)]
            case 0x34:
                return [self._sample(body, *struct.unpack(">HH", body[6:10]))]
            case 0x33:
                block = self.opened(report)
                return [self._sample(block, *struct.unpack(">HH", block[6:10]))]
        block = self.opened(report)
        return [self._sample(block[4:10]), self._sample(block[10:16])]

    def opened(self, report: bytes) -> bytes:
        """The block of 16 bytes in an ENCRYPTED report that is not too short. Raises ProtocolFault without a key, and
        for a block of another session.
        """
        if self.decrypt is None:
            raise ProtocolFault("pen", "a pen in the clear", "an encrypted one")
        block = self.decrypt(report[1:17])
        session = block[12:16] if report[0] == TIMED_ENCRYPTED else block[0:4]
        if int.from_bytes(session, "big") != self.session:
            raise ProtocolFault("pen", "the session's own number in each encrypted report", "another one")
        return block

    def _sample(self, data: bytes, time: int | None = None, sequence: int | None = None) -> PenSample:
        head, x, y = struct.unpack(">HHH", data[:6])
        pressure = head & 0x0FFF
        self._down = pressure >= (self._off if self._down else self._on)
        return PenSample(
            x,
            y,
            self._down,
            pressure,
            None if time is None else self._time(time) * 1000,
            None if sequence is None else self._sequence(sequence),
        )
