"""A pyusb backend that reaches devices over USB/IP: `usb.core.find(backend=UsbIpBackend(host, port), idVendor=...)`.

A thread reads what the server sends; transfers wait for their own answer only, so that endpoint 0 works while an
interrupt IN is parked. One that times out is taken back by UNLINK; if its data was faster, the data is returned.
Isochronous transfers are not there (NotImplementedError).
"""

# pyright: reportIncompatibleMethodOverride=false, reportAssignmentType=false
# pyusb's base class has no types: what its methods return is inferred from bodies that only raise

from __future__ import annotations

import errno
import os
import socket
import threading
from array import array
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import usb.backend
from usb.core import USBError, USBTimeoutError

from countertop.sdk.links.usbip import wire
from countertop.sdk.links.usbip.connection import check_import
from countertop.sdk.links.usbip.descriptors import Configuration, parse_configuration, parse_device_descriptor
from countertop.sdk.links.usbip.transfers import Transfers

__all__ = ["UsbIpBackend"]

CONNECT_SECONDS = 5.0
UNLINK_SECONDS = 5.0
"""How long a server may take to answer an UNLINK before the device counts as lost."""


class UsbIpBackend(usb.backend.IBackend):  # type: ignore[misc]
    """The devices of one server. A device is imported when it is first asked anything, and free again when its `Device`
    is disposed of: `usb.util.dispose_resources`.
    """

    def __init__(self, host: str, port: int = 3240) -> None:
        self._address = (host, port)

    def enumerate_devices(self) -> Iterator[_Device]:
        """What the server lists. Raises USBError when it does not answer."""
        for found in _listed(self._address):
            yield _Device(self._address, found)

    def get_device_descriptor(self, dev: _Device) -> Any:
        """As USB 2.0, table 9-8, with bus, address, port numbers and speed as pyusb wants them."""
        with dev.borrowed() as handle:
            fields = parse_device_descriptor(handle.descriptor(1, 0, 18))
        bus, address = dev.exported.device_id >> 16, dev.exported.device_id & 0xFFFF
        return SimpleNamespace(**fields, bus=bus, address=address, port_number=None, port_numbers=None, speed=None)

    def get_configuration_descriptor(self, dev: _Device, config: int) -> Any:
        """Table 9-10."""
        return SimpleNamespace(**self._configuration(dev, config).fields, extra_descriptors=[])

    def get_interface_descriptor(self, dev: _Device, intf: int, alt: int, config: int) -> Any:
        """Table 9-12, by position."""
        interfaces = self._configuration(dev, config).interfaces
        numbers = sorted({interface.number for interface in interfaces})
        if intf >= len(numbers):
            raise IndexError("expected the position of an interface")
        settings = [interface for interface in interfaces if interface.number == numbers[intf]]
        if alt >= len(settings):
            raise IndexError("expected the position of an alternate setting")
        found = settings[alt]
        return SimpleNamespace(**found.fields, extra_descriptors=list(found.extra))

    def get_endpoint_descriptor(self, dev: _Device, ep: int, intf: int, alt: int, config: int) -> Any:
        """Table 9-13, by position."""
        interfaces = self._configuration(dev, config).interfaces
        numbers = sorted({interface.number for interface in interfaces})
        endpoints = [interface for interface in interfaces if interface.number == numbers[intf]][alt].endpoints
        if ep >= len(endpoints):
            raise IndexError("expected the position of an endpoint")
        return SimpleNamespace(**endpoints[ep].fields, bRefresh=0, bSynchAddress=0, extra_descriptors=[])

    def _configuration(self, dev: _Device, config: int) -> Configuration:
        with dev.borrowed() as handle:
            return dev.configuration(handle, config)

    def open_device(self, dev: _Device) -> _Handle:
        """Import it. Raises USBError: EBUSY when another host has it."""
        return dev.open()

    def close_device(self, dev_handle: _Handle) -> None:
        """Hang up."""
        dev_handle.close()

    def set_configuration(self, dev_handle: _Handle, config_value: int) -> None:
        """SET_CONFIGURATION."""
        dev_handle.control(0x00, 9, config_value, 0, b"", 5000)

    def get_configuration(self, dev_handle: _Handle) -> int:
        """GET_CONFIGURATION."""
        return dev_handle.control_in(0x80, 8, 0, 0, 1)[0]

    def set_interface_altsetting(self, dev_handle: _Handle, intf: int, altsetting: int) -> None:
        """SET_INTERFACE."""
        dev_handle.control(0x01, 11, altsetting, intf, b"", 5000)

    def claim_interface(self, dev_handle: _Handle, intf: int) -> None:
        """The import claims the whole device."""

    def release_interface(self, dev_handle: _Handle, intf: int) -> None:
        """Closing frees it."""

    def bulk_write(self, dev_handle: _Handle, ep: int, intf: int, data: Any, timeout: int) -> int:
        """Bytes that went out."""
        return dev_handle.transfer(ep, len(data), timeout, data=bytes(data))[1]

    def bulk_read(self, dev_handle: _Handle, ep: int, intf: int, buff: array[int], timeout: int) -> int:
        """Bytes that came in."""
        data, _ = dev_handle.transfer(ep, len(buff), timeout)
        buff[: len(data)] = array("B", data)
        return len(data)

    intr_write = bulk_write
    intr_read = bulk_read

    def ctrl_transfer(
        self,
        dev_handle: _Handle,
        bmRequestType: int,  # noqa: N803 - pyusb's names
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: N803
        data: array[int],
        timeout: int,
    ) -> int:
        """Bytes that went over; an IN request fills `data`."""
        found = dev_handle.control(bmRequestType, bRequest, wValue, wIndex, data, timeout)
        if bmRequestType & 0x80:
            data[: len(found)] = array("B", found)
            return len(found)
        return len(data)

    def clear_halt(self, dev_handle: _Handle, ep: int) -> None:
        """CLEAR_FEATURE(ENDPOINT_HALT)."""
        dev_handle.control(0x02, 1, 0, ep, b"", 5000)

    def reset_device(self, dev_handle: _Handle) -> None:
        """USB/IP has no reset of a port; an import is one."""
        raise NotImplementedError("USB/IP cannot reset a device: close it and open it again")

    def is_kernel_driver_active(self, dev_handle: _Handle, intf: int) -> bool:
        """No kernel is in between."""
        return False


class _Device:
    """A listed device, and its handle while one is open: descriptors are read over that, or over a short import."""

    def __init__(self, address: tuple[str, int], exported: wire.ExportedDevice) -> None:
        self._address = address
        self.exported = exported
        self._handle: _Handle | None = None
        self._configurations: dict[int, Configuration] = {}

    def open(self) -> _Handle:
        self._handle = _Handle(self._address, self.exported.bus_id)
        return self._handle

    def borrowed(self) -> _Borrowed:
        handle = self._handle
        return _Borrowed(handle, False) if handle is not None and handle.alive else _Borrowed(self.open(), True)

    def configuration(self, handle: _Handle, index: int) -> Configuration:
        if index not in self._configurations:
            head = handle.descriptor(2, index, 9)
            whole = handle.descriptor(2, index, int.from_bytes(head[2:4], "little"))
            self._configurations[index] = parse_configuration(whole)
        return self._configurations[index]


class _Borrowed:
    def __init__(self, handle: _Handle, ours: bool) -> None:
        self._handle, self._ours = handle, ours

    def __enter__(self) -> _Handle:
        return self._handle

    def __exit__(self, *exc_info: object) -> None:
        if self._ours:
            self._handle.close()


class _Handle:
    """An imported device on a blocking socket."""

    def __init__(self, address: tuple[str, int], bus_id: str) -> None:
        self._socket = _connect(address)
        try:
            self._socket.sendall(wire.import_request(bus_id))
            check_import(wire.parse_operation(_exactly(self._socket, wire.OPERATION_BYTES), 0x0003))
            device = wire.parse_device(_exactly(self._socket, wire.DEVICE_BYTES))
            self._socket.settimeout(None)
        except OSError as error:
            self._socket.close()
            raise _usb_error(error.errno or errno.EIO) from error
        self._transfers = Transfers(device.device_id)
        self._lock = threading.Lock()  # for numbering and writing alone; nobody waits for the device with it
        self.alive = True
        self._reader = threading.Thread(target=self._read, name=f"usbip {bus_id}", daemon=True)
        self._reader.start()

    def close(self) -> None:
        self.alive = False
        with suppress(OSError):  # it was gone before
            self._socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._reader:
            self._reader.join()
        self._socket.close()

    def descriptor(self, kind: int, index: int, length: int) -> bytes:
        return self.control_in(0x80, 6, kind << 8 | index, 0, length)

    def control_in(self, kind: int, request: int, value: int, index: int, length: int) -> bytes:
        return self.control(kind, request, value, index, bytes(length), 5000)

    def control(self, kind: int, request: int, value: int, index: int, data: Any, timeout: int) -> bytes:
        """An IN request asks for as many bytes as `data` has."""
        setup = b"".join(part.to_bytes(size, "little") for part, size in _setup(kind, request, value, index, len(data)))
        if kind & 0x80:
            return self.transfer(0x80, len(data), timeout, setup)[0]
        return self.transfer(0x00, len(data), timeout, setup, bytes(data))[0]

    def transfer(
        self, endpoint: int, length: int, timeout: int, setup: bytes = bytes(8), data: bytes = b""
    ) -> tuple[bytes, int]:
        """Data and count. `timeout` in ms, 0 for none. Raises USBTimeoutError, USBError."""
        ended = threading.Event()
        outcome: list[tuple[int, bytes, int]] = []

        def done(status: int, found: bytes, actual: int) -> None:
            outcome.append((status, found, actual))
            ended.set()

        with self._lock:
            if not self.alive:
                raise _usb_error(errno.ENODEV)
            seqnum, message = self._transfers.begin(endpoint, length, done, setup, data)
            self._send(message)
        timed_out = not ended.wait(timeout / 1000 if timeout else None)
        if timed_out:
            with self._lock:
                self._send(self._transfers.take_back(seqnum))
            if not ended.wait(UNLINK_SECONDS):
                self.close()
                ended.wait()
        status, found, actual = outcome[0]
        if timed_out and status == -errno.ECONNRESET:
            raise USBTimeoutError("the device did not answer in time", errno.ETIMEDOUT, errno.ETIMEDOUT)
        if status:
            raise _usb_error(-status)
        return found, actual if not endpoint & 0x80 else len(found)

    def _send(self, message: bytes) -> None:
        try:
            self._socket.sendall(message)
        except OSError:
            self.alive = False  # the reader ends, and fails what is on its way
            self._socket.close()

    def _read(self) -> None:
        code = errno.ENODEV
        try:
            while data := self._socket.recv(65536):
                with self._lock:
                    self._transfers.feed(data)
        except wire.UsbIpError:
            code = errno.EPROTO
        except OSError as error:
            code = error.errno or errno.ENODEV
        with self._lock:
            self.alive = False
            self._transfers.fail(-code)


def _setup(kind: int, request: int, value: int, index: int, length: int) -> tuple[tuple[int, int], ...]:
    return (kind, 1), (request, 1), (value, 2), (index, 2), (length, 2)


def _connect(address: tuple[str, int]) -> socket.socket:
    try:
        found = socket.create_connection(address, CONNECT_SECONDS)
    except OSError as error:
        raise _usb_error(error.errno or errno.ETIMEDOUT) from error
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _listed(address: tuple[str, int]) -> list[wire.ExportedDevice]:
    with _connect(address) as found:
        try:
            found.sendall(wire.devlist_request())
            wire.parse_operation(_exactly(found, wire.OPERATION_BYTES), 0x0005)
            count = int.from_bytes(_exactly(found, 4), "big")
            devices = []
            for _ in range(min(count, 1024)):
                devices.append(wire.parse_device(_exactly(found, wire.DEVICE_BYTES)))
                _exactly(found, 4 * devices[-1].interfaces)
        except OSError as error:
            raise _usb_error(error.errno or errno.EIO) from error
    return devices


def _exactly(found: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = found.recv(count - len(data))
        if not piece:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        data += piece
    return bytes(data)


def _usb_error(code: int) -> USBError:
    return USBError(os.strerror(code), None, code)
