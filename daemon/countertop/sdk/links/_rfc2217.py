"""Bytes over an RFC 2217 port, which pyserial serves with blocking calls only."""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import serial

from countertop.sdk.links._base import LinkUrl
from countertop.sdk.links._channel import INPUT_LIMIT, Inbox
from countertop.sdk.links._translate import FOREIGN, link_fault, translating

__all__ = ["READ_TIMEOUT", "ThreadChannel"]

READ_TIMEOUT = 0.2
"""Seconds of one blocking read: so long it takes at most to notice that pyserial lost the connection."""

_PIECE = 1024


class ThreadChannel:
    """One thread reads, one writes; each hands over a piece at a time, so that a slow side holds the other."""

    def __init__(self, url: LinkUrl, port: serial.Serial) -> None:
        self._url = url
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox(url, self._resume)
        self._taken = threading.Event()
        self._stopping = False
        _hold_back(port)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="rfc2217 writer")
        self._reader = threading.Thread(target=self._read_on, name="rfc2217 reader", daemon=True)
        self._reader.start()

    async def receive(self, max_bytes: int) -> bytes:
        """As ByteLink.receive."""
        return await self._inbox.take(max_bytes)

    async def send(self, data: bytes) -> None:
        """As ByteLink.send; who is cancelled leaves the piece (1 KiB) that the writer holds."""
        for start in range(0, len(data), _PIECE):
            if self._inbox.ended:
                raise link_fault(self._url, "send", self._inbox.error)
            with translating(self._url, "send"):
                await self._loop.run_in_executor(self._writer, self._port.write, data[start : start + _PIECE])

    def discard_input(self) -> bytes:
        """As ByteLink.discard_input."""
        return self._inbox.drain()

    def stop(self) -> None:
        """Tasks that still wait get LinkFault. Safe to call twice."""
        self._stopping = True
        self._taken.set()
        self._inbox.end(None)

    def join(self) -> None:
        """Close the port and wait for both threads: blocks, call it in a worker thread after `stop`."""
        connection = getattr(self._port, "_socket", None)
        _let_go(self._port)
        with suppress(*FOREIGN):
            self._port.close()
        if connection is not None:
            connection.close()  # pyserial forgets to when the server was gone before
        self._reader.join()
        self._writer.shutdown()

    def _read_on(self) -> None:
        """The reader thread."""
        error: BaseException | None = None
        try:
            while not self._stopping:
                data = self._port.read(min(_PIECE, max(1, self._port.in_waiting)))
                if data:
                    self._taken.clear()
                    if self._stopping:
                        break
                    self._loop.call_soon_threadsafe(self._arrived, data)
                    self._taken.wait()
        except FOREIGN as lost:
            error = lost
        with suppress(RuntimeError):  # the loop may be closed by now
            self._loop.call_soon_threadsafe(self._inbox.end, error)

    def _arrived(self, data: bytes) -> None:
        self._inbox.put(data)
        self._resume()

    def _resume(self) -> None:
        if self._inbox.room > 0:
            self._taken.set()


def _hold_back(port: serial.Serial) -> None:
    """Take pyserial's hurry away, which it has no public setting for.

    Its socket gives up after 5 s of one send, though a printer without paper may hold the host for minutes; and it
    queues without bound what nobody reads.
    """
    connection, arrived = getattr(port, "_socket", None), getattr(port, "_read_buffer", None)
    if connection is not None:
        connection.settimeout(None)
    if isinstance(arrived, queue.Queue):
        arrived.maxsize = INPUT_LIMIT


def _let_go(port: serial.Serial) -> None:
    """Free pyserial's own thread from a full queue, for which its `close` would wait."""
    arrived = getattr(port, "_read_buffer", None)
    if isinstance(arrived, queue.Queue):
        with arrived.not_full:
            arrived.maxsize = sys.maxsize
            arrived.not_full.notify_all()
