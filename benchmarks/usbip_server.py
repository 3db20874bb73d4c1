"""A USB device on a USB/IP server, ours or PyPI usbip's: `python -m benchmarks.usbip_server ours|peer`.

What it gets on bulk OUT 02 it forgets; a byte on bulk OUT 03 makes it send 16 bytes on interrupt IN 81.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading

from countertop.emulators.core.usb.bus import UsbIpBus
from countertop.emulators.core.usb.device import Endpoint, InterfaceDescriptor, Setup, Stall, UsbDescriptors, UsbHost


class Ours:
    """On our server."""

    descriptors = UsbDescriptors(
        0x1209,
        1,
        interfaces=(
            InterfaceDescriptor(0, 255, endpoints=(Endpoint(0x81, 3, 16, 1), Endpoint(2, 2, 64), Endpoint(3, 2, 64))),
        ),
    )
    host: UsbHost | None = None

    def attached(self, host: UsbHost) -> None:
        self.host = host

    def detached(self) -> None:
        self.host = None

    def control(self, setup: Setup, data: bytes) -> bytes:
        raise Stall

    def received(self, endpoint: int, data: bytes) -> None:
        if endpoint == 3 and self.host is not None:
            self.host.send(0x81, bytes(16))

    def in_space(self, endpoint: int) -> None:
        pass


async def ours() -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    bus = UsbIpBus(Ours())
    await bus.start()
    print(json.dumps({"link": bus.link_url}), flush=True)
    await stop.wait()
    await bus.close()


def peer() -> None:
    """Until SIGTERM."""
    import socket

    import usbip
    from usbip.device import USBDevice
    from usbip.function import Interface

    class Pipes(Interface):  # type: ignore[misc]
        interface_class = 0xFF
        ping = usbip.In(0x81, "interrupt", 16, 1)
        sink = usbip.Out(0x02, "bulk", 64)
        bell = usbip.Out(0x03, "bulk", 64)

        def on_out(self, ep: object, data: bytes) -> None:
            if getattr(ep, "addr", None) == 0x03:
                self.ping.write(bytes(16))

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    device = USBDevice(0x1209, 1)
    device.add(Pipes())
    device.plug(via=usbip.USBIP("127.0.0.1", port))
    print(json.dumps({"link": f"usbip://127.0.0.1:{port}"}), flush=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()


if __name__ == "__main__":
    asyncio.run(ours()) if sys.argv[1] == "ours" else peer()
