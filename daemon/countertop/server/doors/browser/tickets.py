"""Tickets: what lets `<img src>` load one camera's pictures once, since it can send no token."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from countertop.server.caller import Caller

__all__ = ["SECONDS", "Ticket", "Tickets"]

SECONDS = 30.0
"""A ticket's life."""
MOST = 256
"""Tickets that may be out; older ones end for new ones."""


class Ticket(NamedTuple):
    """What was given to whom."""

    caller: Caller
    device_id: str
    claim_token: str
    """Under which it may look, where the camera is claimed; empty for none."""
    until: float


class Tickets:
    """Each is good for one request, for the device and in the name of the caller that it was given to."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._out: dict[str, Ticket] = {}
        self._clock = clock

    def issue(self, caller: Caller, device_id: str, claim_token: str = "") -> str:
        """A new one."""
        now = self._clock()
        self._out = {secret: ticket for secret, ticket in self._out.items() if ticket.until > now}
        while len(self._out) >= MOST:
            del self._out[next(iter(self._out))]
        secret = secrets.token_urlsafe(24)
        self._out[secret] = Ticket(caller, device_id, claim_token, now + SECONDS)
        return secret

    def redeem(self, secret: str, device_id: str) -> Ticket | None:
        """What was given out under it; None for one that is unknown, used, too old, or of another device."""
        ticket = self._out.pop(secret, None)
        if ticket is None or ticket.device_id != device_id or ticket.until <= self._clock():
            return None
        return ticket
