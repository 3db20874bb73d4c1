"""Accepts every connection to the native doors and passes it on to gRPC's private sockets.

gRPC tells a service nothing about who called on a unix socket, takes no inherited sockets, and waits for whoever
connects. So the daemon accepts by itself: it asks the kernel who is there, counts the connections of each client, waits
for the first bytes for a few seconds only, and then relays. gRPC sees the relay's socket; that has a name of its own,
by which the client is found again: `context.peer()` returns it. A name says nothing in itself, and is known only while
its connection is open, so that nobody gains anything by inventing one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import resource
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from countertop.server.doors.peers import TOO_MANY, Peer, peer_of
from countertop.server.doors.private import PrivateSocket
from countertop.server.doors.relay import BUFFER_BYTES, Relay

__all__ = ["Limits", "Listener"]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""With which every HTTP/2 connection begins (RFC 9113, 3.4)."""
HELLO = b"\x16\x03"
"""With which every TLS connection begins: a handshake record (RFC 8446, 5.1)."""
ACCEPTED_AT_ONCE = 16
PAUSE_SECONDS = 0.5
"""How long nobody is accepted when the process has no descriptors left."""
_DESCRIPTORS = 3
"""Of one connection: the client's, the relay's, gRPC's."""
_KEPT_BACK = 256
"""Descriptors for everything else."""
_TELL_EVERY = 10.0

# why somebody is hung up on, in the audit's words
FOREIGN = "no HTTP/2"
SILENT = "no HTTP/2 in time"
NO_TLS = "no TLS with a certificate that is trusted here, or no call after it"
BROKEN = "broken HTTP/2, or pings without an answer"

log = logging.getLogger("countertop.doors")


def _affordable() -> int:
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return 512
    return max(16, min(512, (soft - _KEPT_BACK) // _DESCRIPTORS))


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may take of connections."""

    total: int = field(default_factory=_affordable)
    of_one_client: int = 64
    """A user on a unix socket, an address on TCP, of IPv6 a network of 64 bits."""
    hello_seconds: float = 5.0
    """How long a client may take to say that it speaks HTTP/2, or TLS."""


class _Connection:
    """One client: first silent, then relayed."""

    def __init__(self, listener: Listener, accepted: socket.socket, peer: Peer, inner: PrivateSocket) -> None:
        self.peer = peer
        self._listener = listener
        self._accepted = accepted
        self._inner = inner
        self._wanted = HELLO if inner.tls else PREFACE
        self._hello = b""
        self._relay: Relay | None = None
        self.name = ""
        loop = asyncio.get_running_loop()
        loop.add_reader(accepted, self._readable)
        self._timer = loop.call_later(listener.limits.hello_seconds, self._turn_away, SILENT)

    def close(self) -> None:
        """Hang up. Safe to call twice."""
        if self._relay is not None:
            self._relay.close()
        elif self._accepted.fileno() != -1:
            self._timer.cancel()
            asyncio.get_running_loop().remove_reader(self._accepted)
            self._accepted.close()
            self._listener.gone(self)

    def _readable(self) -> None:
        try:
            piece = self._accepted.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            piece = b""
        self._hello += piece
        length = min(len(self._hello), len(self._wanted))
        if not piece:
            self.close()
        elif self._hello[:length] != self._wanted[:length]:
            self._turn_away(FOREIGN)
        elif length == len(self._wanted):
            self._pass_on()

    def _turn_away(self, why: str) -> None:
        self._listener.refused(self.peer, why)
        self.close()

    def _broken_off(self) -> None:
        """By gRPC, which does not say why."""
        if self._listener.accepting:
            stranger = self.peer.door == "tls" and not self.peer.proven
            self._listener.refused(self.peer, NO_TLS if stranger else BROKEN)

    def _pass_on(self) -> None:
        try:
            inner, self.name = self._inner.connect()
        except OSError as error:
            log.warning("a connection is refused: gRPC's private socket cannot be reached (%s)", error.strerror)
            self.close()
            return
        loop = asyncio.get_running_loop()
        self._timer.cancel()
        loop.remove_reader(self._accepted)
        self._listener.known(self)
        self._relay = Relay(
            self._accepted,
            inner,
            self._listener.buffer,
            self._hello,
            lambda: self._listener.gone(self),
            self._broken_off,
        )
        self._hello = b""


class Listener:
    """Accepts on listening sockets that it is given, which it owns from then on. `refused` is told of who was turned
    away or hung up on, and why.
    """

    def __init__(
        self, limits: Limits | None = None, refused: Callable[[Peer, str], None] = lambda peer, why: None
    ) -> None:
        self.limits = limits or Limits()
        self.refused = refused
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self._listening: dict[socket.socket, PrivateSocket] = {}
        self._open: dict[_Connection, None] = {}
        self._of_client: Counter[str] = Counter()
        self._named: dict[str, _Connection] = {}
        self._all_gone = asyncio.Event()
        self._all_gone.set()
        self._turned_away = 0
        self._told = -_TELL_EVERY

    def peer(self, name: str) -> Peer | None:
        """The client whose connection gRPC calls by this name; None for a name that none has now."""
        connection = self._named.get(name)
        return connection.peer if connection is not None else None

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def accepting(self) -> bool:
        """Clients are let in."""
        return bool(self._listening)

    def accept_on(self, listening: socket.socket, inner: PrivateSocket) -> None:
        """Accept clients of a socket that listens without blocking, and pass them on to `inner`."""
        self._listening[listening] = inner
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def stop_accepting(self) -> None:
        """Take no more clients; those who are there stay. The sockets are closed."""
        loop = asyncio.get_running_loop()
        for listening in self._listening:
            loop.remove_reader(listening)
            listening.close()
        self._listening.clear()

    async def close(self, patience: float) -> None:
        """Let clients read what was sent to them, for `patience` seconds; then hang up on all."""
        self.stop_accepting()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._all_gone.wait()
        for connection in list(self._open):
            connection.close()

    def known(self, connection: _Connection) -> None:
        """GRPC will call it by its name."""
        self._named[connection.name] = connection

    def gone(self, connection: _Connection) -> None:
        """It has ended."""
        self._named.pop(connection.name, None)
        if self._open.pop(connection, 0) is None:
            client = connection.peer.client
            self._of_client[client] -= 1
            if not self._of_client[client]:
                del self._of_client[client]
        if not self._open:
            self._all_gone.set()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                self._pause(listening, error)
                return
            self._admit(accepted, self._listening[listening])

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        """The kernel would say at once again that somebody waits."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        log.error("nobody is accepted for %g s: %s", PAUSE_SECONDS, error.strerror)

        def again() -> None:
            if listening in self._listening:
                loop.add_reader(listening, self._accept, listening)

        loop.call_later(PAUSE_SECONDS, again)

    def _admit(self, accepted: socket.socket, inner: PrivateSocket) -> None:
        accepted.setblocking(False)
        try:
            peer = peer_of(accepted, tls=inner.tls)
            if accepted.family != socket.AF_UNIX:
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            accepted.close()
            return
        if self._is_full(peer) and not self._make_room(peer):
            # without a word: a client of gRPC tries again later, but at once where it was told to go away (GOAWAY)
            accepted.close()
            self.refused(peer, TOO_MANY)
            self._tell(peer)
            return
        self._open[_Connection(self, accepted, peer, inner)] = None
        self._of_client[peer.client] += 1
        self._all_gone.clear()

    def _is_full(self, peer: Peer) -> bool:
        return len(self._open) >= self.limits.total or self._of_client[peer.client] >= self.limits.of_one_client

    def _make_room(self, peer: Peer) -> bool:
        """Who has not proven who it is goes before somebody new is turned away: the one that is there longest."""
        own = self._of_client[peer.client] >= self.limits.of_one_client
        for connection in self._open:
            if not connection.peer.proven and (connection.peer.client == peer.client or not own):
                self.refused(connection.peer, TOO_MANY)
                connection.close()
                return True
        return False

    def _tell(self, peer: Peer) -> None:
        self._turned_away += 1
        now = asyncio.get_running_loop().time()
        if now - self._told >= _TELL_EVERY:
            log.warning("too many connections: %d turned away, the last one of %s", self._turned_away, peer.client)
            self._told, self._turned_away = now, 0
