"""HID over USB/IP, on the event loop."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any, ClassVar, Self

from countertop.sdk.errors import ReportRefused
from countertop.sdk.links._base import HidInfo, HidLink, LinkUrl
from countertop.sdk.links._query import SETTINGS
from countertop.sdk.links._reports import CONTROL_SECONDS, FEATURE, OUTPUT, ReportInbox, get_report, set_report
from countertop.sdk.links._translate import link_fault
from countertop.sdk.links._usbip_import import importing
from countertop.sdk.links.usbip.connection import UsbIpConnection
from countertop.sdk.links.usbip.descriptors import Interface, parse_configuration, parse_device_descriptor

__all__ = ["UsbIpHidLink"]

IN_FLIGHT = 4
"""Requests for input reports that lie with the device, so that none waits for the next request's way there."""
REPORT_ROOM = 1024
ENGLISH = 0x0409


class UsbIpHidLink(HidLink):
    """The HID interface of a device that a USB/IP server exports: `usbip://HOST:PORT/BUSID`."""

    schemes: ClassVar[tuple[str, ...]] = ("usbip",)
    query: ClassVar[dict[str, Callable[[str], Any]]] = SETTINGS["usbip"]

    def __init__(self, url: LinkUrl, connection: UsbIpConnection) -> None:
        self.url = url
        self._connection = connection
        self._interface = 0
        self._in = self._out = 0
        self._flying = 0
        self._closed = False
        self._descriptor_length = 0
        self._one_at_a_time = asyncio.Lock()
        self._inbox = ReportInbox(url, self._ask_for_more)
        connection.on_lost = self._inbox.end

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Import the device and find its HID interface. Raises LinkFault(DEVICE_OFFLINE)."""
        async with importing(url) as connection:
            link = cls(url, connection)
            await link._begin()
        return link

    async def _begin(self) -> None:
        device = parse_device_descriptor(await self._descriptor(1, 0, 18))
        head = await self._descriptor(2, 0, 9)
        found = parse_configuration(await self._descriptor(2, 0, int.from_bytes(head[2:4], "little")))
        hid = next((item for item in found.interfaces if item.interface_class == 3), None)
        if hid is None:
            raise ValueError("the device has no HID interface")
        self._take(hid)
        await self._connection.transfer(0x00, 0, bytes([0, 9, found.fields["bConfigurationValue"]]) + bytes(5))
        self.info = HidInfo(
            device["idVendor"],
            device["idProduct"],
            device["bcdDevice"],
            await self._string(device["iManufacturer"]),
            await self._string(device["iProduct"]),
            await self._string(device["iSerialNumber"]),
        )
        self._ask_for_more()

    def _take(self, hid: Interface) -> None:
        self._interface = hid.number
        for endpoint in hid.endpoints:
            if endpoint.kind == 3 and endpoint.address & 0x80 and not self._in:
                self._in = endpoint.address
            elif endpoint.kind == 3 and not endpoint.address & 0x80:
                self._out = endpoint.address
        if not self._in or len(hid.extra) < 9:
            raise ValueError("the device's HID interface has no interrupt IN endpoint or no HID descriptor")
        self._descriptor_length = int.from_bytes(hid.extra[7:9], "little")

    async def _descriptor(self, kind: int, index: int, length: int, language: int = 0) -> bytes:
        setup = bytes([0x80, 6, index, kind]) + language.to_bytes(2, "little") + length.to_bytes(2, "little")
        return await self._connection.transfer(0x80, length, setup)

    async def _string(self, index: int) -> str:
        if not index:
            return ""
        try:
            data = await self._descriptor(3, index, 255, ENGLISH)
        except BrokenPipeError:  # a STALL: it has none after all
            return ""
        return data[2:].decode("utf-16-le", "replace")

    # -- input --

    async def receive(self) -> bytes:
        """Wait for the next input report. Raises LinkFault(LINK_LOST)."""
        return await self._inbox.take()

    def discard_input(self) -> list[bytes]:
        """Take the input reports that nobody received."""
        return self._inbox.drain()

    def _ask_for_more(self) -> None:
        try:
            while not self._closed and self._flying < IN_FLIGHT and not self._inbox.full:
                self._connection.begin(self._in, REPORT_ROOM, self._arrived)
                self._flying += 1
        except OSError as error:
            self._inbox.end(error)

    def _arrived(self, status: int, data: bytes, actual: int) -> None:
        self._flying -= 1
        if status:
            self._inbox.end(OSError(-status, "the device refuses to send input"))
            return
        self._inbox.put(data)
        self._ask_for_more()

    # -- feature and output reports --

    async def report_descriptor(self) -> bytes:
        """As the device states it."""
        length = self._descriptor_length
        setup = bytes([0x81, 6, 0, 0x22]) + self._interface.to_bytes(2, "little") + length.to_bytes(2, "little")
        return await self._request("report descriptor", 0, setup, length)

    async def get_feature(self, report_id: int, size: int) -> bytes:
        """Read a feature report. Raises ReportRefused, LinkFault(LINK_LOST)."""
        setup = get_report(FEATURE, report_id, self._interface, size)
        return await self._request("get feature", report_id, setup, size)

    async def set_feature(self, report: bytes) -> None:
        """Write a feature report. Raises ReportRefused, LinkFault(LINK_LOST)."""
        await self._write(FEATURE, "set feature", report)

    async def send(self, report: bytes) -> None:
        """Write an output report: through the OUT endpoint where there is one. Raises ReportRefused, LinkFault."""
        if not self._out:
            await self._write(OUTPUT, "send", report)
            return
        data = report[1:] if report[0] == 0 else report
        await self._request("send", report[0], bytes(8), len(data), data, self._out)

    async def _write(self, kind: int, what: str, report: bytes) -> None:
        data = report[1:] if report[0] == 0 else report
        setup = set_report(kind, report[0], self._interface, len(data))
        await self._request(what, report[0], setup, len(data), data, 0x00)

    async def _request(
        self, what: str, report_id: int, setup: bytes, length: int, data: bytes = b"", endpoint: int = 0x80
    ) -> bytes:
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(CONTROL_SECONDS):
                    return await self._connection.transfer(endpoint, length, setup, data)
            except OSError as error:  # TimeoutError is one
                if error.errno == errno.EPIPE:
                    raise ReportRefused(report_id, what) from error
                raise link_fault(self.url, what, error) from error

    async def close(self) -> None:
        """Hang up."""
        self._closed = True
        self._connection.close()
        self._inbox.end(None)
