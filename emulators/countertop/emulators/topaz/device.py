"""What is inside a Topaz pad. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from countertop.emulators.core.clock import Clock, Timer
from countertop.emulators.core.faults import FaultBoard, FaultSpec
from countertop.emulators.topaz import wire
from countertop.emulators.topaz.models import Model

__all__ = ["DEVICE_FAULTS", "TopazDevice"]

DEVICE_FAULTS = (
    FaultSpec("lost_packet", "A packet of the pen is lost."),
    FaultSpec("false_place", "The pad says that the pen is at 4095, 4095, which it says of noise."),
)
CLEAR = 0x04
TELL_SECONDS = 0.05


class TopazDevice:
    """One pad (`Peer`). `client_baud` tells how fast the other end listens; at another speed it hears rubbish."""

    def __init__(
        self, model: Model, clock: Clock, board: FaultBoard, serial: int, *, measures_pressure: bool, says_who: bool
    ) -> None:
        self.model = model
        self.serial = serial
        self.commands = bytearray()
        """What the host has sent: the last 64 bytes."""
        self.ink: list[list[tuple[int, int]]] = []
        """What its display shows, or would: strokes in the pad's own units."""
        self.client_baud: Callable[[], int] = lambda: model.baud
        self._clock, self._board = clock, board
        self._timer: Timer | None = None
        self._measures_pressure = measures_pressure
        self._says_who = says_who
        self._write: Callable[[bytes], None] | None = None
        self._down = False

    def connected(self, write: Callable[[bytes], None]) -> None:
        """The line is up."""
        self._write = write
        if self._says_who:
            self._tell()

    def _tell(self) -> None:
        """Say who it is, again and again while no pen writes. When real pads do is not known."""
        if not self._down:
            self._send(wire.identity(self.model.number, self.serial))
        self._timer = self._clock.call_later(TELL_SECONDS, self._tell)

    def disconnected(self) -> None:
        """The line is down."""
        self._write = None
        if self._timer is not None:
            self._timer.cancel()

    def received(self, data: bytes) -> None:
        """Control characters of pads with a display; others take no notice of anything."""
        self.commands = (self.commands + data)[-64:]
        if self.model.lcd and CLEAR in data:
            self.ink.clear()

    def power_off(self) -> None:
        """The display is blank."""
        self.ink.clear()
        self._down = False

    def pen(self, x: int, y: int, *, near: bool, down: bool, pressure: int = 0) -> None:
        """The pen is there now."""
        if down:
            if not self._down or not self.ink:  # a display that is cleared under the pen begins a stroke anew
                self.ink.append([])
            self.ink[-1].append((x, y))
        self._down = down
        if self._board.take("lost_packet"):
            return
        if self._board.take("false_place"):
            x = y = 0x0FFF
        self._send(wire.position(x, y, near=near, down=down, narrow=self.model.narrow))
        if self._measures_pressure and down:
            self._send(wire.pressure(pressure))

    def _send(self, packet: bytes) -> None:
        if self._write is None:
            return
        baud = self.client_baud()
        if baud and baud != self.model.baud:  # what the other end's UART makes of it
            packet = bytes(byte ^ 0x55 for byte in packet[: max(1, len(packet) * baud // self.model.baud)])
        self._write(packet)
