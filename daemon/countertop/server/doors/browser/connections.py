"""The browser door's connections: uvicorn's, with bounds on what one client may hold.

uvicorn takes any number of connections, waits for ever for the rest of a request and for a client that does not read.
Who does that is hung up on here; nobody else notices.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from countertop.server.doors.peers import TOO_MANY, one_client

__all__ = ["HEAD_SECONDS", "MOST", "MOST_OF_ONE", "READ_SECONDS", "REQUEST_SECONDS", "Limits", "bounded"]

HEAD_SECONDS = 10.0
"""In which the head of a request must have come, from its first byte or the connection's beginning."""
REQUEST_SECONDS = 20.0
"""In which the body must have come whole, from the end of its head."""
READ_SECONDS = 20.0
"""For which a client may leave what was sent to it unread, once the buffers are full."""
MOST_OF_ONE = 64
"""Connections from one address. A page has six; a terminal has a few pages."""
MOST = 512
"""Connections in all."""
_FULL = "There are too many connections already; close some."
_BROKEN = "This is no HTTP/1.1 request."
_LATE = {"head": "a request's head that did not come in time", "body": "a request's body that did not come in time"}
_UNREAD = "answers that were not read in time"

_silent = logging.getLogger("countertop.doors.wire")
_silent.setLevel(logging.CRITICAL + 1)  # uvicorn's own lines: one for each bad request, and tracebacks with their texts


class Limits:
    """The connections, by where they come from. `refused` is told of a host that is turned away or hung up on, and
    why.
    """

    def __init__(self, refused: Callable[[str, str], None] = lambda host, why: None) -> None:
        self._of: dict[str, dict[_Bounded, None]] = {}
        self.refused = refused

    def enter(self, host: str, connection: _Bounded) -> bool:
        """Count a connection; False when there is no room. Who has no request under way makes room, the oldest first:
        nobody keeps others out by holding connections.
        """
        of = self._of.setdefault(one_client(host), {})
        full = of if len(of) >= MOST_OF_ONE else [item for group in self._of.values() for item in group]
        if len(of) >= MOST_OF_ONE or len(full) >= MOST:
            idle = next((item for item in full if item.idle), None)
            self.refused(host if idle is None else idle.host, TOO_MANY)
            if idle is None:
                return False
            idle.transport.abort()
            self.leave(idle)
        self._of.setdefault(one_client(host), of)[connection] = None
        return True

    def leave(self, connection: _Bounded) -> None:
        """A connection has ended. Safe to call twice."""
        for place, of in self._of.items():
            if connection in of:
                del of[connection]
                if not of:
                    del self._of[place]
                return

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))


class _Bounded(H11Protocol):
    """One connection."""

    limits: Limits

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _silent
        self._in = False
        self._due: asyncio.TimerHandle | None = None
        self._awaits = ""
        self._unread: asyncio.TimerHandle | None = None

    @property
    def host(self) -> str:
        """Where it comes from."""
        return self.client[0] if self.client else ""

    @property
    def idle(self) -> bool:
        """No request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._in = self.limits.enter(self.host, self)
        if not self._in:
            transport.write(_whole(503, b"Service Unavailable", "resource_exhausted", _FULL))
            transport.close()
            return
        if (sock := transport.get_extra_info("socket")) is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            # a connection that is closed with something unread left stays with the kernel no longer than that
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_SECONDS * 1000))
        self._wait("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait("")
        self.resume_writing()
        self.limits.leave(self)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        if self._in:
            super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY:
            self._wait("body")
        else:  # between requests, what has begun to come is a head
            self._wait("head" if theirs is h11.IDLE and self.conn.trailing_data[0] else "")

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP. It is told where nothing has been said yet; a running request ends."""
        self.limits.refused(self.host, "no HTTP/1.1")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(_whole(400, b"Bad Request", "invalid_argument", _BROKEN))
            self.transport.close()
        else:
            self.transport.abort()

    def shutdown(self) -> None:
        """The door closes: at once between requests, else after the answer."""
        if self.idle:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(READ_SECONDS, self._hang_up, _UNREAD)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _unsupported_upgrade_warning(self) -> None:
        """A page that asks for a WebSocket gets what it would get without."""

    def _wait(self, awaits: str) -> None:
        """Hang up unless the head or the body of a request comes in time; nothing is awaited with an empty word."""
        if awaits == self._awaits:
            return
        self._awaits = awaits
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if awaits:
            seconds = HEAD_SECONDS if awaits == "head" else REQUEST_SECONDS
            self._due = self.loop.call_later(seconds, self._hang_up, _LATE[awaits])

    def _hang_up(self, why: str) -> None:
        """Who has not begun to say anything keeps nothing from anybody: browsers connect in advance."""
        if self._awaits != "head" or self.conn.trailing_data[0]:
            self.limits.refused(self.host, why)
        self.transport.abort()


def bounded(limits: Limits) -> type[asyncio.Protocol]:
    """A class of connections that share their limits, for `uvicorn.Config`."""
    return type("Bounded", (_Bounded,), {"limits": limits})


def _whole(status: int, phrase: bytes, code: str, sentence: str) -> bytes:
    body = json.dumps({"code": code, "message": sentence}).encode()
    head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return head % (status, phrase, len(body)) + body
