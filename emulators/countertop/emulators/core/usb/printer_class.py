"""A device of the USB printer class as a link: bytes on its bulk endpoints, and the class's three requests.

USB Device Class Definition for Printing Devices 1.1: GET_DEVICE_ID, GET_PORT_STATUS and SOFT_RESET (4.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from countertop.emulators.core.bus import Bus, Peer
from countertop.emulators.core.usb.bus import UsbIpBus
from countertop.emulators.core.usb.device import Endpoint, InterfaceDescriptor, Setup, Stall, UsbDescriptors, UsbHost

__all__ = ["BUSY", "ERROR", "PAPER_EMPTY", "READY", "UsbPrinterBus"]

OUT, IN = 0x01, 0x82
IN_QUEUE = 64
READY, BUSY, ERROR, PAPER_EMPTY = 0x18, 0x08, 0x10, 0x20
"""Port status: bit 3 no error, bit 4 selected, bit 5 paper empty."""


class UsbPrinterBus(Bus):
    """Serves a Peer on USB/IP as a printer (class 7, subclass 1, protocol 2) with bulk OUT 01 and bulk IN 82.

    `status` tells the port status; `reset` is told of a SOFT_RESET.
    """

    def __init__(
        self,
        peer: Peer,
        device: UsbDescriptors,
        *,
        device_id: str,
        status: Callable[[], int],
        reset: Callable[[], None],
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(peer)
        endpoints = (Endpoint(OUT, 2, 64), Endpoint(IN, 2, 64))
        self.descriptors = replace(device, interfaces=(InterfaceDescriptor(0, 7, 1, 2, endpoints),))
        self._id = device_id.encode("ascii")
        self._status, self._reset = status, reset
        self._host: UsbHost | None = None
        self._usb = UsbIpBus(self, host, port, in_queue=IN_QUEUE)

    @property
    def link_url(self) -> str:
        """`usbip://127.0.0.1:PORT/1-1`; the same until `close`. Raises RuntimeError before `start`."""
        return self._usb.link_url

    async def start(self) -> None:
        """Listen, and plug it in. Raises OSError when the address cannot be had."""
        await self._usb.start()
        self._plugged = True

    async def close(self) -> None:
        """Unplug and listen no more. Safe to call twice."""
        await super().close()
        await self._usb.close()

    def unplug(self) -> None:
        """Pull the cable. Safe to call twice."""
        self._plugged = False
        self._usb.unplug()
        self.detached()

    def replug(self) -> None:
        """Put it back."""
        self._plugged = True
        self._usb.replug()

    def pause_reading(self) -> None:
        """NAK what the host sends."""
        super().pause_reading()
        if self._host is not None:
            self._host.set_ready(OUT, ready=False)

    def resume_reading(self) -> None:
        """Take it in again."""
        super().resume_reading()
        if self._host is not None:
            self._host.set_ready(OUT, ready=True)

    # --- the USB side ----------------------------------------------------------------------------------------------

    def attached(self, host: UsbHost) -> None:
        """See UsbPeer."""
        self._host = host
        host.set_ready(OUT, ready=not self._paused)
        self.peer.connected(self._write)

    def detached(self) -> None:
        """See UsbPeer."""
        if self._host is not None:
            self._host = None
            self.peer.disconnected()

    def control(self, setup: Setup, data: bytes) -> bytes:
        """See UsbPeer."""
        match setup.request_type, setup.request:
            case 0xA1, 0:
                return (len(self._id) + 2).to_bytes(2) + self._id
            case 0xA1, 1:
                return bytes((self._status(),))
            case 0x21, 2:
                self._reset()
                return b""
        raise Stall

    def received(self, endpoint: int, data: bytes) -> None:
        """See UsbPeer."""
        if data:
            self.peer.received(data)

    def in_space(self, endpoint: int) -> None:
        """See UsbPeer."""

    def _write(self, data: bytes) -> None:
        if self._host is None or not data:
            return
        if not self._host.send(IN, data):
            self._dropped(len(data))
