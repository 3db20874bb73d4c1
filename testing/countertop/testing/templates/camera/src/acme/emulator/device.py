"""What is inside the camera. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from countertop.emulators.core.faults import FaultSpec

from acme.emulator.line import Line
from acme.emulator.wire import Command

__all__ = ["DEVICE_FAULTS", "AcmeDevice"]

DEVICE_FAULTS = (FaultSpec("sensor-stall", "The sensor hangs: no picture comes. Never counted."),)
UNKNOWN = 1
SENDING_BIT = 0x01


class AcmeDevice:
    """One camera. It sends pictures to a host that asked for them; `on_sending` is told when that begins or ends."""

    def __init__(self, serial: str, width: int, height: int, fps: int, on_sending: Callable[[bool], None]) -> None:
        self.line = Line(self._execute)
        self.sending = False
        self._identity = f"AV-1;{serial};1.0;{width};{height};{fps}".encode()
        self._on_sending = on_sending

    def power_off(self) -> None:
        """It forgets that it sends."""
        self.line.reset()
        self._send(wanted=False)

    def picture(self, jpeg: bytes) -> None:
        """A picture was taken."""
        if self.sending:
            self.line.tell("J", jpeg)

    def _execute(self, command: Command) -> None:
        match command.letter:
            case "H":
                self.line.answer(self._identity)
            case "S":
                self.line.answer(bytes([SENDING_BIT * self.sending]))
            case "B" | "X":
                self._send(wanted=command.letter == "B")
                self.line.answer()
            case _:
                self.line.refuse(UNKNOWN)

    def _send(self, *, wanted: bool) -> None:
        if wanted != self.sending:
            self.sending = wanted
            self._on_sending(wanted)
