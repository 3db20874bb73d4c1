"""What one printer has: its machine, ribbon, settings, memory and counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from countertop.emulators.core.cards.machine import CardMachine
from countertop.emulators.core.cards.ribbon import Ribbon
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.evolis.models import Model
from countertop.emulators.evolis.printing import Job

__all__ = ["Failure", "Memory", "State"]


class Failure(Exception):
    """A command is not carried out; its text is the answer."""


@dataclass(slots=True)
class Memory:
    """What is lost with the power."""

    error_mode: int = 0
    """`Pem`: 0 the printer itself, 2 the host, 3 the host and never BUSY, 4 ACK and NACK, 5 the host, stripes apart."""
    settings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Other settings, by command."""
    job: Job = field(default_factory=Job)
    tracks_to_write: dict[int, str] = field(default_factory=dict)
    tracks_read: dict[int, str] = field(default_factory=dict)
    banks: dict[str, Any] = field(default_factory=dict)
    """Pictures that W commands drew, by panel: PIL images of one bit, 1016 by 648."""
    last_answer: str = "OK"

    def first(self, name: str, default: str = "") -> str:
        """The first parameter of a setting."""
        return next(iter(self.settings.get(name, ())), default)


@dataclass(slots=True)
class State:
    """All of it."""

    model: Model
    serial: str
    duplex: bool
    tracks: tuple[int, ...]
    machine: CardMachine
    ribbon: Ribbon | None
    board: FaultBoard
    memory: Memory = field(default_factory=Memory)
    printed: int = 0
    """Cards that were printed, ever."""
    written: int = 0
    """Stripes."""
    uncleaned: int = 0
    """Cards since the last cleaning."""
