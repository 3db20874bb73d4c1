"""What serial ports and sockets have in common: a non-blocking file descriptor on the event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from countertop.sdk.links._base import LinkUrl
from countertop.sdk.links._translate import link_fault

__all__ = ["FdChannel", "Inbox"]

INPUT_LIMIT = 65536
"""Bytes that are kept for a receiver that does not come; then the operating system's buffers fill."""

_MOST_READS = 16  # of one discard_input: a device that never stops sending must not hold the loop


class Inbox:
    """A bounded buffer between what arrives and the one task that receives."""

    def __init__(self, url: LinkUrl, on_room: Callable[[], None]) -> None:
        self.url = url
        self.ended = False
        self.error: BaseException | None = None
        self._on_room = on_room
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None

    @property
    def room(self) -> int:
        """Bytes that still fit."""
        return INPUT_LIMIT - len(self._buffer)

    def put(self, data: bytes) -> None:
        """Add what arrived."""
        self._buffer += data
        self._wake()

    def end(self, error: BaseException | None) -> None:
        """Nothing more will arrive: the first call's error is told to the receiver after the last byte."""
        if not self.ended:
            self.ended, self.error = True, error
        self._wake()

    def drain(self) -> bytes:
        """Take all there is."""
        data = bytes(self._buffer)
        self._buffer.clear()
        self._on_room()
        return data

    async def take(self, max_bytes: int) -> bytes:
        """Wait for 1 to `max_bytes` bytes. Raises LinkFault(LINK_LOST) after the end."""
        while not self._buffer:
            if self.ended:
                raise link_fault(self.url, "receive", self.error)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        # No await from here on: who is cancelled above leaves every byte in the buffer.
        data = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        self._on_room()
        return data

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class FdChannel:
    """Bytes over a non-blocking descriptor, which stays the caller's. Nothing is buffered on the way out, so that
    `send` waits as long as the descriptor takes nothing (XOFF, a full buffer, a closed window).
    """

    def __init__(self, url: LinkUrl, fd: int) -> None:
        self._url = url
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(url, self._resume)
        self._writable: asyncio.Future[None] | None = None
        self._reading = False
        self._resume()

    async def receive(self, max_bytes: int) -> bytes:
        """As ByteLink.receive."""
        return await self._inbox.take(max_bytes)

    async def send(self, data: bytes) -> None:
        """As ByteLink.send."""
        rest = memoryview(data)
        while rest:
            if self._inbox.ended:
                raise link_fault(self._url, "send", self._inbox.error)
            try:
                rest = rest[os.write(self._fd, rest) :]
            except (BlockingIOError, InterruptedError):
                await self._until_writable()
            except OSError as error:
                self._end(error)
                raise link_fault(self._url, "send", error) from error

    def discard_input(self) -> bytes:
        """As ByteLink.discard_input."""
        data = self._inbox.drain()
        for _ in range(_MOST_READS):
            if self._inbox.ended or not self._read():
                break
            data += self._inbox.drain()
        return data

    def stop(self) -> None:
        """Leave the event loop; tasks that still wait get LinkFault. Safe to call twice."""
        self._end(None)

    def _read(self) -> int:
        try:
            data = os.read(self._fd, self._inbox.room)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._end(error)
            return 0
        if not data:
            self._end(None)
            return 0
        self._inbox.put(data)
        if not self._inbox.room:
            self._loop.remove_reader(self._fd)
            self._reading = False
        return len(data)

    def _resume(self) -> None:
        if not self._reading and not self._inbox.ended and self._inbox.room:
            self._loop.add_reader(self._fd, self._read)
            self._reading = True

    async def _until_writable(self) -> None:
        self._writable = self._loop.create_future()
        self._loop.add_writer(self._fd, self._wake_sender)
        try:
            await self._writable
        finally:
            self._writable = None
            if not self._inbox.ended:
                self._loop.remove_writer(self._fd)

    def _wake_sender(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def _end(self, error: BaseException | None) -> None:
        if not self._inbox.ended:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        self._inbox.end(error)
        self._wake_sender()
