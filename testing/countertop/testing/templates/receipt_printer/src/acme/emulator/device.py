"""What is inside the printer: a job, the paper, counters that survive the power. No I/O."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from countertop.emulators.core.clock import Clock, Timer
from countertop.emulators.core.faults import FaultBoard, FaultSpec
from PIL import Image

from acme.emulator.line import Line
from acme.emulator.paper import DOTS_PER_MM, WIDTH, Paper, graphic, text_line
from acme.emulator.wire import Command

__all__ = ["DEVICE_FAULTS", "AcmeDevice"]

DEVICE_FAULTS = (
    FaultSpec("cutter-jam", "The cutter does not move: a cut is refused. Never counted."),
    FaultSpec("power-fails-while-printing", "The power fails in the middle of a line, and is back at once."),
)
UNKNOWN, PAPER_OUT, COVER_OPEN, CUTTER_ERROR, NO_JOB = range(1, 6)
NEAR_END_MM = 2000.0


@dataclass(slots=True)
class Counters:
    """What the printer keeps without power."""

    job: int = 0
    begun: int = 0
    done: int = 0
    finished: bool = True
    pulses: int = 0


class AcmeDevice:
    """One printer. A step takes as long as its paper does, at `mm_per_second` on its clock."""

    def __init__(self, clock: Clock, board: FaultBoard, serial: str, mm_per_second: float, paper_mm: float) -> None:
        self.line = Line(self._execute)
        self.paper = Paper(paper_mm)
        self.counters = Counters()
        self.cover_open = False
        self._clock = clock
        self._board = board
        self._serial = serial
        self._dots_per_second = mm_per_second * DOTS_PER_MM
        self._printing: Timer | None = None
        self._open = False

    def power_off(self) -> None:
        """A line that is being printed stays half; counters and paper stay as they are."""
        if self._printing is not None:
            self._printing.cancel()
            self._printing = None
        self._open = False
        self.line.reset()

    def _execute(self, command: Command) -> None:
        counters = self.counters
        match command.letter:
            case "H":
                self.line.answer(f"AT-1;{self._serial};1.0".encode())
            case "S":
                self.line.answer(
                    struct.pack(
                        ">BIHHBI",
                        self._bits(),
                        counters.job,
                        counters.begun,
                        counters.done,
                        counters.finished,
                        counters.pulses,
                    )
                )
            case "B" if command.data == (counters.job + 1).to_bytes(4):
                if not counters.finished:
                    self.paper.cut()  # what a job that was given up has left hanging
                self._open = True
                counters.job, counters.begun, counters.done, counters.finished = counters.job + 1, 0, 0, False
                self.line.answer()
            case "E" if command.data == counters.done.to_bytes(2):
                counters.finished, self._open = True, False
                self.line.answer()
            case "A":
                self._open = False
                self.line.answer()
            case "D" if command.data in (b"\x01", b"\x02"):
                counters.pulses += 1
                self.line.answer()
            case "T" | "G" | "F" | "C" if not self._open:
                self.line.refuse(NO_JOB)
            case "T" | "G" | "F" | "C" if len(command.data) > 2:
                self._step(command)
            case _:
                self.line.refuse(UNKNOWN)

    def _step(self, command: Command) -> None:
        """Do a step that is not done yet; one that is, is only confirmed."""
        number = int.from_bytes(command.data[:2])
        if number <= self.counters.done:
            self.line.answer()
            return
        try:
            dots, act = self._act(command.letter, command.data[2:])
        except (ValueError, struct.error):
            self.line.refuse(UNKNOWN)
            return
        refusal = UNKNOWN if number != self.counters.done + 1 else self._hindered(command.letter)
        if refusal:
            self.line.refuse(refusal)
            return
        self.counters.begun = number
        self._printing = self._clock.call_later(dots / self._dots_per_second, lambda: self._printed(act))

    def _act(self, letter: str, data: bytes) -> tuple[int, Callable[[], None]]:
        """Dots that a step moves the paper, and what it leaves on it."""
        if letter == "C":
            return 0, self.paper.cut
        if letter == "F":
            strip, text = Image.new("1", (WIDTH, max(1, int.from_bytes(data[:2]))), 1), ""
        elif letter == "G":
            x, stride = struct.unpack_from(">HB", data)
            strip, text = graphic(x, stride, data[3:]), ""
        else:
            strip, text = text_line(data)
        return strip.height, lambda: self.paper.put(strip, text)

    def _printed(self, act: Callable[[], None]) -> None:
        self._printing = None
        if self._board.take("power-fails-while-printing"):
            self.power_off()
            return
        act()
        self.counters.done = self.counters.begun
        self.line.answer()

    def _hindered(self, letter: str) -> int:
        if self.cover_open:
            return COVER_OPEN
        if not self.paper.left_mm:
            return PAPER_OUT
        return CUTTER_ERROR if letter == "C" and self._board.active("cutter-jam") else 0

    def _bits(self) -> int:
        out, low = not self.paper.left_mm, self.paper.left_mm < NEAR_END_MM
        return out | (low and not out) << 1 | self.cover_open << 2 | self._board.active("cutter-jam") << 3
