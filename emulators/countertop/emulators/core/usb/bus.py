"""The link of one emulated USB device: a USB/IP server of its own."""

from __future__ import annotations

from countertop.emulators.core.usb.device import UsbPeer
from countertop.emulators.core.usb.server import UsbIpServer

__all__ = ["UsbIpBus"]


class UsbIpBus:
    """A port where a device hangs. The server stays while the device is unplugged, as a host controller does.

    `in_queue`: transfers that wait on an IN endpoint for the host to ask; what comes after is refused to the device.
    """

    def __init__(
        self, peer: UsbPeer, host: str = "127.0.0.1", port: int = 0, bus_id: str = "1-1", in_queue: int = 64
    ) -> None:
        self._peer = peer
        self._server = UsbIpServer(host, port)
        self._bus_id = bus_id
        self._in_queue = in_queue
        self._started = self._plugged = False

    @property
    def link_url(self) -> str:
        """`usbip://127.0.0.1:PORT/1-1`; the same until `close`. Raises RuntimeError before `start`."""
        if not self._started:
            raise RuntimeError("the bus was not started")
        host, port = self._server.address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"usbip://[{host}]:{port}/{self._bus_id}" if ":" in host else f"usbip://{host}:{port}/{self._bus_id}"

    @property
    def plugged(self) -> bool:
        """Hosts can see the device."""
        return self._plugged

    async def start(self) -> None:
        """Listen, and plug the device in. Raises OSError when the address cannot be had."""
        await self._server.start()
        self._started = True
        self.replug()

    async def close(self) -> None:
        """Unplug and listen no more. Safe to call twice."""
        self._plugged = False
        await self._server.close()

    def unplug(self) -> None:
        """Pull the cable: the host's connection ends, the device is on no list. Safe to call twice."""
        self._plugged = False
        self._server.unplug(self._bus_id)

    def replug(self) -> None:
        """Put it back."""
        if not self._plugged:
            self._server.plug(self._bus_id, self._peer, self._in_queue)
            self._plugged = True
