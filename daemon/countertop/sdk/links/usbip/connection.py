"""One imported device on the event loop."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable

from countertop.sdk.links.usbip import wire
from countertop.sdk.links.usbip.transfers import Done, Transfers

__all__ = ["UsbIpConnection", "check_import"]


class UsbIpConnection(asyncio.Protocol):
    """Transfers to one device. Raises OSError throughout: ConnectionError when it is lost, EPIPE for a STALL."""

    def __init__(self) -> None:
        self._transfers: Transfers | None = None
        self._transport: asyncio.Transport | None = None
        self._answer = bytearray()
        self._imported: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_lost: Callable[[OSError], None] = lambda error: None
        """Called once when the connection has ended by itself."""

    @classmethod
    async def open(cls, host: str, port: int, bus_id: str) -> UsbIpConnection:
        """Connect and import a device. Raises OSError: EBUSY when another host has it, ENODEV when there is none."""
        _, found = await asyncio.get_running_loop().create_connection(cls, host, port)
        try:
            assert found._transport is not None
            found._transport.write(wire.import_request(bus_id))
            await found._imported
        except BaseException:
            found.close()
            raise
        return found

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def begin(self, endpoint: int, length: int, done: Done, setup: bytes = bytes(8), data: bytes = b"") -> int:
        """Begin a transfer; its number. `done` is called in the event loop."""
        if self._transport is None or self._transfers is None:
            raise ConnectionResetError(errno.ENODEV, os.strerror(errno.ENODEV))
        seqnum, message = self._transfers.begin(endpoint, length, done, setup, data)
        self._transport.write(message)
        return seqnum

    async def transfer(self, endpoint: int, length: int, setup: bytes = bytes(8), data: bytes = b"") -> bytes:
        """Do a transfer: its data for IN. Cancelled, it is taken back."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def done(status: int, found: bytes, actual: int) -> None:
            if future.done():
                return
            if status:
                future.set_exception(OSError(-status, os.strerror(-status)))
            else:
                future.set_result(found)

        seqnum = self.begin(endpoint, length, done, setup, data)
        try:
            return await future
        except asyncio.CancelledError:
            self.take_back(seqnum)
            raise

    def take_back(self, seqnum: int) -> None:
        """Take a transfer back, if it has not ended."""
        if self._transport is not None and self._transfers is not None:
            self._transport.write(self._transfers.take_back(seqnum))

    def close(self) -> None:
        """Hang up: the device is free for others."""
        self._lose(ConnectionResetError(errno.ENODEV, "closed"), told=True)

    def data_received(self, data: bytes) -> None:
        try:
            if self._transfers is None:
                self._take_answer(data)
            else:
                self._transfers.feed(data)
        except OSError as error:
            self._lose(error)

    def _take_answer(self, data: bytes) -> None:
        """The answer to the import; the server says nothing more by itself."""
        self._answer += data
        if len(self._answer) < wire.OPERATION_BYTES:
            return
        check_import(wire.parse_operation(bytes(self._answer[: wire.OPERATION_BYTES]), 0x0003))
        if len(self._answer) >= wire.OPERATION_BYTES + wire.DEVICE_BYTES:
            device = wire.parse_device(bytes(self._answer[wire.OPERATION_BYTES :][: wire.DEVICE_BYTES]))
            self._transfers = Transfers(device.device_id)
            self._imported.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        lost = exc if isinstance(exc, OSError) else ConnectionResetError(errno.ENODEV, os.strerror(errno.ENODEV))
        self._lose(lost)

    def _lose(self, error: OSError, *, told: bool = False) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        transport.abort()
        if not self._imported.done():
            self._imported.set_exception(error)
            self._imported.exception()  # nobody may wait for it any more
        if self._transfers is not None:
            self._transfers.fail(-(error.errno or errno.ENODEV))
        if not told:
            self.on_lost(error)


def check_import(status: int) -> None:
    """Raises OSError for an import that was not granted: EBUSY, ENODEV, EIO."""
    if status:
        code = {2: errno.EBUSY, 4: errno.ENODEV}.get(status, errno.EIO)
        raise OSError(code, wire.BROKEN.get(status, f"status {status}"))
