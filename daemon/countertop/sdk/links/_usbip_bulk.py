"""A byte channel over the bulk endpoints of a device that a USB/IP server exports, on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Self

from countertop.sdk.links._base import ByteLink, LinkUrl
from countertop.sdk.links._channel import Inbox
from countertop.sdk.links._query import SETTINGS
from countertop.sdk.links._reports import CONTROL_SECONDS
from countertop.sdk.links._translate import link_fault
from countertop.sdk.links._usb_bulk import BULK_CLASSES, GET_PORT_STATUS, port_status_fault, port_status_of
from countertop.sdk.links._usbip_import import importing
from countertop.sdk.links.usbip.connection import UsbIpConnection
from countertop.sdk.links.usbip.descriptors import Interface, parse_configuration

__all__ = ["UsbIpBulkLink"]

IN_FLIGHT = 4
"""Requests for input that lie with the device, so that none waits for the next request's way there."""
IN_ROOM = 4096
"""Of one request; whole packets of any size that USB has for bulk."""
OUT_PIECE = 4096
"""Of one request; what was sent is then not far from the device."""


class UsbIpBulkLink(ByteLink):
    """The first printer or vendor interface with a bulk OUT endpoint of a device that a USB/IP server exports:
    `usbip://HOST:PORT/BUSID`.

    Who cancels `send` takes back the piece that the device has not taken.
    """

    schemes: ClassVar[tuple[str, ...]] = ("usbip",)
    query: ClassVar[dict[str, Callable[[str], Any]]] = SETTINGS["usbip"]

    def __init__(self, url: LinkUrl, connection: UsbIpConnection) -> None:
        self.url = url
        self._connection = connection
        self._interface = 0
        self._in = self._out = 0
        self._flying = 0
        self._closed = False
        self._inbox = Inbox(url, self._ask_for_more)
        self._sending = asyncio.Lock()
        connection.on_lost = self._inbox.end

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Import the device and find its interface. Raises LinkFault(DEVICE_OFFLINE)."""
        async with importing(url) as connection:
            link = cls(url, connection)
            await link._begin()
        return link

    async def _begin(self) -> None:
        head = await self._configuration(9)
        found = parse_configuration(await self._configuration(int.from_bytes(head[2:4], "little")))
        self._take(found.interfaces)
        await self._connection.transfer(0x00, 0, bytes([0, 9, found.fields["bConfigurationValue"]]) + bytes(5))
        self._ask_for_more()

    async def _configuration(self, length: int) -> bytes:
        return await self._connection.transfer(
            0x80, length, bytes([0x80, 6, 0, 2, 0, 0]) + length.to_bytes(2, "little")
        )

    def _take(self, interfaces: list[Interface]) -> None:
        for wanted in BULK_CLASSES:
            for interface in interfaces:
                bulk = [endpoint.address for endpoint in interface.endpoints if endpoint.kind == 2]
                outgoing = next((address for address in bulk if not address & 0x80), 0)
                if interface.interface_class == wanted and outgoing:
                    self._interface, self._out = interface.number, outgoing
                    self._in = next((address for address in bulk if address & 0x80), 0)
                    return
        raise ValueError("the device has no printer or vendor interface with a bulk OUT endpoint")

    # -- input --

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Wait for 1 to `max_bytes` bytes. Raises LinkFault(LINK_LOST)."""
        return await self._inbox.take(max_bytes)

    def discard_input(self) -> bytes:
        """Take what has arrived and nobody received, without waiting."""
        return self._inbox.drain()

    def _ask_for_more(self) -> None:
        """Keep so many requests with the device as the inbox has room for."""
        if not self._in:
            return
        try:
            while (
                not self._closed
                and not self._inbox.ended
                and self._flying < IN_FLIGHT
                and self._inbox.room >= (self._flying + 1) * IN_ROOM
            ):
                self._connection.begin(self._in, IN_ROOM, self._arrived)
                self._flying += 1
        except OSError as error:
            self._inbox.end(error)

    def _arrived(self, status: int, data: bytes, actual: int) -> None:
        self._flying -= 1
        if status:
            self._inbox.end(OSError(-status, "the device refuses to send"))
            return
        if data:
            self._inbox.put(data)
        self._ask_for_more()

    # -- output --

    async def send(self, data: bytes) -> None:
        """Return when the device took every byte. Raises LinkFault(LINK_LOST)."""
        async with self._sending:
            try:
                for at in range(0, len(data), OUT_PIECE):
                    piece = bytes(data[at : at + OUT_PIECE])
                    await self._connection.transfer(self._out, len(piece), data=piece)
            except OSError as error:
                raise link_fault(self.url, "send", error) from error

    async def port_status(self) -> int:
        """As UsbBulkLink.port_status."""
        kind, request = GET_PORT_STATUS
        setup = bytes([kind, request, 0, 0]) + self._interface.to_bytes(2, "little") + bytes([1, 0])
        try:
            async with asyncio.timeout(CONTROL_SECONDS):
                return port_status_of(await self._connection.transfer(0x80, 1, setup))
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            raise port_status_fault(self.url, error) from error

    async def close(self) -> None:
        """Hang up."""
        self._closed = True
        self._connection.close()
        self._inbox.end(None)
