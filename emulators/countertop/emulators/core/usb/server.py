"""A USB/IP server for emulated devices: on loopback, one host a device."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

from countertop.emulators.core.usb import wire
from countertop.emulators.core.usb.device import UsbDescriptors, UsbPeer
from countertop.emulators.core.usb.session import Session

__all__ = ["UsbIpServer"]


@dataclass(slots=True)
class _Export:
    """A device that is plugged in."""

    bus_id: str
    bus: int
    number: int
    peer: UsbPeer
    in_queue: int
    host: _Host | None = None

    @property
    def listed(self) -> tuple[str, int, int, UsbDescriptors]:
        return self.bus_id, self.bus, self.number, self.peer.descriptors


class UsbIpServer:
    """Exports devices by bus id ("1-1"). All methods belong to the event loop in which `start` was called."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._address = (host, port)
        self._server: asyncio.Server | None = None
        self._exports: dict[str, _Export] = {}
        self._hosts: set[_Host] = set()
        self._numbers = 0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the port is known after `start`."""
        return self._address

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken or not ours."""
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._server = await loop.create_server(lambda: _Host(self), host, port)
        self._address = (host, self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Unplug everything, and listen no more. Safe to call twice."""
        for bus_id in list(self._exports):
            self.unplug(bus_id)
        for host in list(self._hosts):
            host.abort()
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    def plug(self, bus_id: str, peer: UsbPeer, in_queue: int = 64) -> None:
        """Export a device. Raises ValueError when the bus id is no "BUS-PORT" or is taken."""
        bus, _, port = bus_id.partition("-")
        if not (bus.isdecimal() and port.replace(".", "").isdecimal() and len(bus_id) < 32):
            raise ValueError(f'expected a bus id such as "1-1", got {bus_id!r}')
        if bus_id in self._exports:
            raise ValueError(f"expected a bus id that is free, got {bus_id!r}")
        self._numbers = self._numbers % 127 + 1
        self._exports[bus_id] = _Export(bus_id, int(bus), self._numbers, peer, in_queue)

    def unplug(self, bus_id: str) -> None:
        """Pull the cable: the device is on no list, and its host's connection ends. Safe to call twice."""
        export = self._exports.pop(bus_id, None)
        if export is not None and export.host is not None:
            export.host.abort()

    def joined(self, host: _Host) -> None:
        """A host connected."""
        self._hosts.add(host)

    def left(self, host: _Host) -> None:
        """A host's connection ended."""
        self._hosts.discard(host)

    def listing(self) -> bytes:
        """The answer to DEVLIST."""
        return wire.devlist_reply([export.listed for export in self._exports.values()])

    def import_device(self, bus_id: str, host: _Host) -> tuple[bytes, _Export | None]:
        """The answer to IMPORT, and the device if it was granted: one host at a time."""
        export = self._exports.get(bus_id)
        if export is None:
            return wire.import_reply(wire.ST_NODEV), None
        if export.host is not None:
            return wire.import_reply(wire.ST_DEV_BUSY), None
        export.host = host
        return wire.import_reply(wire.ST_OK, export.listed), export


class _Host(asyncio.Protocol):
    """The connection of one host. While it does not read what it asked for, nothing more is read from it."""

    def __init__(self, server: UsbIpServer) -> None:
        self._server = server
        self._decoder = wire.HostDecoder()
        self._transport: asyncio.Transport | None = None
        self._export: _Export | None = None
        self._session: Session | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server.joined(self)

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._decoder.feed(data):
                self._take(event)
                if self._transport is None:
                    return
        except wire.UsbIpError:
            self.abort()

    def _take(self, event: wire.HostEvent) -> None:
        assert self._transport is not None
        match event:
            case wire.DevListRequest():
                self._transport.write(self._server.listing())
            case wire.ImportRequest():
                reply, self._export = self._server.import_device(event.bus_id, self)
                self._transport.write(reply)
                if self._export is not None:
                    self._decoder.imported = True
                    self._begin(self._export)
            case wire.Submit():
                assert self._session is not None
                self._session.submit(event)
            case wire.Unlink():
                assert self._session is not None
                self._session.unlink(event)

    def _begin(self, export: _Export) -> None:
        assert self._transport is not None
        device_id = export.bus << 16 | export.number
        self._session = Session(export.peer, device_id, self._transport.write, export.in_queue)
        export.peer.attached(self._session)

    def pause_writing(self) -> None:
        assert self._transport is not None
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        assert self._transport is not None
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def abort(self) -> None:
        """End it at once; what was not sent is lost."""
        transport = self._transport
        self._end()
        if transport is not None:
            transport.abort()

    def _end(self) -> None:
        self._transport = None
        self._server.left(self)
        session, self._session = self._session, None
        export, self._export = self._export, None
        if session is not None and export is not None:
            session.close()
            export.host = None
            export.peer.detached()
