"""The links that emulated devices are served on: a pty in place of a serial port, and TCP.

Reading is real back-pressure: while it is paused nothing is taken from the kernel, and the client's writes block.
Writing never blocks the device: what the client does not read waits in a buffer of `output_limit` bytes, and what
does not fit is dropped and counted in `dropped_bytes`, as on a line without flow control. A device that would rather
stall looks at `output_room` first.
"""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import socket
import struct
import tempfile
import termios
import tty
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from countertop.emulators.core.ports import Address, address_of, bound
from countertop.emulators.core.stream import READ_SIZE, Stream

__all__ = ["READ_SIZE", "Bus", "Peer", "PtyBus", "TcpBus"]


class Peer(Protocol):
    """The device's side of a link. No method may raise."""

    def connected(self, write: Callable[[bytes], None]) -> None:
        """The link is up; `write` sends to the client, and does nothing once the link is down."""

    def received(self, data: bytes) -> None:
        """The client sent 1 to READ_SIZE bytes. After `pause_reading` no more come."""

    def disconnected(self) -> None:
        """The link is down."""


class Bus(ABC):
    """A link that a device is served on. All methods belong to the event loop in which `start` was called."""

    def __init__(self, peer: Peer, output_limit: int = 65536) -> None:
        self.peer = peer
        self.output_limit = output_limit
        self.dropped_bytes = 0
        """Bytes that the device wrote and nobody ever read, because the buffer was full."""
        self._stream: Stream | None = None
        self._paused = False
        self._plugged = False

    @property
    @abstractmethod
    def link_url(self) -> str:
        """Where a driver reaches the device; the same until `close`. Raises RuntimeError before `start`."""

    @property
    def plugged(self) -> bool:
        """Clients can reach the device."""
        return self._plugged

    @property
    def output_room(self) -> int:
        """Bytes that the device can write now without losing any; 0 while nobody is connected."""
        return 0 if self._stream is None else self.output_limit - self._stream.waiting

    def room_for(self, size: int) -> int:
        """How many messages of `size` bytes the device can send now without losing any. On a line that is cut each is
        lost at once, so there is always room for one.
        """
        return self.output_room // size if self._plugged else 1

    @abstractmethod
    async def start(self) -> None:
        """Open the link. Raises OSError or ValueError when it cannot be had."""

    async def close(self) -> None:
        """Unplug and free everything. Safe to call twice."""
        self.unplug()

    def pause_reading(self) -> None:
        """Take in nothing until `resume_reading`; the client's writes block once the kernel's buffers are full."""
        self._paused = True
        if self._stream is not None:
            self._stream.set_reading(False)

    def resume_reading(self) -> None:
        """Take in bytes again."""
        self._paused = False
        if self._stream is not None:
            self._stream.set_reading(True)

    @abstractmethod
    def unplug(self) -> None:
        """Break the link; nobody can connect until `replug`. Unread output is lost. Safe to call twice."""

    @abstractmethod
    def replug(self) -> None:
        """Bring the link back where it was. Raises OSError when its place is taken by now."""

    def _attach(self, fd: int, on_end: Callable[[], None]) -> None:
        stream = self._stream = Stream(fd, self.peer.received, on_end, self._dropped, self.output_limit)
        stream.set_reading(not self._paused)
        self.peer.connected(stream.write)

    def _dropped(self, count: int) -> None:
        self.dropped_bytes += count

    def _detach(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            self.peer.disconnected()


class PtyBus(Bus):
    """A pty that clients open as a serial port, through a symlink that keeps its name over `replug`.

    The slave side is held open here, so clients come and go unnoticed, as on a serial cable: the device is connected
    from `start` or `replug` to `unplug`. Without `path` the symlink lies in a private folder. A link left over by an
    earlier run is replaced; anything else at `path` makes `start` raise ValueError.
    """

    def __init__(self, peer: Peer, path: str | Path | None = None, baud: int = 115200, output_limit: int = 65536):
        super().__init__(peer, output_limit)
        self._wanted = None if path is None else Path(path).absolute()
        self._path: Path | None = None
        self._private: Path | None = None
        self._baud = baud
        self._fds: tuple[int, int] | None = None

    @property
    def path(self) -> Path:
        """The stable name of the port. Raises RuntimeError before `start`."""
        if self._path is None:
            raise RuntimeError("the bus was not started")
        return self._path

    @property
    def link_url(self) -> str:
        """`serial:///path?baud=115200`."""
        return f"serial://{quote(str(self.path))}?baud={self._baud}"

    @property
    def client_baud(self) -> int:
        """The rate that the client has set, bit/s; 0 while unplugged and for rates that termios has no name for."""
        if self._fds is None:
            return 0
        return _BAUDS.get(termios.tcgetattr(self._fds[1])[5], 0)

    async def start(self) -> None:
        """Open the pty and publish it."""
        if self._wanted is None:
            self._private = Path(tempfile.mkdtemp(prefix="countertop-"))
            self._path = self._private / "port"
        else:
            self._path = self._wanted
        try:
            self.replug()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Unplug, and remove the private folder."""
        await super().close()
        if self._private is not None:
            shutil.rmtree(self._private, ignore_errors=True)
            self._private = None

    def unplug(self) -> None:
        """The name vanishes; whoever has the port open reads the end of file, and gets EIO on writing."""
        self._plugged = False
        fds, self._fds = self._fds, None
        if fds is None:
            return
        self._withdraw(os.ttyname(fds[1]))
        self._detach()
        for fd in fds:
            os.close(fd)

    def replug(self) -> None:
        """A new pty appears under the same name. Raises ValueError when the name is taken."""
        if self._plugged:
            return
        self._check_free()
        master, slave = pty.openpty()
        try:
            tty.setraw(slave)
            self._set_rate(slave)
            self._publish(os.ttyname(slave))
        except BaseException:
            os.close(master)
            os.close(slave)
            raise
        self._fds = (master, slave)
        self._plugged = True
        self._attach(master, lambda: None)

    def _set_rate(self, slave: int) -> None:
        rate = getattr(termios, f"B{self._baud}", None)
        if rate is not None:
            attributes = termios.tcgetattr(slave)
            attributes[4] = attributes[5] = rate
            termios.tcsetattr(slave, termios.TCSANOW, attributes)

    def _check_free(self) -> None:
        left_over = self.path.is_symlink() and str(self.path.readlink()).startswith("/dev/pts/")
        if not left_over and os.path.lexists(self.path):
            raise ValueError(f"expected a free name or an old link to a pty, but {self.path} is something else")

    def _publish(self, target: str) -> None:
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(self.path)

    def _withdraw(self, target: str) -> None:
        if self.path.is_symlink() and str(self.path.readlink()) == target:
            self.path.unlink()


_BAUDS = {
    getattr(termios, name): int(name[1:]) for name in dir(termios) if name.startswith("B") and name[1:].isdecimal()
}


class TcpBus(Bus):
    """A TCP port that serves one client at a time.

    The first connection is the active one. Up to `extra_connections` more are accepted but not read until it closes
    (an Epson UB-E02 takes 3 in all and prints only the first); any beyond are reset at once. A client
    that ends its side is hung up on, whatever it has not read by then. `receive_buffer` bounds
    what the kernel takes in while the device does not read; 0 leaves it to the kernel.
    """

    def __init__(
        self,
        peer: Peer,
        host: str = "127.0.0.1",
        port: int = 0,
        extra_connections: int = 2,
        output_limit: int = 65536,
        receive_buffer: int = 0,
    ) -> None:
        super().__init__(peer, output_limit)
        self._host = host
        self._port = port
        self._extra = extra_connections
        self._receive_buffer = receive_buffer
        self._address: Address | None = None
        self._listener: socket.socket | None = None
        self._clients: list[socket.socket] = []

    @property
    def port(self) -> int:
        """The port, known after `start`."""
        return self._port

    @property
    def link_url(self) -> str:
        """`tcp://host:port`; loopback when all interfaces are served."""
        if self._address is None:
            raise RuntimeError("the bus was not started")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)
        return f"tcp://[{host}]:{self._port}" if ":" in host else f"tcp://{host}:{self._port}"

    @property
    def connections(self) -> int:
        """Connections that are open: the active one and those that wait."""
        return len(self._clients)

    async def start(self) -> None:
        """Bind and listen. Raises OSError when the address is taken or not ours."""
        self._address = await address_of(self._host, self._port)
        self._listener = self._bound()
        self.replug()

    async def close(self) -> None:
        """Unplug, and give the port back."""
        await super().close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def unplug(self) -> None:
        """Every connection is reset, and new ones are refused. The port stays ours: it is bound, and nobody listens."""
        if not self._plugged:
            return
        self._plugged = False
        assert self._listener is not None
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._listener = self._bound()
        clients, self._clients = self._clients, []
        self._detach()
        for client in clients:
            _reset(client)

    def replug(self) -> None:
        """Listen on the same port again."""
        if self._plugged or self._listener is None:
            return
        self._listener.listen(8)
        self._plugged = True
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _bound(self) -> socket.socket:
        assert self._address is not None
        held = bound(self._address, self._port, receive_buffer=self._receive_buffer)
        self._port = held.getsockname()[1]
        return held

    def drop_client(self) -> None:
        """Reset the active connection only; the next in line becomes active."""
        if self._clients:
            self._end_active(_reset)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            client, _ = self._listener.accept()
        except OSError:  # gone again before it was accepted
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._forget_dead()
        if len(self._clients) > self._extra:
            _reset(client)
            return
        self._clients.append(client)
        if len(self._clients) == 1:
            self._serve()

    def _serve(self) -> None:
        self._attach(self._clients[0].fileno(), lambda: self._end_active(socket.socket.close))

    def _end_active(self, close: Callable[[socket.socket], None]) -> None:
        client = self._clients.pop(0)
        self._detach()
        close(client)
        if self._clients and self._plugged and self._stream is None:
            self._serve()

    def _forget_dead(self) -> None:
        for client in self._clients[1:]:
            try:
                gone = client.recv(1, socket.MSG_PEEK) == b""
            except BlockingIOError:
                gone = False
            except OSError:
                gone = True
            if gone:
                self._clients.remove(client)
                client.close()


def _reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
