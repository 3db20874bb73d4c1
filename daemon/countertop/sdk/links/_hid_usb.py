"""HID over libusb, for machines without hidraw: the kernel's driver is taken off while the link is open."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any, ClassVar, Self

from countertop.sdk.errors import ReportRefused
from countertop.sdk.links._base import HidInfo, HidLink, LinkUrl
from countertop.sdk.links._query import SETTINGS
from countertop.sdk.links._reading import WAIT_MS, ReadingThread
from countertop.sdk.links._reports import CONTROL_SECONDS, FEATURE, OUTPUT, ReportInbox, get_report, set_report
from countertop.sdk.links._translate import link_fault
from countertop.sdk.links._usb_find import Claim, find_device, usb_modules

__all__ = ["UsbHidLink"]

_GET_DESCRIPTOR = 6


class UsbHidLink(HidLink):
    """The HID interface of a USB device: `usb://056A:00A4`, `usb://056A:00A4/SERIAL`."""

    schemes: ClassVar[tuple[str, ...]] = ("usb",)
    query: ClassVar[dict[str, Callable[[str], Any]]] = SETTINGS["usb"]

    def __init__(self, url: LinkUrl, device: Any) -> None:
        """`device` is a `usb.core.Device`, of any backend. Call `claim` next."""
        self.url = url
        self._device = device
        self._interface = 0
        self._in: Any = None
        self._out: Any = None
        self._closed = False
        self._claimed = Claim(device)
        self._descriptor_length = 0
        self._inbox = inbox = ReportInbox(url, lambda: self._reader.resume())
        self._reader = ReadingThread(f"hid {url.text}", self._read, inbox.put, inbox.end, lambda: inbox.full)

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Claim it. Raises LinkFault(DEVICE_OFFLINE): missing, several, busy, no right (with the udev rule)."""
        device = await asyncio.to_thread(find_device, url)
        return await cls.over(url, device)

    @classmethod
    async def over(cls, url: LinkUrl, device: Any) -> Self:
        """The same for a device that was found by any pyusb backend."""
        link = cls(url, device)
        try:
            await asyncio.to_thread(link._claim)
        except (OSError, ValueError) as error:
            await link.close()
            raise link_fault(url, "open", error, opening=True) from error
        link._reader.start()
        return link

    def _claim(self) -> None:
        _, util = usb_modules()
        device = self._device
        configuration = device[0]
        hid = next((item for item in configuration if item.bInterfaceClass == 3), None)
        if hid is None:
            raise ValueError("the device has no HID interface")
        self._interface = hid.bInterfaceNumber
        for endpoint in hid:
            if endpoint.bmAttributes & 3 == 3 and endpoint.bEndpointAddress & 0x80 and self._in is None:
                self._in = endpoint
            elif endpoint.bmAttributes & 3 == 3 and not endpoint.bEndpointAddress & 0x80:
                self._out = endpoint
        if self._in is None:
            raise ValueError("the device's HID interface has no interrupt IN endpoint")
        self._claimed.take(configuration, self._interface)
        hid_descriptor = bytes(device.ctrl_transfer(0x81, _GET_DESCRIPTOR, 0x2100, self._interface, 9, 5000))
        self._descriptor_length = int.from_bytes(hid_descriptor[7:9], "little")
        self.info = HidInfo(
            device.idVendor,
            device.idProduct,
            device.bcdDevice,
            _string(util, device, device.iManufacturer),
            _string(util, device, device.iProduct),
            _string(util, device, device.iSerialNumber),
        )

    # -- input --

    def _read(self) -> bytes:
        core, _ = usb_modules()
        try:
            return bytes(self._in.read(max(64, self._in.wMaxPacketSize), WAIT_MS))
        except core.USBTimeoutError:
            return b""

    async def receive(self) -> bytes:
        """Wait for the next input report. Raises LinkFault(LINK_LOST)."""
        return await self._inbox.take()

    def discard_input(self) -> list[bytes]:
        """Take the input reports that nobody received."""
        return self._inbox.drain()

    # -- feature and output reports --

    async def report_descriptor(self) -> bytes:
        """As the device states it."""
        setup = bytes([0x81, _GET_DESCRIPTOR, 0, 0x22]) + self._interface.to_bytes(2, "little")
        return await self._control("report descriptor", 0, setup, self._descriptor_length)

    async def get_feature(self, report_id: int, size: int) -> bytes:
        """Read a feature report. Raises ReportRefused, LinkFault(LINK_LOST)."""
        return await self._control(
            "get feature", report_id, get_report(FEATURE, report_id, self._interface, size), size
        )

    async def set_feature(self, report: bytes) -> None:
        """Write a feature report. Raises ReportRefused, LinkFault(LINK_LOST)."""
        await self._write(FEATURE, "set feature", report)

    async def send(self, report: bytes) -> None:
        """Write an output report: through the OUT endpoint where there is one. Raises ReportRefused, LinkFault."""
        if self._out is None:
            await self._write(OUTPUT, "send", report)
            return
        data = report[1:] if report[0] == 0 else report
        await self._in_thread("send", report[0], lambda: self._out.write(data, int(CONTROL_SECONDS * 1000)))

    async def _write(self, kind: int, what: str, report: bytes) -> None:
        data = report[1:] if report[0] == 0 else report
        await self._control(what, report[0], set_report(kind, report[0], self._interface, len(data)), data)

    async def _control(self, what: str, report_id: int, setup: bytes, data: int | bytes) -> bytes:
        value, index = int.from_bytes(setup[2:4], "little"), int.from_bytes(setup[4:6], "little")

        def call() -> Any:
            return self._device.ctrl_transfer(setup[0], setup[1], value, index, data, int(CONTROL_SECONDS * 1000))

        found = await self._in_thread(what, report_id, call)
        return bytes(found) if isinstance(data, int) else b""

    async def _in_thread(self, what: str, report_id: int, call: Callable[[], Any]) -> Any:
        try:
            return await asyncio.to_thread(call)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise ReportRefused(report_id, what) from error
            raise link_fault(self.url, what, error) from error

    async def close(self) -> None:
        """Give the device back to the kernel."""
        if self._closed:
            return
        self._closed = True
        self._reader.stop()
        self._inbox.end(None)
        await asyncio.to_thread(self._release)

    def _release(self) -> None:
        self._reader.join()
        self._claimed.release()


def _string(util: Any, device: Any, index: int) -> str:
    try:
        return str(util.get_string(device, index) or "") if index else ""
    except (OSError, ValueError):  # a STALL, or it knows no language
        return ""
