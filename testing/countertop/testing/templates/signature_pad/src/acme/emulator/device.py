"""What is inside the pad. No I/O."""

from __future__ import annotations

import struct

from countertop.emulators.core.faults import FaultBoard, FaultSpec

from acme.emulator.line import Line
from acme.emulator.wire import Command

__all__ = ["DEVICE_FAULTS", "HEIGHT", "LEVELS", "RATE", "UNITS_PER_MM", "WIDTH", "AcmeDevice"]

WIDTH, HEIGHT, UNITS_PER_MM = 4800, 1920, 40.0
LEVELS, RATE = 1024, 200.0
DEVICE_FAULTS = (
    FaultSpec("lost-sample", "A sample of the pen is counted but not sent."),
    FaultSpec("digitizer-broken", "The digitizer does not work: captures are refused. Never counted."),
)
UNKNOWN, BROKEN = 1, 2
CAPTURING_BIT, FAULT_BIT = 0x01, 0x02


class AcmeDevice:
    """One pad. It sends its pen while a capture is on."""

    def __init__(self, board: FaultBoard, serial: str) -> None:
        self.line = Line(self._execute)
        self.capturing = False
        self._board = board
        self._serial = serial
        self._count = 0

    def power_off(self) -> None:
        """It forgets that it captures."""
        self.line.reset()
        self.capturing = False

    def pen(self, x: int, y: int, pressure: int, *, touching: bool) -> None:
        """The pen is there now."""
        if not self.capturing:
            return
        self._count = (self._count + 1) & 0xFFFF
        if not self._board.take("lost-sample"):
            self.line.tell("P", struct.pack(">HBHHH", self._count, touching, x, y, pressure))

    def key(self, number: int) -> None:
        """A key was pressed: 1 accept, 2 clear, 3 cancel."""
        if self.capturing:
            self.line.tell("K", bytes([number]))

    def _execute(self, command: Command) -> None:
        match command.letter:
            case "H":
                self.line.answer(f"AP-1;{self._serial};1.0".encode())
            case "S":
                fault = FAULT_BIT if self._board.active("digitizer-broken") else 0
                self.line.answer(bytes([fault | (CAPTURING_BIT if self.capturing else 0)]))
            case "B" if self._board.active("digitizer-broken"):
                self.line.refuse(BROKEN)
            case "B" | "X":
                self.capturing = command.letter == "B"
                self._count = 0
                self.line.answer()
            case _:
                self.line.refuse(UNKNOWN)
