"""The browser door on its port: uvicorn's HTTP, inside the daemon's own event loop.

`uvicorn.Server` is not used: it takes over the process's signals, looks at its clock ten times a second, and leaves
behind what it has cancelled.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from countertop.server.access.tokens import Token, TokenStore
from countertop.server.caller import Caller
from countertop.server.config import BrowserConfig
from countertop.server.doors.browser.app import MOST_HEAD, BrowserApp
from countertop.server.doors.browser.connect import ConnectApp
from countertop.server.doors.browser.connections import HEAD_SECONDS, Limits, bounded
from countertop.server.doors.browser.files import Files
from countertop.server.doors.browser.rules import Rules
from countertop.server.doors.certificates import Certificates
from countertop.server.gate import Gate

__all__ = ["BrowserDoor"]

IDLE_SECONDS = 75
"""A connection is kept for the next request."""
STOP_SECONDS = 1.0
"""In which answers that are under way may end; then they are cancelled, and have as long again."""


class BrowserDoor:
    """Pages come in here. `listen` takes the port, `start` serves."""

    def __init__(self, gate: Gate, config: BrowserConfig, tokens: TokenStore) -> None:
        self._gate = gate
        self._config = config
        self._tokens = tokens
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._state = ServerState()
        self._certificates: Certificates | None = None
        self.url = ""
        """`http://127.0.0.1:7480`: where pages find it."""

    def listen(self) -> None:
        """Take the port. Raises OSError that says why not."""
        host, _, port = self._config.address.rpartition(":")
        name = host.strip("[]")
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # said, so that asyncio sets TCP_NODELAY
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((name, int(port)))
            taken.setblocking(False)
        except OSError as error:
            taken.close()
            raise OSError(f"cannot listen on {self._config.address} for browsers: {error.strerror}") from error
        self._socket = taken
        scheme = "https" if self._config.certificate else "http"
        named = host if host.lower() in self._config.hosts else self._config.hosts[0]  # 0.0.0.0 is no name
        self.url = f"{scheme}://{named}:{taken.getsockname()[1]}"

    async def start(self) -> None:
        """Serve. Raises OSError where a certificate cannot be read."""
        assert self._socket is not None, "listen() comes first"
        files = Files("countertop.console") if self._config.console else None
        scheme = self.url.partition(":")[0]
        rules = Rules(self._config.hosts, self._config.origins, scheme=scheme, own=self._config.console)
        app: Any = BrowserApp(self._gate, ConnectApp(self._gate), rules, self._tokens, files)
        config = uvicorn.Config(
            app,
            http=bounded(Limits(self._full)),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS,
            h11_max_incomplete_event_size=MOST_HEAD,
        )
        config.load()
        if self._config.certificate:
            self._certificates = Certificates(Path(self._config.certificate), Path(self._config.key))
        self._server = await asyncio.get_running_loop().create_server(
            lambda: config.http_protocol_class(config=config, server_state=self._state, app_state={}),  # type: ignore[call-arg]
            sock=self._socket,
            ssl=self._certificates.context if self._certificates is not None else None,
            ssl_handshake_timeout=HEAD_SECONDS if self._certificates is not None else None,
        )
        if self._certificates is not None:
            self._certificates.watch()

    async def stop(self) -> None:
        """Take no more requests; what is under way may end, for a moment."""
        if self._certificates is not None:
            await self._certificates.stop()
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._state.connections):
            connection.shutdown()
        if tasks := set(self._state.tasks):
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=STOP_SECONDS)
        for connection in tuple(self._state.connections):
            connection.transport.abort()
        if self._socket is not None:
            self._socket.close()

    def _full(self, host: str, why: str) -> None:
        self._gate.audit_refusal(Caller("browser", "", host), why)

    def console_url(self) -> str:
        """The console's address with a token for its page, which ends with the daemon."""
        return f"{self.url}/#token={self.token('console', self.url)}"

    def token(self, name: str, origin: str) -> str:
        """A token of the role `admin` that ends with the daemon: for pages of an origin, or for programs, which have
        none.
        """
        return self._tokens.issue_in_memory(Token(name, ("admin",), origin=origin))
