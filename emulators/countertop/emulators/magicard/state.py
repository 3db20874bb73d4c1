"""What one printer has: its machine, ribbon, and the error that stands."""

from __future__ import annotations

from dataclasses import dataclass

from countertop.emulators.core.cards.machine import CardMachine, Station
from countertop.emulators.core.cards.ribbon import Ribbon
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.magicard.models import Model

__all__ = ["ERRORS", "GOOD", "Failure", "State", "status_text"]

GOOD = "00:00"
ERRORS: dict[str, tuple[str, str, str]] = {
    "empty": ("11:01", "Card was not fed into the printer. Try again.",
              "Karte wurde nicht in den Drucker eingezogen. Versuchen Sie es erneut."),
    "jam": ("12:01", "A card is stuck.", "Eine Karte steckt fest."),
    "occupied": ("12:02", "A card is inside.", "Eine Karte ist im Drucker."),
    "nothing": ("12:03", "The card is gone.", "Die Karte fehlt."),
    "cover": ("13:01", "The cover is open.", "Die Abdeckung ist offen."),
    "ribbon": ("14:01", "The dye film is used up or broken.", "Das Farbband ist verbraucht oder gerissen."),
    "panel": ("14:02", "The dye film does not fit the job.", "Das Farbband passt nicht zum Auftrag."),
    "stripe": ("15:01", "The stripe could not be written.", "Der Magnetstreifen wurde nicht beschrieben."),
    "full": ("16:01", "The output hopper is full.", "Das Ausgabefach ist voll."),
    "head": ("17:01", "The print head has failed.", "Der Druckkopf ist ausgefallen."),
    "data": ("18:01", "The job cannot be understood.", "Der Auftrag ist nicht lesbar."),
}  # fmt: skip
"""Number, English, German. Only 11:01 and its German text are a real printer's; all else is invented."""
ERROR_WORDS = {"DEU": "Fehlercode - "}
GOOD_TEXTS = {"DEU": "Printerstatus OK."}


class Failure(Exception):
    """A job is not carried out; its text is a key of ERRORS."""


@dataclass(slots=True)
class State:
    """All of it."""

    model: Model
    duplex: bool
    tracks: bool
    """It has an encoder."""
    machine: CardMachine
    ribbon: Ribbon | None
    board: FaultBoard
    language: str
    error: str = ""
    """A key of ERRORS: the error that a job has ended in, until somebody cancels it or goes on."""
    printed: int = 0

    @property
    def standing(self) -> str:
        """The error that stands now; empty for none."""
        if self.error:
            return self.error
        stuck = self.machine.station is Station.JAMMED
        return "jam" if stuck else "cover" if self.machine.cover_open else ""


def status_text(error: str, language: str) -> bytes:
    """The answer to ERR: captured are the German texts of 00:00 and 11:01, with (c0300) and (c0201)."""
    if not error:
        return f"\x01STA{GOOD_TEXTS.get(language, 'Printer status OK.')}\n{GOOD}\n(c0300)\x03".encode("ascii")
    number, english, german = ERRORS[error]
    text = german if language == "DEU" else english
    return f"\x01STA{text}\n{ERROR_WORDS.get(language, 'Error code - ')}{number}\n(c0201)\x03".encode("ascii")
