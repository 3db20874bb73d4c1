"""Tickets: what lets `<img src>` load one camera's pictures once, since it can send no token."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from countertop.server.caller import Caller

__all__ = ["SECONDS", "Tickets"]

SECONDS = 30.0
"""A ticket's life."""
MOST = 256
"""Tickets that may be out; older ones end for new ones."""


class _Ticket(NamedTuple):
    caller: Caller
    device_id: str
    until: float


class Tickets:
    """Each is good for one request, for the device and in the name of the caller that it was given to."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._out: dict[str, _Ticket] = {}
        self._clock = clock

    def issue(self, caller: Caller, device_id: str) -> str:
        """A new one."""
        now = self._clock()
        self._out = {secret: ticket for secret, ticket in self._out.items() if ticket.until > now}
        while len(self._out) >= MOST:
            del self._out[next(iter(self._out))]
        secret = secrets.token_urlsafe(24)
        self._out[secret] = _Ticket(caller, device_id, now + SECONDS)
        return secret

    def redeem(self, secret: str, device_id: str) -> Caller | None:
        """Who it was given to; None for one that is unknown, used, too old, or of another device."""
        ticket = self._out.pop(secret, None)
        if ticket is None or ticket.device_id != device_id or ticket.until <= self._clock():
            return None
        return ticket.caller
