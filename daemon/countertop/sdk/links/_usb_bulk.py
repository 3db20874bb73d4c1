"""A byte channel over the bulk endpoints of a USB device: printers of the USB printer class, and vendors' own."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from typing import Any, ClassVar, Self

from countertop.sdk.errors import LinkFault
from countertop.sdk.links._base import ByteLink, LinkUrl
from countertop.sdk.links._channel import INPUT_LIMIT, Inbox
from countertop.sdk.links._query import SETTINGS
from countertop.sdk.links._reading import WAIT_MS, ReadingThread
from countertop.sdk.links._translate import link_fault
from countertop.sdk.links._usb_find import Claim, find_device, usb_modules
from countertop.v1 import error_pb2

__all__ = ["BULK_CLASSES", "GET_PORT_STATUS", "UsbBulkLink", "port_status_fault", "port_status_of"]

BULK_CLASSES = (7, 255)
"""Printer, and vendor specific; in the order in which they are looked for."""
GET_PORT_STATUS = (0xA1, 0x01)
"""bmRequestType and bRequest; wValue 0, wIndex the interface, wLength 1 (USB printer class 1.1, 4.2.2)."""
_CONTROL_MS = 5000


class UsbBulkLink(ByteLink):
    """The first printer or vendor interface with a bulk OUT endpoint: `usb://04B8:0202`, `usb://04B8:0202/SERIAL`.

    Bytes go out packet by packet: a packet that the device does not take (NAK) is offered again until it does, and is
    never doubled, since one packet is taken whole or not at all.
    """

    schemes: ClassVar[tuple[str, ...]] = ("usb",)
    query: ClassVar[dict[str, Callable[[str], Any]]] = SETTINGS["usb"]

    def __init__(self, url: LinkUrl, claim: Claim, incoming: Any, outgoing: Any, interface: int = 0) -> None:
        self.url = url
        self._claim = claim
        self._interface = interface
        self._in, self._out = incoming, outgoing
        self._closed = False
        self._sending = threading.Lock()
        self._asking = threading.Lock()
        self._inbox = inbox = Inbox(url, lambda: self._reader.resume())
        self._reader = ReadingThread(
            f"usb {url.text}", self._read, inbox.put, inbox.end, lambda: inbox.room < INPUT_LIMIT // 2
        )
        if incoming is not None:
            self._reader.start()

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Claim it. Raises LinkFault(DEVICE_OFFLINE): missing, several, busy, no right (with the udev rule)."""
        return await cls.over(url, await asyncio.to_thread(find_device, url))

    @classmethod
    async def over(cls, url: LinkUrl, device: Any) -> Self:
        """The same for a device that was found by any pyusb backend."""
        claim = Claim(device)
        try:
            incoming, outgoing, interface = await asyncio.to_thread(_endpoints, claim)
        except (OSError, ValueError) as error:
            await asyncio.to_thread(claim.release)
            raise link_fault(url, "open", error, opening=True) from error
        return cls(url, claim, incoming, outgoing, interface)

    def _read(self) -> bytes:
        core, _ = usb_modules()
        try:
            return bytes(self._in.read(max(self._in.wMaxPacketSize, 4096), WAIT_MS))
        except core.USBTimeoutError:
            return b""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Wait for 1 to `max_bytes` bytes. Raises LinkFault(LINK_LOST)."""
        return await self._inbox.take(max_bytes)

    def discard_input(self) -> bytes:
        """Take what has arrived and nobody received, without waiting."""
        return self._inbox.drain()

    async def send(self, data: bytes) -> None:
        """Return when the device took every byte. Who is cancelled leaves the packet that is on its way. Raises
        LinkFault(LINK_LOST).
        """
        size = self._out.wMaxPacketSize or 64
        stop = threading.Event()
        try:
            await asyncio.to_thread(self._write, [data[at : at + size] for at in range(0, len(data), size)], stop)
        except OSError as error:
            raise link_fault(self.url, "send", error) from error
        finally:
            stop.set()

    def _write(self, packets: list[bytes], stop: threading.Event) -> None:
        core, _ = usb_modules()
        with self._sending:
            for packet in packets:
                while not stop.is_set():
                    if self._closed:
                        raise ConnectionResetError("the link was closed")
                    try:
                        self._out.write(packet, WAIT_MS)
                        break
                    except core.USBTimeoutError:
                        continue

    async def port_status(self) -> int:
        """The port's status, also while the device takes no data: 0x20 paper empty, 0x10 selected, 0x08 no error (USB
        printer class 1.1, 4.2.2). Raises LinkFault: LINK_LOST, or NOT_SUPPORTED from a device that is no printer.
        """
        try:
            return port_status_of(await asyncio.to_thread(self._port_status))
        except (OSError, ValueError) as error:
            raise port_status_fault(self.url, error) from error

    def _port_status(self) -> bytes:
        with self._asking:
            if self._closed:
                raise ConnectionResetError("the link was closed")
            kind, request = GET_PORT_STATUS
            return bytes(self._claim.device.ctrl_transfer(kind, request, 0, self._interface, 1, _CONTROL_MS))

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
        with self._sending, self._asking:
            self._claim.release()


def port_status_of(answer: bytes) -> int:
    """The one byte of GET_PORT_STATUS's answer. Raises ValueError."""
    if len(answer) != 1:
        raise ValueError(f"expected a port status of 1 byte, got {len(answer)}")
    return answer[0]


def port_status_fault(url: LinkUrl, error: BaseException) -> LinkFault:
    """What a failed GET_PORT_STATUS amounts to: NOT_SUPPORTED for a STALL, which leaves the link as it is."""
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        return LinkFault(
            error_pb2.REASON_NOT_SUPPORTED,
            "The device does not know GET_PORT_STATUS: it is no printer of the USB printer class.",
            step="port status",
            expected="a status byte",
            got="a STALL",
        )
    return link_fault(url, "port status", error)


def _endpoints(claim: Claim) -> tuple[Any, Any, int]:
    """The bulk endpoints of the interface that is claimed here, and its number; the first is None without a bulk IN."""
    configuration = claim.device[0]
    for wanted in BULK_CLASSES:
        for interface in configuration:
            bulk = [endpoint for endpoint in interface if endpoint.bmAttributes & 3 == 2]
            outgoing = next((endpoint for endpoint in bulk if not endpoint.bEndpointAddress & 0x80), None)
            if interface.bInterfaceClass == wanted and outgoing is not None:
                number = int(interface.bInterfaceNumber)
                claim.take(configuration, number)
                return next((endpoint for endpoint in bulk if endpoint.bEndpointAddress & 0x80), None), outgoing, number
    raise ValueError("the device has no printer or vendor interface with a bulk OUT endpoint")
