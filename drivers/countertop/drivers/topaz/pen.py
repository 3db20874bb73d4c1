"""From a pad's packets to the pen's samples. No I/O."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from countertop.drivers.topaz.models import Box
from countertop.drivers.topaz.packets import Packet, Position, Pressure
from countertop.sdk import PenSample

__all__ = ["Pen", "PressureOrder"]


class PressureOrder(Enum):
    """Which position a pressure packet belongs to."""

    NONE = "none"
    """The pad does not measure pressure, or it is not wanted."""
    LEADS = "leads"
    """To the positions that come after it."""
    FOLLOWS = "follows"
    """To the position that came before it."""


class Pen:
    """Follows one pen. (0, 0) is the upper left corner of the box; ink beside the box keeps its place, which is below 0
    or beyond the box' size then. `x_left` and `y_up` are for a pad that counts from the other end.
    """

    def __init__(
        self, box: Box, *, pressure: PressureOrder = PressureOrder.NONE, x_left: bool = False, y_up: bool = False
    ) -> None:
        self._box = box
        self._order = pressure
        self._x_left = x_left
        self._y_up = y_up
        self.reset()

    def reset(self) -> None:
        """Forget all of it."""
        self._pressure: int | None = None
        self._held: PenSample | None = None
        self._last: PenSample | None = None

    @property
    def holds(self) -> bool:
        """A sample waits for its pressure."""
        return self._held is not None

    @property
    def touching(self) -> bool:
        """The pen touched the pad when it was last heard."""
        return self._last is not None and self._last.touching

    def take(self, packet: Packet) -> list[PenSample]:
        """What a packet tells of the pen: none, one or two samples."""
        match packet:
            case Position():
                return self._move(packet)
            case Pressure():
                return self._press(packet)
            case _:
                return []

    def let_go(self) -> list[PenSample]:
        """Stop waiting for a sample's pressure."""
        held, self._held = self._held, None
        return [held] if held is not None else []

    def lift(self) -> list[PenSample]:
        """The pen is not heard any more: if it touched the pad, it left it where it was last."""
        samples = self.let_go()
        if self._last is not None and self._last.touching:
            self._last = PenSample(self._last.x, self._last.y, touching=False)
            samples.append(self._last)
        return samples

    def _move(self, at: Position) -> list[PenSample]:
        samples, box = self.let_go(), self._box
        x = box.right - at.x if self._x_left else at.x - box.left
        y = box.bottom - at.y if self._y_up else at.y - box.top
        pressure = self._pressure if self._order is PressureOrder.LEADS else None
        self._last = PenSample(x, y, at.down, pressure)
        if self._order is PressureOrder.FOLLOWS:
            self._held = self._last
        else:
            samples.append(self._last)
        return samples

    def _press(self, pressure: Pressure) -> list[PenSample]:
        self._pressure = pressure.value
        if self._held is not None:
            self._held = replace(self._held, pressure=pressure.value)
        return self.let_go()
