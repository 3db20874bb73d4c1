"""Reports of STU pads as bytes and back (Wacom's STU SDK: Protocol; sizes include the id). No I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from countertop.sdk import ProtocolFault

__all__ = ["SIZES", "Capability", "Information", "Status", "parse_capability", "parse_information", "parse_status"]

STATUS, RESET, INFORMATION, CAPABILITY, UID, UID2, ESERIAL = 0x03, 0x04, 0x08, 0x09, 0x0A, 0x0B, 0x0F
HOST_KEY, DEVICE_KEY, START_CAPTURE, END_CAPTURE, PRIME, BASE = 0x13, 0x14, 0x15, 0x16, 0x1A, 0x1B
CLEAR_SCREEN, INKING_MODE, INK_THRESHOLD = 0x20, 0x21, 0x22
START_IMAGE, IMAGE_BLOCK, END_IMAGE = 0x25, 0x26, 0x27
OPTION_MODE, ENCRYPTION_COMMAND, ENCRYPTION_STATUS = 0x32, 0x40, 0x50
GET, RESULT = 0x80, 0x81
"""On a serial line: {80, id} asks for a report, {81, result} answers one that was set."""

SIZES = {
    STATUS: 5, RESET: 2, INFORMATION: 17, CAPABILITY: 17, UID: 5, UID2: 11, ESERIAL: 14, HOST_KEY: 17, DEVICE_KEY: 17,
    START_CAPTURE: 5, END_CAPTURE: 2, PRIME: 17, BASE: 3, CLEAR_SCREEN: 2, INKING_MODE: 2, INK_THRESHOLD: 5,
    START_IMAGE: 2, IMAGE_BLOCK: 256, END_IMAGE: 2, OPTION_MODE: 2, ENCRYPTION_COMMAND: 68, ENCRYPTION_STATUS: 17,
}  # fmt: skip

READY, IMAGE, CAPTURE, CALCULATION = 0, 1, 2, 3
STATES = {0: "Ready", 1: "Image", 2: "Capture", 3: "Calculation", 4: "Image_Boot", 5: "RomBusy", 0xFF: "SystemReset"}
RESULTS = {
    0x00: "ok", 0x01: "wrong report", 0x02: "wrong state", 0x03: "wrong CRC", 0x04: "bad parameter",
    0x10: "wrong encoding", 0x11: "image too long", 0x12: "bad zlib data", 0x15: "wrong area",
    0x20: "pad image missing", 0x33: "ROM overflow", 0x34: "bad ROM parameter", 0x35: "wrong ROM CRC",
}  # fmt: skip
"""What the pad says of the last report that was set."""


@dataclass(frozen=True, slots=True)
class Status:
    """Report 03."""

    state: int
    result: int

    @property
    def state_name(self) -> str:
        """For people."""
        return STATES.get(self.state, f"state {self.state:02X}")

    @property
    def result_name(self) -> str:
        """For people."""
        return RESULTS.get(self.result, f"result {self.result:02X}")


@dataclass(frozen=True, slots=True)
class Information:
    """Report 08."""

    model: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Capability:
    """Report 09."""

    tablet_x: int
    tablet_y: int
    max_pressure: int
    width: int
    height: int
    rate: int
    units_per_inch: int
    encodings: int


def _checked(report: bytes, report_id: int) -> bytes:
    if len(report) < SIZES[report_id] or report[0] != report_id:
        raise ProtocolFault(
            f"report {report_id:02X}",
            f"{SIZES[report_id]} bytes that begin with {report_id:02X}",
            f"{len(report)} bytes",
        )
    return report


def parse_status(report: bytes) -> Status:
    """Raises ProtocolFault."""
    found = _checked(report, STATUS)
    return Status(found[1], found[2])


def parse_information(report: bytes) -> Information:
    """Raises ProtocolFault."""
    found = _checked(report, INFORMATION)
    model = found[1:10].split(b"\0")[0].decode("ascii", "replace").strip()
    return Information(model, f"{found[10]}.{found[11]}")


def parse_capability(report: bytes) -> Capability:
    """Raises ProtocolFault, also for a size of nothing."""
    x, y, pressure, width, height, rate, inch, flags = struct.unpack(">HHHHHBHB", _checked(report, CAPABILITY)[1:15])
    if not (x and y and width and height):
        raise ProtocolFault("report 09", "a tablet and a screen with a size", "a size of 0")
    return Capability(x, y, pressure, width, height, rate, inch or 2540, flags)
