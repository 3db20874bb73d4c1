"""The printer's own maintenance counters (GS g 2), as they are between two prints."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.session import Session
from countertop.drivers.escpos.status import StatusBoard
from countertop.sdk.errors import NoAnswer

__all__ = ["CounterBook", "Counters"]


@dataclass(frozen=True, slots=True)
class Counters:
    """The printer's own counters; -1 where it does not tell them."""

    cuts: int = -1
    lines: int = -1


class CounterBook:
    """Reads the counters and remembers them. `told`: the printer is believed to know GS g 2."""

    def __init__(self, session: Session, board: StatusBoard, seconds: float, *, told: bool):
        self._session = session
        self._board = board
        self._seconds = seconds
        self._told = told
        self.now: Counters | None = None
        """What was read last; None before that, and once it no longer counts."""

    def forget(self) -> None:
        """Something was printed since."""
        self.now = None

    async def read(self) -> None:
        """Ask for the counters unless they are known. Raises LinkFault."""
        if self._told and self.now is None and not self._board.blocking():
            self.now = await self._read()
            self._told = self.now != Counters()  # it does not know GS g 2 after all: not asked again

    async def refresh_cuts(self) -> None:
        """Ask for the cut counter again: a self test or another host may have cut since, and that cut would be taken
        for the receipt's. Raises LinkFault.
        """
        before = self.now
        if not self._told or before is None:
            return
        self.now = None  # also when this is cancelled
        with contextlib.suppress(NoAnswer):
            cuts = await self._session.counter(protocol.COUNTER_CUTS, self._seconds)
            self.now = replace(before, cuts=cuts)

    async def _read(self) -> Counters:
        try:
            cuts = await self._session.counter(protocol.COUNTER_CUTS, self._seconds)
            return Counters(cuts, await self._session.counter(protocol.COUNTER_LINES, self._seconds))
        except NoAnswer:
            return Counters()
