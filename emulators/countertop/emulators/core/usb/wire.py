"""The USB/IP protocol as a server sees it (Linux kernel, Documentation/usb/usbip_protocol.rst). No I/O.

First operations (which devices are there, import one), then, on the connection of an import, requests for transfers.
Everything is big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from countertop.emulators.core.usb.device import Setup, UsbDescriptors

__all__ = [
    "MAX_TRANSFER",
    "DevListRequest",
    "HostDecoder",
    "HostEvent",
    "ImportRequest",
    "Submit",
    "Unlink",
    "UsbIpError",
    "devlist_reply",
    "import_reply",
    "ret_submit",
    "ret_unlink",
]

VERSION = 0x0111
MAX_TRANSFER = 1024 * 1024
"""Longest transfer that is taken, in bytes."""
ST_OK, ST_NA, ST_DEV_BUSY, ST_DEV_ERR, ST_NODEV, ST_ERROR = range(6)
_DEVLIST, _IMPORT = 0x8005, 0x8003
_SUBMIT, _UNLINK, _RET_SUBMIT, _RET_UNLINK = 1, 2, 3, 4
_OP = struct.Struct(">HHI")
_COMMAND = struct.Struct(">IIIII")
_SUBMIT_REST = struct.Struct(">IiIIi8s")
_UNLINK_REST = struct.Struct(">I24x")
_RET_SUBMIT_HEADER = struct.Struct(">IIIIIiIIiI8x")
_RET_UNLINK_HEADER = struct.Struct(">IIIIIi24x")
_DEVICE = struct.Struct(">256s32sIIIHHHBBBBBB")
_SETUP = struct.Struct("<BBHHH")
HEADER = 48


class UsbIpError(Exception):
    """Bytes that are no USB/IP; the connection is of no use any more."""


@dataclass(frozen=True, slots=True)
class DevListRequest:
    """Which devices are there?"""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Give me the device with this bus id."""

    bus_id: str


@dataclass(frozen=True, slots=True)
class Submit:
    """Do a transfer. `endpoint` has bit 7 set for IN; `length` is the room for IN, the data's length for OUT."""

    seqnum: int
    device_id: int
    endpoint: int
    flags: int
    length: int
    setup: Setup
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class Unlink:
    """Take a transfer back."""

    seqnum: int
    unlinked: int


HostEvent: TypeAlias = DevListRequest | ImportRequest | Submit | Unlink


class HostDecoder:
    """Takes in a host's bytes in any pieces. Holds at most one message: 48 bytes and a transfer's data."""

    def __init__(self) -> None:
        self.imported = False
        """Set when an import was granted: from then on the host sends requests for transfers."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[HostEvent]:
        """What has come whole, one by one; `imported` may be set between two. Raises UsbIpError."""
        self._buffer += data
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> HostEvent | None:
        return self._request() if self.imported else self._operation()

    def _operation(self) -> HostEvent | None:
        if len(self._buffer) < _OP.size:
            return None
        version, code, _ = _OP.unpack_from(self._buffer)
        if version >> 8 != VERSION >> 8 or code not in (_DEVLIST, _IMPORT):
            raise UsbIpError(f"expected an operation of version 0x{VERSION:04X}, got 0x{version:04X} 0x{code:04X}")
        if code == _DEVLIST:
            del self._buffer[: _OP.size]
            return DevListRequest()
        if len(self._buffer) < _OP.size + 32:
            return None
        bus_id = bytes(self._buffer[_OP.size : _OP.size + 32]).split(b"\0")[0].decode("ascii", "replace")
        del self._buffer[: _OP.size + 32]
        return ImportRequest(bus_id)

    def _request(self) -> HostEvent | None:
        if len(self._buffer) < HEADER:
            return None
        command, seqnum, device_id, direction, number = _COMMAND.unpack_from(self._buffer)
        if command == _UNLINK:
            (unlinked,) = _UNLINK_REST.unpack_from(self._buffer, _COMMAND.size)
            del self._buffer[:HEADER]
            return Unlink(seqnum, unlinked)
        if command != _SUBMIT or direction > 1 or number > 15:
            raise UsbIpError(f"expected SUBMIT or UNLINK, got command {command}, direction {direction}, {number}")
        flags, length, _, packets, _, setup = _SUBMIT_REST.unpack_from(self._buffer, _COMMAND.size)
        if not 0 <= length <= MAX_TRANSFER:
            raise UsbIpError(f"expected a transfer of at most {MAX_TRANSFER} bytes, got {length}")
        if packets not in (0, 0xFFFFFFFF):
            raise UsbIpError("expected no isochronous transfer")
        whole = HEADER + (0 if direction else length)
        if len(self._buffer) < whole:
            return None
        with memoryview(self._buffer) as view:
            data = bytes(view[HEADER:whole])
        del self._buffer[:whole]
        endpoint = number | direction << 7
        return Submit(seqnum, device_id, endpoint, flags, length, Setup(*_SETUP.unpack(setup)), data)


def _record(bus_id: str, bus: int, number: int, device: UsbDescriptors) -> bytes:
    return _DEVICE.pack(
        f"/sys/devices/platform/countertop/usb{bus}/{bus_id}".encode("ascii"),
        bus_id.encode("ascii"),
        bus,
        number,
        device.speed,
        device.vendor_id,
        device.product_id,
        device.release,
        device.device_class,
        device.subclass,
        device.protocol,
        1,
        1,
        len(device.interfaces),
    )


def devlist_reply(devices: list[tuple[str, int, int, UsbDescriptors]]) -> bytes:
    """The devices as (bus id, bus, number, descriptors)."""
    reply = bytearray(_OP.pack(VERSION, 0x0005, ST_OK) + len(devices).to_bytes(4, "big"))
    for bus_id, bus, number, device in devices:
        reply += _record(bus_id, bus, number, device)
        for interface in device.interfaces:
            reply += bytes([interface.interface_class, interface.subclass, interface.protocol, 0])
    return bytes(reply)


def import_reply(status: int, granted: tuple[str, int, int, UsbDescriptors] | None = None) -> bytes:
    """ST_OK with the device, or why not."""
    return _OP.pack(VERSION, 0x0003, status) + (b"" if granted is None else _record(*granted))


def ret_submit(request: Submit, status: int, actual: int, data: bytes = b"") -> bytes:
    """A transfer ended: `status` 0 or a negative errno of Linux, `actual` bytes went over."""
    return _RET_SUBMIT_HEADER.pack(_RET_SUBMIT, request.seqnum, 0, 0, 0, status, actual, 0, 0, 0) + data


def ret_unlink(seqnum: int, status: int) -> bytes:
    """-ECONNRESET: the transfer was taken back. 0: it had ended before."""
    return _RET_UNLINK_HEADER.pack(_RET_UNLINK, seqnum, 0, 0, 0, status)
