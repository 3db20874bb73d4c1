"""Bytes between a client's socket and gRPC's private one, both ways, with nothing kept but what does not fit now.

Every call goes through here, so that this works on bare sockets: one wake-up of the event loop, one read and one write
for each piece, into one buffer that all share. A transport of asyncio costs twice that.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

__all__ = ["BUFFER_BYTES", "Relay"]

BUFFER_BYTES = 256 * 1024


class Relay:
    """Passes on until both sides have ended or one has broken; then it has closed both sockets and calls `closed`.

    `buffer` may be shared by all relays of an event loop. `first` goes to `inner` before anything else. `broken_off` is
    called when `inner` has hung up while `outer` had not.
    """

    def __init__(
        self,
        outer: socket.socket,
        inner: socket.socket,
        buffer: memoryview,
        first: bytes,
        closed: Callable[[], None],
        broken_off: Callable[[], None] = lambda: None,
    ) -> None:
        self._sockets = (outer, inner)
        self._loop = asyncio.get_running_loop()
        self._closed = closed
        self._broken_off = broken_off
        self._open = True
        self._flows = (_Flow(self, outer, inner, buffer), _Flow(self, inner, outer, buffer))
        for flow in self._flows:
            flow.read()
        self._flows[0].pass_on(memoryview(first))

    def close(self) -> None:
        """Break off. Safe to call twice."""
        if not self._open:
            return
        self._open = False
        for end in self._sockets:
            self._loop.remove_reader(end)
            self._loop.remove_writer(end)
            end.close()
        self._closed()

    def broken(self, end: socket.socket) -> None:
        """A socket can be used no more."""
        if end is self._sockets[1] and not any(flow.done for flow in self._flows):
            self._broken_off()
        self.close()

    def ended(self, source: socket.socket) -> None:
        """A direction is at its end, for its source sends no more."""
        if source is self._sockets[1] and not self._flows[0].done:
            self._broken_off()
        if all(flow.done for flow in self._flows):
            self.close()


class _Flow:
    """One direction. It reads no further while its sink takes no more, so that the sender is slowed down."""

    __slots__ = ("_buffer", "_left", "_loop", "_relay", "_sink", "_source", "done")

    def __init__(self, relay: Relay, source: socket.socket, sink: socket.socket, buffer: memoryview) -> None:
        self._relay = relay
        self._loop = asyncio.get_running_loop()
        self._source, self._sink, self._buffer = source, sink, buffer
        self._left = b""
        self.done = False

    def read(self) -> None:
        """Wait for bytes from the source."""
        self._loop.add_reader(self._source, self._readable)

    def pass_on(self, piece: memoryview) -> None:
        """Send a piece; what does not fit is kept until it does, and nothing is read meanwhile."""
        try:
            sent = self._sink.send(piece)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._relay.broken(self._sink)
            return
        if sent < len(piece):
            if not self._left:
                self._loop.remove_reader(self._source)
                self._loop.add_writer(self._sink, self._writable)
            self._left = bytes(piece[sent:])
        elif self._left:
            self._left = b""
            self._loop.remove_writer(self._sink)
            self.read()

    def _readable(self) -> None:
        try:
            count = self._source.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._relay.broken(self._source)
            return
        if count:
            self.pass_on(self._buffer[:count])
        else:
            self._end()

    def _writable(self) -> None:
        self.pass_on(memoryview(self._left))

    def _end(self) -> None:
        """The source sends no more, though it may still listen."""
        self.done = True
        self._loop.remove_reader(self._source)
        try:
            self._sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._relay.close()
            return
        self._relay.ended(self._source)
