"""A browser door for the fuzzer: the daemon's own parts, without devices and without a port."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from functools import cache
from pathlib import Path

import uvicorn
from uvicorn.server import ServerState

from countertop.server.access.builtin import role_table
from countertop.server.access.tokens import Token, TokenStore
from countertop.server.app import Daemon
from countertop.server.config import Config, ListenConfig, TerminalConfig
from countertop.server.doors.browser.app import MOST_HEAD, BrowserApp
from countertop.server.doors.browser.connect import ConnectApp
from countertop.server.doors.browser.rules import Rules
from countertop.server.gate import Gate

__all__ = ["ORIGIN", "TOKEN", "Door", "Wire", "close_door", "door"]

ORIGIN = b"https://teller.bank.example"
TOKEN = b"fuzz"


class _Tokens(TokenStore):
    """Knows one token, which is the same in every run."""

    def check(self, secret: str, origin: str = "") -> Token | None:
        return Token("fuzz", ("admin",), origin=origin) if secret == TOKEN.decode() else None


@cache
def door() -> Door:
    """The process's door."""
    return Door()


def close_door() -> None:
    """Close it, where it is open. A fuzzer's process has no such moment: it is gone with its last input."""
    if door.cache_info().currsize:
        door().close()
        door.cache_clear()


class Door:
    """Its event loop runs while a coroutine is carried out."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-door-")
        self._loop = asyncio.new_event_loop()
        folder = Path(self._folder.name)
        listen = ListenConfig(addresses=[f"unix:{folder}/socket"])
        self._daemon = Daemon(Config(terminal=TerminalConfig(id="fuzz", state_dir=str(folder)), listen=listen))
        self.run(self._daemon.__aenter__())
        gate = Gate(self._daemon.terminal, self._daemon._services(), role_table({}), self._daemon.terminal.audit)
        rules = Rules(["127.0.0.1"], [ORIGIN.decode()])
        self.app = BrowserApp(gate, ConnectApp(gate), rules, _Tokens(folder))
        self.state = ServerState()
        self.config = uvicorn.Config(
            self.app,  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            h11_max_incomplete_event_size=MOST_HEAD,
        )
        self.config.load()

    def run(self, work: Coroutine[object, object, object]) -> None:
        """Carry out a coroutine."""
        self._loop.run_until_complete(work)

    def close(self) -> None:
        """Stop the daemon behind it."""
        self.run(self._daemon.stop())
        self._loop.close()
        self._folder.cleanup()


class Wire(asyncio.Transport):
    """A connection that keeps what is sent."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 7480)})
        self.sent = bytearray()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Everything comes at once."""

    def resume_reading(self) -> None:
        """Everything comes at once."""
