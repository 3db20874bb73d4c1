"""A job: bitmaps that wait, sides, ribbon, and the head.

Each bitmap starts the printing of the one before it; the end of the sequence prints the last (programming guide).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from countertop.emulators.core.cards.card import Card
from countertop.emulators.core.cards.picture import Side
from countertop.emulators.core.cards.ribbon import Ribbon

__all__ = ["PANEL_SECONDS", "Job", "PrintError"]

PANEL_SECONDS = {"y": 3.0, "m": 3.0, "c": 3.0, "k": 2.0, "o": 2.5, "s": 2.0}
"""How long the head takes for a panel."""
SECOND_BLACK = "ymckok"
"""A ribbon with a black panel for the back: both sides use one set."""


class PrintError(Exception):
    """The head or the ribbon does not do it; its text is the answer."""


@dataclass(slots=True)
class Pending:
    """A bitmap that was taken in."""

    panel: str
    plane: Any
    """(648, 1016): densities of 0 to 255 for dyes, booleans for the rest."""


class Job:
    """The sequence that is carried out, from `Ss` to `Se`."""

    def __init__(self) -> None:
        self.back = False
        self.pending: Pending | None = None
        self._printed = False

    def start(self) -> None:
        """`Ss`."""
        self.back, self.pending, self._printed = False, None, False

    @staticmethod
    def check(panel: str, ribbon: Ribbon | None) -> Ribbon:
        """The ribbon. Raises PrintError when it does not have such a panel."""
        if ribbon is None:
            raise PrintError("ERR RIB DETECTION")
        if panel not in ribbon.panels:
            raise PrintError("ERR RIBBON TYPE")
        if not ribbon.left:
            raise PrintError("ERR RIBBON")
        return ribbon

    def print_on(self, card: Card) -> None:
        """The bitmap that waits goes onto the card."""
        pending, self.pending = self.pending, None
        assert pending is not None
        side: Side = card.back if self.back else card.front
        side.put(pending.panel, pending.plane)
        self._printed = True

    def turn(self, ribbon: Ribbon | None) -> None:
        """`Sv`: what comes now is the back."""
        if self._printed and ribbon is not None and ribbon.panels != SECOND_BLACK:
            ribbon.use()
            self._printed = False
        self.back = True

    def end(self, ribbon: Ribbon | None) -> None:
        """`Se`: the ribbon goes on to its next set."""
        if self._printed and ribbon is not None:
            ribbon.use()
        self.start()
