"""What is inside an STU pad: states, reports, the pen. No I/O."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from countertop.emulators.core.clock import Clock, Timer
from countertop.emulators.core.faults import FaultBoard, FaultSpec
from countertop.emulators.wacom_stu.encryption import DiffieHellman, RsaExchange, aes_block
from countertop.emulators.wacom_stu.models import (
    INPUT_SIZES,
    PRESSURE_LEVELS,
    RATE,
    REPORT_SIZES,
    UNITS_PER_INCH,
    VENDOR_ID,
    Model,
)
from countertop.emulators.wacom_stu.screen import BULK, ONE_BIT_ZLIB, BadImage, Screen, decode, image_bytes

__all__ = ["DEVICE_FAULTS", "RefusedReport", "StuDevice"]

DEVICE_FAULTS = (
    FaultSpec("stall_next", "The next report that the host asks for or sets is refused."),
    FaultSpec("lost_report", "A pen report is lost: the pad's own count has a gap."),
    FaultSpec("wrong_session_id", "Encrypted pen reports carry another session id."),
    FaultSpec("image_refused", "Images are refused with the result 20 (pad image missing)."),
)
READY, IMAGE, CAPTURE, CALCULATION = 0, 1, 2, 3
"""Status codes."""
OK, WRONG_REPORT, WRONG_STATE, BAD_PARAMETER, WRONG_ENCODING, WRONG_AREA, IMAGE_MISSING = 0, 1, 2, 4, 0x10, 0x15, 0x20
"""Results."""
ON_THRESHOLD, OFF_THRESHOLD = 21, 16
_IN_IMAGE = frozenset({0x26, 0x27})
_ONLY_READY = frozenset({0x0A, 0x0B, 0x13, 0x15, 0x1A, 0x1B, 0x20, 0x22, 0x23, 0x24, 0x25, 0x40})
_NEVER_SET = frozenset({0x03, 0x08, 0x09, 0x0F, 0x14, 0x50})
_NEVER_GET = frozenset({0x04, 0x13, 0x15, 0x16, 0x20, 0x23, 0x24, 0x25, 0x26, 0x27})


class RefusedReport(Exception):
    """The pad does not have the report, or not in this direction: STALL, or an error on a serial line."""


class StuDevice:
    """One pad. `send` takes its input reports and tells whether somebody took them."""

    def __init__(
        self, model: Model, clock: Clock, board: FaultBoard, random: Random, uid: int, calculation_seconds: float
    ) -> None:
        self.model = model
        self.screen = Screen(model.width, model.height)
        self.send: Callable[[bytes], bool] = lambda report: False
        self.lost = 0
        """Pen reports that nobody took."""
        self._clock, self._board, self._random = clock, board, random
        self._uid = uid
        self._calculation_seconds = calculation_seconds
        self._sizes = REPORT_SIZES[model.name]
        self._started = clock.now()
        self._sequence = 0
        self._kept: dict[int, bytes] = {}
        self._soft_reset()

    # -- life --

    def power_on(self) -> None:
        """Begin anew, with all settings as they were made."""
        self._kept.clear()
        self._sequence, self._started = 0, self._clock.now()
        self._soft_reset()

    def _soft_reset(self) -> None:
        """Ready, a white screen, inking on, encryption and pen options off, thresholds as made."""
        self.state, self.result = READY, OK
        self._exchange = DiffieHellman(self._random)
        self._rsa = RsaExchange(self._random)
        self._key: bytes | None = None
        self._session = bytes(4)
        self._encoding = 0
        self._image = bytearray()
        self._whole = (0, 0, self.model.width - 1, self.model.height - 1)
        self._area = self._whole
        self._half: bytes | None = None
        self._down = False
        self._timer: Timer | None = None
        for report in (0x21, 0x22, 0x32, 0x2A):
            self._kept.pop(report, None)
        self.screen.clear()

    # -- reports --

    def get(self, report_id: int) -> bytes:
        """A feature report. Raises RefusedReport."""
        if report_id not in self._sizes or report_id in _NEVER_GET or self._board.take("stall_next"):
            raise RefusedReport
        return self._content(report_id).ljust(self._sizes[report_id], b"\0")[: self._sizes[report_id]]

    def set(self, report: bytes) -> None:
        """Set a feature report. What the state does not allow is left out and told by Status. Raises RefusedReport."""
        report_id = report[0] if report else -1
        size = self._sizes.get(report_id)
        if size is None or len(report) != size or report_id in _NEVER_SET or self._board.take("stall_next"):
            raise RefusedReport
        allowed = (
            self.state == IMAGE
            if report_id in _IN_IMAGE
            else self.state == CAPTURE
            if report_id == 0x16
            else self.state == READY or report_id not in _ONLY_READY
        )
        self.result = self._do(report_id, report) if allowed else WRONG_STATE

    def _content(self, report_id: int) -> bytes:
        model = self.model
        head = bytes([report_id])
        match report_id:
            case 0x03:
                return head + bytes([self.state, self.result]) + struct.pack("<H", 0)
            case 0x08:
                return head + f"STU-{model.name}".encode().ljust(9, b"\0") + bytes([1, 4, 0])
            case 0x09:
                size = struct.pack(
                    ">HHHHHBHB",
                    model.tablet_x,
                    model.tablet_y,
                    PRESSURE_LEVELS - 1,
                    model.width,
                    model.height,
                    RATE,
                    UNITS_PER_INCH,
                    model.encodings,
                )
                return head + size
            case 0x0A:
                return self._kept.get(0x0A, head + struct.pack(">I", self._uid))
            case 0x0B | 0x0F:
                return self._kept.get(report_id, head + f"{self._uid:010d}".encode())
            case 0x14:
                return head + self._exchange.public
            case 0x1A:
                return head + self._exchange.prime.to_bytes(16, "big")
            case 0x1B:
                return head + self._exchange.base.to_bytes(2, "big")
            case 0x21:
                return self._kept.get(0x21, head + b"\x01")
            case 0x22:
                return self._kept.get(0x22, head + struct.pack("<HH", ON_THRESHOLD, OFF_THRESHOLD))
            case 0x40:
                return self._rsa.parameter_block()
            case 0x50:
                return self._rsa.status()
        return self._kept.get(report_id, head)

    def _do(self, report_id: int, report: bytes) -> int:
        """Carry out a report that is allowed; the result."""
        action = {
            0x04: self._reset,
            0x13: self._host_key,
            0x15: self._start_capture,
            0x16: self._end_capture,
            0x1A: self._set_prime,
            0x1B: self._set_base,
            0x20: self._clear_screen,
            0x23: self._clear_area,
            0x24: self._start_area,
            0x25: self._start_image,
            0x26: self._image_block,
            0x27: self._end_image,
            0x32: self._option_mode,
            0x40: self._encryption_command,
        }.get(report_id)
        if action is not None:
            return action(report)
        self._kept[report_id] = report
        return OK

    def _reset(self, report: bytes) -> int:
        if report[1] > 1:
            return BAD_PARAMETER
        self._soft_reset()
        return OK

    def _clear_screen(self, report: bytes) -> int:
        self.screen.clear()
        return OK

    def _clear_area(self, report: bytes) -> int:
        area = struct.unpack("<HHHH", report[3:11])
        if not self._fits(area):
            return WRONG_AREA
        self.screen.clear(*area)
        return OK

    def _option_mode(self, report: bytes) -> int:
        if report[1] not in self.model.option_modes:
            return BAD_PARAMETER
        self._kept[0x32] = report
        return OK

    # -- images --

    def _fits(self, area: tuple[int, ...]) -> bool:
        left, top, right, bottom = area
        return left <= right < self.model.width and top <= bottom < self.model.height

    def _start_area(self, report: bytes) -> int:
        area = struct.unpack("<HHHH", report[3:11])
        if not self._fits(area):
            return WRONG_AREA
        return self._begin_image(report[1], area)

    def _start_image(self, report: bytes) -> int:
        return self._begin_image(report[1], self._whole)

    def _begin_image(self, encoding: int, area: tuple[int, ...]) -> int:
        flags = {0x00: 2, 0x01: 1, 0x02: 4, 0x04: 8}.get(encoding & ~BULK)
        if flags is None or not self.model.encodings & flags or (encoding & BULK and not self.model.bulk):
            return WRONG_ENCODING
        if self._board.take("image_refused"):
            return IMAGE_MISSING
        self.state, self._encoding = IMAGE, encoding
        self._area = (area[0], area[1], area[2], area[3])
        self._image.clear()
        return OK

    def _image_block(self, report: bytes) -> int:
        (length,) = struct.unpack("<H", report[1:3])
        if length > len(report) - 3:
            return BAD_PARAMETER
        left, top, right, bottom = self._area
        most = image_bytes(self._encoding, right - left + 1, bottom - top + 1)
        if len(self._image) + length > most + (64 if self._encoding & ONE_BIT_ZLIB else 0):
            self.state = READY
            return 0x11
        self._image += report[3 : 3 + length]
        return OK

    def _end_image(self, report: bytes) -> int:
        self.state = READY
        if report[1] == 1:
            return OK
        left, top, right, bottom = self._area
        try:
            pixels = decode(self._encoding, bytes(self._image), right - left + 1, bottom - top + 1)
        except BadImage as bad:
            return bad.result
        finally:
            self._image.clear()
        self.screen.paste(pixels, left, top, right, bottom)
        return OK

    # -- encryption --

    def _host_key(self, report: bytes) -> int:
        self.state = CALCULATION

        def calculated() -> None:
            self._exchange.exchange(report[1:17])
            self._key = self._exchange.key
            if self.state == CALCULATION:
                self.state = READY

        self._timer = self._clock.call_later(self._calculation_seconds, calculated)
        return OK

    def _set_prime(self, report: bytes) -> int:
        prime = int.from_bytes(report[1:17], "big")
        if prime < 5:
            return BAD_PARAMETER
        self._exchange.prime = prime
        return OK

    def _set_base(self, report: bytes) -> int:
        self._exchange.base = int.from_bytes(report[1:3], "big")
        return OK

    def _encryption_command(self, report: bytes) -> int:
        if report[1] != 5:
            self._rsa.command(report)
            return OK
        self.state = CALCULATION

        def calculated() -> None:
            made = self._rsa.command(report)
            self._key = self._rsa.key if made else self._key
            if self.state == CALCULATION:
                self.state = READY
            self.send(self._rsa.status())

        self._timer = self._clock.call_later(self._calculation_seconds, calculated)
        return OK

    def _start_capture(self, report: bytes) -> int:
        if self._key is None:
            return WRONG_STATE
        self.state, self._session = CAPTURE, report[1:5]
        return OK

    def _end_capture(self, report: bytes) -> int:
        self.state, self._half = READY, None
        return OK

    # -- the pen --

    @property
    def least_pressure(self) -> int:
        """What a pen that touches surely presses."""
        on, _ = struct.unpack("<HH", self._content(0x22)[1:5])
        return int(on)

    def pen(self, x: int, y: int, pressure: int, *, near: bool = True) -> None:
        """The pen is there now: a report goes out, and ink is drawn."""
        on, off = struct.unpack("<HH", self._content(0x22)[1:5])
        self._down = pressure >= (off if self._down else on)
        if self._content(0x21)[1]:
            self.screen.pen(
                x * self.model.width // self.model.tablet_x, y * self.model.height // self.model.tablet_y, self._down
            )
        head = (near << 15) | (int(self._down) << 12) | pressure
        data = struct.pack(">HHH", head, x, y)
        self._sequence = (self._sequence + 1) & 0xFFFF
        report = self._pen_report(data)
        if report is None:
            return
        if self._board.take("lost_report") or not self.send(report):
            self.lost += 1

    def _pen_report(self, data: bytes) -> bytes | None:
        """In the form that the host asked for; None while half of a pair waits."""
        mode = self._content(0x32).ljust(2, b"\0")[1] if 0x32 in self._kept else 0
        time = int((self._clock.now() - self._started) * 1000) & 0xFFFF
        both = struct.pack(">HH", time, self._sequence)
        session = (
            bytes(byte ^ 0xFF for byte in self._session) if self._board.active("wrong_session_id") else self._session
        )
        if self.state == CAPTURE and self._key is not None:
            if mode == 3:
                return b"\x33" + aes_block(self._key, data + both + bytes(2) + session)
            if self._half is None:
                self._half = data
                return None
            first, self._half = self._half, None
            return b"\x10" + aes_block(self._key, session + first + data)
        if mode == 3:
            return b"\x34" + data + both
        if mode:
            return b"\x30" + data + (both[:2] if mode == 1 else both[2:])
        return b"\x01" + data


def report_descriptor(model: Model) -> bytes:
    """HID 1.11, 6.2.2: every report as bytes on a vendor's page."""
    items = bytearray(b"\x06\x00\xff\x09\x01\xa1\x01\x15\x00\x26\xff\x00\x75\x08")
    for report_id, size in INPUT_SIZES.items():
        items += bytes([0x85, report_id, 0x95, size - 1, 0x09, report_id, 0x81, 0x02])
    for report_id, size in REPORT_SIZES[model.name].items():
        items += bytes([0x85, report_id, 0x95, size - 1, 0x09, report_id, 0xB1, 0x02])
    return bytes(items + b"\xc0")


def product_id(model: Model) -> tuple[int, int]:
    """Vendor and product."""
    return VENDOR_ID, model.product_id
