"""Those who have a node open: the socket on which umockdev's preload library asks."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from pathlib import Path

from countertop.emulators.core.v4l2.answers import Answer, Endpoint
from countertop.emulators.core.v4l2.structs import IOCTLS, Ioctl
from countertop.emulators.core.v4l2.wire import (
    Conversation,
    Event,
    IoctlRequest,
    Memory,
    ReadRequest,
    WireError,
    WriteRequest,
)

__all__ = ["Listener", "Peer"]

_LOWEST_ADDRESS = 0x1000  # nothing is mapped below: a bad pointer is EFAULT instead of the client's end


class Listener:
    """Hears those who open a node. All methods belong to the event loop that runs when it is made.

    Raises OSError when the socket cannot be made.
    """

    def __init__(self, path: Path, endpoint: Endpoint) -> None:
        self._path = path
        self._endpoint = endpoint
        self._peers: set[Peer] = set()
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind(str(path))
            self._socket.listen(64)
        except OSError:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket, self._accept_all)

    @property
    def peers(self) -> int:
        """How many files are open."""
        return len(self._peers)

    def stop(self) -> None:
        """Nobody can open the node any more. Those who have it open keep it. Safe to call twice."""
        if self._socket.fileno() < 0:
            return
        self._path.unlink(missing_ok=True)
        self._accept_all()  # a client whose connection is refused ends itself
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def close(self) -> None:
        """Hang up on everybody: their next ioctl ends their process, which is how the library is made."""
        self.stop()
        for peer in list(self._peers):
            peer.close()

    def _accept_all(self) -> None:
        while True:
            try:
                accepted, _ = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            accepted.setblocking(False)
            self._peers.add(Peer(accepted, self._endpoint, self._peers.discard))


class Peer:
    """One open file of a node, as `answers.Opener`."""

    def __init__(self, connection: socket.socket, endpoint: Endpoint, ended: Callable[[Peer], None]) -> None:
        self._socket = connection
        self._endpoint = endpoint
        self._ended = ended
        self._conversation = Conversation()
        self._open = True
        self._pending: IoctlRequest | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(connection, self._readable)
        endpoint.opened(self)

    def answer(self, answer: Answer) -> None:
        """End the ioctl that waits. Ignored when the client is gone."""
        if not self._open:
            return
        request, self._pending = self._pending, None
        assert request is not None
        order = b""
        if answer.data and IOCTLS[request.number].gives:
            order = self._conversation.write_memory(request.argument, answer.data)
        self._send(order + self._conversation.done(-1 if answer.errno else 0, answer.errno))

    def close(self) -> None:
        """Hang up. Safe to call twice."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._endpoint.closed(self)
            self._ended(self)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self.close()
            return
        try:
            for event in self._conversation.feed(data):
                self._take(event)
                if not self._open:
                    return
        except WireError:
            self.close()

    def _take(self, event: Event) -> None:
        if isinstance(event, IoctlRequest):
            ioctl = IOCTLS.get(event.number)
            self._pending = event
            if ioctl is None:
                self.answer(Answer(self._endpoint.unknown()))
            elif event.argument < _LOWEST_ADDRESS:
                self.answer(Answer(errno.EFAULT))
            elif ioctl.takes:
                self._send(self._conversation.read_memory(event.argument, ioctl.layout.size))
            else:
                self._call(ioctl, bytes(ioctl.layout.size))
        elif isinstance(event, Memory):
            assert self._pending is not None
            self._call(IOCTLS[self._pending.number], event.data)
        elif isinstance(event, ReadRequest | WriteRequest):
            self._send(self._conversation.done(-1, errno.EINVAL))  # no node here has READWRITE

    def _call(self, ioctl: Ioctl, data: bytes) -> None:
        answer = self._endpoint.call(self, ioctl, data)
        if answer is not None:
            self.answer(answer)

    def _send(self, data: bytes) -> None:
        try:
            sent = self._socket.send(data)
        except OSError:
            sent = 0
        if sent < len(data):  # it went, or it breaks the protocol: it waits for each answer, so there is room for one
            self.close()
