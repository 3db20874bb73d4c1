"""What a pad's driver hears from its pad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from countertop.v1.signature_pad_pb2 import PadButton

__all__ = ["ButtonPress", "PadEvent", "PenSample"]


@dataclass(frozen=True, slots=True)
class PenSample:
    """Where the pen is, in the pad's own units."""

    x: int
    y: int
    touching: bool
    """The pen writes: it is down, by the pad's own threshold or the driver's."""
    pressure: int | None = None
    """0 to `InkSpace.pressure_levels` - 1; None where it is not measured."""
    time_us: int | None = None
    """Microseconds by the pad's clock, any origin, wraps already undone; None where it has none: the daemon's clock at
    arrival counts then."""
    sequence: int | None = None
    """The pad's own count of samples, wraps already undone; None where it has none. A gap is told as lost samples."""
    tilt_x: float | None = None
    """Degrees to the right; None where it is not measured."""
    tilt_y: float | None = None
    """Degrees towards the signer."""


@dataclass(frozen=True, slots=True)
class ButtonPress:
    """The signer pressed a button of the pad that is no place on its screen."""

    button: PadButton


PadEvent: TypeAlias = PenSample | ButtonPress
