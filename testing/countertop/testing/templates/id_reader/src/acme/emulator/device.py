"""What is inside the reader. No I/O."""

from __future__ import annotations

from countertop.emulators.core.clock import Clock, Timer
from countertop.emulators.core.faults import FaultBoard, FaultSpec

from acme.emulator.documents import Chip
from acme.emulator.line import Line
from acme.emulator.wire import Command

__all__ = ["DEVICE_FAULTS", "AcmeDevice"]

DEVICE_FAULTS = (
    FaultSpec("unreadable", "A document is found but cannot be read, as when it lies askew."),
    FaultSpec("remove-while-reading", "The document is pulled away when reading begins."),
    FaultSpec("self-test-failed", "The reader's self test has failed: it reads nothing. Never counted."),
)
UNKNOWN, SELF_TEST_FAILED, NO_DOCUMENT, UNREADABLE, REMOVED = range(1, 6)
DOCUMENT_BIT, SELF_TEST_BIT = 0x01, 0x02


class AcmeDevice:
    """One reader, with or without a document on it. Reading takes `read_seconds` on its clock."""

    def __init__(self, clock: Clock, board: FaultBoard, serial: str, read_seconds: float) -> None:
        self.line = Line(self._execute)
        self._clock = clock
        self._board = board
        self._serial = serial
        self._read_seconds = read_seconds
        self._chip: Chip | None = None
        self._reading: Timer | None = None

    def lay(self, chip: Chip) -> None:
        """Lay a document on it; one that lies there is taken away first."""
        self.lift()
        self._chip = chip

    def lift(self) -> bool:
        """Take the document away; False when there was none. Reading that goes on fails."""
        there, self._chip = self._chip is not None, None
        if self._reading is not None:
            self._stop_reading()
            self.line.refuse(REMOVED)
        return there

    def power_off(self) -> None:
        """It forgets what it was asked; a document stays where it lies."""
        self._stop_reading()
        self.line.reset()

    def _execute(self, command: Command) -> None:
        broken = self._board.active("self-test-failed")
        match command.letter:
            case "H":
                self.line.answer(f"AR-1;{self._serial};1.0".encode())
            case "S":
                lies = self._chip is not None
                self.line.answer(bytes([DOCUMENT_BIT * lies | SELF_TEST_BIT * broken]))
            case "R" | "P" if broken:
                self.line.refuse(SELF_TEST_FAILED)
            case "R" | "P" if self._chip is None:
                self.line.refuse(NO_DOCUMENT)
            case "R":
                self._reading = self._clock.call_later(self._read_seconds, self._read)
                if self._board.take("remove-while-reading"):
                    self.lift()
            case "P" if self._chip is not None:
                self.line.answer(self._chip.photo)
            case _:
                self.line.refuse(UNKNOWN)

    def _read(self) -> None:
        self._reading = None
        if self._chip is None or self._board.take("unreadable"):
            self.line.refuse(UNREADABLE)
        else:
            self.line.answer(self._chip.record)

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
