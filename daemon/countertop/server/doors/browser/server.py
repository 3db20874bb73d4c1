"""The browser door on its port: uvicorn, inside the daemon's own event loop.

uvicorn waits for ever for a request's head, and takes any number of connections: both are bounded here.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from countertop.server.access.tokens import Token, TokenStore
from countertop.server.config import BrowserConfig
from countertop.server.doors.browser.app import BrowserApp
from countertop.server.doors.browser.connect import ConnectApp
from countertop.server.doors.browser.files import Files
from countertop.server.doors.browser.rules import Rules
from countertop.server.doors.certificates import Certificates
from countertop.server.gate import Gate

__all__ = ["BrowserDoor"]

HEAD_SECONDS = 10.0
"""In which the head of a request must have come, from the connection's beginning or the answer before."""
IDLE_SECONDS = 75
"""A connection is kept for the next request."""
MOST_OF_ONE = 64
"""Connections from one address. A page has six; a terminal has a few pages."""
MOST = 512
"""Connections in all."""
MOST_HEAD = 32 * 1024
"""Bytes of a request's head."""
STOP_SECONDS = 2


class BrowserDoor:
    """Pages come in here. `listen` takes the port, `start` serves."""

    def __init__(self, gate: Gate, config: BrowserConfig, tokens: TokenStore) -> None:
        self._gate = gate
        self._config = config
        self._tokens = tokens
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._certificates: Certificates | None = None
        self.url = ""
        """`http://127.0.0.1:7480`: where pages find it."""

    def listen(self) -> None:
        """Take the port. Raises OSError that says why not."""
        host, _, port = self._config.address.rpartition(":")
        name = host.strip("[]")
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        taken = socket.socket(family, socket.SOCK_STREAM)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((name, int(port)))
            taken.setblocking(False)
        except OSError as error:
            taken.close()
            raise OSError(f"cannot listen on {self._config.address} for browsers: {error.strerror}") from error
        self._socket = taken
        scheme = "https" if self._config.certificate else "http"
        self.url = f"{scheme}://{host}:{taken.getsockname()[1]}"

    async def start(self) -> None:
        """Serve. Raises OSError where a certificate cannot be read."""
        assert self._socket is not None, "listen() comes first"
        scheme = self.url.partition(":")[0]
        files = Files("countertop.console") if self._config.console else None
        rules = Rules(self._config.hosts, self._config.origins, scheme=scheme, own=self._config.console)
        app: Any = BrowserApp(self._gate, ConnectApp(self._gate), rules, self._tokens, files)
        config = uvicorn.Config(
            app,
            http=_bounded(_Limits()),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
            h11_max_incomplete_event_size=MOST_HEAD,
        )
        config.load()
        if self._config.certificate:
            self._certificates = Certificates(Path(self._config.certificate), Path(self._config.key))
            config.ssl = self._certificates.context
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[self._socket])
        self._server = server
        if self._certificates is not None:
            self._certificates.watch()

    async def stop(self) -> None:
        """Take no more requests; end what is under way."""
        if self._certificates is not None:
            await self._certificates.stop()
        if self._server is not None:
            await self._server.shutdown(sockets=[])
        if self._socket is not None:
            self._socket.close()

    def console_url(self) -> str:
        """The console's address with a token for its page, which ends with the daemon."""
        token = Token("console", ("admin",), origin=self.url)
        return f"{self.url}/#token={self._tokens.issue_in_memory(token)}"


class _Limits:
    """How many connections there are, by the address that they come from."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()

    def full(self, host: str) -> bool:
        return self.of[host] >= MOST_OF_ONE or self.of.total() >= MOST


def _bounded(limits: _Limits) -> type[asyncio.Protocol]:
    """Uvicorn's protocol with our bounds."""

    class Bounded(H11Protocol):
        _host: str | None = None
        _slow: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            host = self.client[0] if self.client else ""
            if limits.full(host):
                transport.abort()
                return
            self._host = host
            limits.of[host] += 1
            self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._rest()
            if self._host is not None:
                limits.of[self._host] -= 1
                self._host = None
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            requests = self.cycle
            super().data_received(data)
            if self.cycle is not requests:
                self._rest()
            elif self._slow is None and (self.cycle is None or self.cycle.response_complete):
                self._await_head()  # a next request has begun to come

        def _await_head(self) -> None:
            self._slow = self.loop.call_later(HEAD_SECONDS, self._give_up)

        def _rest(self) -> None:
            if self._slow is not None:
                self._slow.cancel()
                self._slow = None

        def _give_up(self) -> None:
            self._slow = None
            if not self.transport.is_closing():
                self.transport.abort()

    return Bounded
