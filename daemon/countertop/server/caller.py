"""Who makes the call that is being served: a door finds out, the gate decides by it, the audit writes it down."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["CALLER", "CALLER_KEY", "INSIDE", "Caller", "Door"]

CALLER_KEY = "countertop-client"
"""Metadata in which a client names itself, at most 64 characters; without it, the connection counts."""

Door = Literal["unix", "loopback", "tls", "browser", "inside"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever calls, as the door proved it; never customer data."""

    door: Door
    """By which way the call came."""
    identity: str
    """Who it is, as far as the door can prove it: `uid=1000`, `token till-3`, `spiffe://bank.example/role/teller`,
    `https://teller.bank.example token till-3`. Empty for somebody unknown."""
    peer: str = ""
    """Where it calls from: `pid=4711`, `127.0.0.1:40312`."""
    roles: frozenset[str] = frozenset()
    """The names of its roles; without any it may do nothing."""
    name: str = ""
    """As the client names itself; nobody proved it."""
    stands: Callable[[], bool] = field(default=lambda: True, repr=False, compare=False)
    """What proved it is worth something still: False once a token or certificate is revoked, or a token has expired."""

    @property
    def client(self) -> str:
        """What counts as one client where calls are counted: more connections give nobody more of them."""
        place = self.peer.rpartition(":")[0] if self.door in ("loopback", "tls") else self.peer
        return f"{self.door} {self.identity} {place}"

    @property
    def turn(self) -> str:
        """What counts as one client where clients take turns: a name counts only beside the proven identity."""
        return f"{self.identity} {self.name or self.peer}"


INSIDE = Caller(door="inside", identity="daemon")
"""The daemon itself."""

CALLER: ContextVar[Caller] = ContextVar("countertop caller", default=INSIDE)
