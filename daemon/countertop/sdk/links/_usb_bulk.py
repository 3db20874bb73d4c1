"""A byte channel over the bulk endpoints of a USB device: printers of the USB printer class, and vendors' own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, ClassVar, Self

from countertop.sdk.links._base import ByteLink, LinkUrl
from countertop.sdk.links._channel import INPUT_LIMIT, Inbox
from countertop.sdk.links._query import SETTINGS
from countertop.sdk.links._reading import WAIT_MS, ReadingThread
from countertop.sdk.links._translate import link_fault
from countertop.sdk.links._usb_find import Claim, find_device, usb_modules

__all__ = ["UsbBulkLink"]

_CLASSES = (7, 255)
"""Printer, and vendor specific; in the order in which they are looked for."""


class UsbBulkLink(ByteLink):
    """The first printer or vendor interface with a bulk OUT endpoint: `usb://04B8:0202`, `usb://04B8:0202/SERIAL`.

    Bytes go out packet by packet: a packet that the device does not take (NAK) is offered again until it does, and is
    never doubled, since one packet is taken whole or not at all.
    """

    schemes: ClassVar[tuple[str, ...]] = ("usb",)
    query: ClassVar[dict[str, Callable[[str], Any]]] = SETTINGS["usb"]

    def __init__(self, url: LinkUrl, claim: Claim, incoming: Any, outgoing: Any) -> None:
        self.url = url
        self._claim = claim
        self._in, self._out = incoming, outgoing
        self._closed = False
        self._sending = threading.Lock()
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
            incoming, outgoing = await asyncio.to_thread(_endpoints, claim)
        except (OSError, ValueError) as error:
            await asyncio.to_thread(claim.release)
            raise link_fault(url, "open", error, opening=True) from error
        return cls(url, claim, incoming, outgoing)

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
        with self._sending:
            self._claim.release()


def _endpoints(claim: Claim) -> tuple[Any, Any]:
    """The bulk endpoints of the interface that is claimed here; the first is None where there is no IN."""
    configuration = claim.device[0]
    for wanted in _CLASSES:
        for interface in configuration:
            bulk = [endpoint for endpoint in interface if endpoint.bmAttributes & 3 == 2]
            outgoing = next((endpoint for endpoint in bulk if not endpoint.bEndpointAddress & 0x80), None)
            if interface.bInterfaceClass == wanted and outgoing is not None:
                claim.take(configuration, interface.bInterfaceNumber)
                return next((endpoint for endpoint in bulk if endpoint.bEndpointAddress & 0x80), None), outgoing
    raise ValueError("the device has no printer or vendor interface with a bulk OUT endpoint")
