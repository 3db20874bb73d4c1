"""The USB/IP protocol as a host sees it (Linux kernel, Documentation/usb/usbip_protocol.rst). No I/O."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "BROKEN",
    "ExportedDevice",
    "Reply",
    "ReplyDecoder",
    "UsbIpError",
    "devlist_request",
    "import_request",
    "parse_device",
    "parse_operation",
    "submit",
    "unlink",
]

VERSION = 0x0111
OPERATION_BYTES, DEVICE_BYTES, HEADER_BYTES = 8, 312, 48
MAX_TRANSFER = 1024 * 1024
"""Longest transfer whose data is taken in, in bytes."""
BROKEN = {1: "it refuses", 2: "another host has it", 3: "the device has failed", 4: "there is no such device"}
"""What the status of an operation means."""
_OPERATION = struct.Struct(">HHI")
_COMMAND = struct.Struct(">IIIIIIiIIi8s")
_UNLINK = struct.Struct(">IIIIII24x")
_REPLY = struct.Struct(">IIIIIii20x")
_DEVICE = struct.Struct(">256s32sIIIHHHBBBBBB")
_SUBMIT, _UNLINK_COMMAND, _RET_SUBMIT, _RET_UNLINK = 1, 2, 3, 4


class UsbIpError(ConnectionError):
    """Bytes that are no USB/IP; the connection is of no use any more."""

    def __init__(self, sentence: str) -> None:
        super().__init__(errno.EPROTO, sentence)


@dataclass(frozen=True, slots=True)
class ExportedDevice:
    """A device as a server lists it."""

    bus_id: str
    device_id: int
    """Bus and number, as transfers name it."""
    vendor_id: int
    product_id: int
    interfaces: int


@dataclass(frozen=True, slots=True)
class Reply:
    """A transfer ended, or (`unlinked`) an UNLINK was answered."""

    seqnum: int
    status: int
    """0 or a negative errno of Linux."""
    data: bytes
    actual: int
    unlinked: bool = False


def devlist_request() -> bytes:
    """Which devices are there?"""
    return _OPERATION.pack(VERSION, 0x8005, 0)


def import_request(bus_id: str) -> bytes:
    """Give me this device."""
    return _OPERATION.pack(VERSION, 0x8003, 0) + bus_id.encode("ascii").ljust(32, b"\0")


def parse_operation(header: bytes, code: int) -> int:
    """The status of an operation's answer, 8 bytes. Raises UsbIpError."""
    version, found, status = _OPERATION.unpack(header)
    if version >> 8 != VERSION >> 8 or found != code:
        raise UsbIpError(
            f"expected an answer 0x{code:04X} of USB/IP 0x{VERSION:04X}, got 0x{version:04X} 0x{found:04X}"
        )
    return int(status)


def parse_device(record: bytes) -> ExportedDevice:
    """The 312 bytes that tell of a device."""
    fields = _DEVICE.unpack(record)
    bus_id = fields[1].split(b"\0")[0].decode("ascii", "replace")
    return ExportedDevice(bus_id, fields[2] << 16 | fields[3], fields[5], fields[6], fields[13])


def submit(seqnum: int, device_id: int, endpoint: int, length: int, setup: bytes, data: bytes = b"") -> bytes:
    """Begin a transfer; `endpoint` has bit 7 set for IN, `length` is the room for IN or the length of `data`."""
    direction = endpoint >> 7
    head = _COMMAND.pack(_SUBMIT, seqnum, device_id, direction, endpoint & 0x0F, 0, length, 0, 0xFFFFFFFF, 0, setup)
    return head + data


def unlink(seqnum: int, device_id: int, submitted: int) -> bytes:
    """Take a transfer back."""
    return _UNLINK.pack(_UNLINK_COMMAND, seqnum, device_id, 0, 0, submitted)


class ReplyDecoder:
    """Takes in a server's bytes in any pieces, once a device was imported. `incoming` tells whether a transfer, by its
    number, brings data. Holds at most one reply.
    """

    def __init__(self) -> None:
        self.incoming: dict[int, int] = {}
        """The room of each IN transfer that has not ended."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Reply]:
        """What has come whole. Raises UsbIpError."""
        self._buffer += data
        while len(self._buffer) >= HEADER_BYTES:
            command, seqnum, _, _, _, status, actual = _REPLY.unpack_from(self._buffer)
            if command == _RET_UNLINK:
                del self._buffer[:HEADER_BYTES]
                yield Reply(seqnum, status, b"", 0, unlinked=True)
                continue
            room = self.incoming.get(seqnum, 0)
            if command != _RET_SUBMIT or actual < 0 or (seqnum in self.incoming and actual > room):
                raise UsbIpError(f"expected the end of a transfer, got command {command} with {actual} bytes")
            whole = HEADER_BYTES + (actual if seqnum in self.incoming else 0)
            if len(self._buffer) < whole:
                return
            found = bytes(self._buffer[HEADER_BYTES:whole])
            del self._buffer[:whole]
            self.incoming.pop(seqnum, None)
            yield Reply(seqnum, status, found, actual)
