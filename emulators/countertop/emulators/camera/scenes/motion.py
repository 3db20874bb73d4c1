"""How things before a camera move: a little, smoothly, and round and round."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["HAND", "LOOP", "STANDING", "Motion"]

LOOP = 60
"""Frames after which all movement begins again."""


@dataclass(frozen=True, slots=True)
class Motion:
    """Sway in parts of 720 lines, breath in parts of the size, roll in degrees; each is the most to either side."""

    sway: float
    breath: float
    roll: float
    phase: float = 0.0

    def at(self, index: int, width: int, height: int) -> Any:
        """The movement at a frame, as a 2 by 3 matrix in pixels."""
        turn = 2 * math.pi * (index % LOOP) / LOOP + self.phase
        far = self.sway * height / 720
        scale = 1 + self.breath * math.sin(turn)
        angle = math.radians(self.roll * math.sin(turn + 0.7))
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        middle = np.array((width / 2, height / 2))
        matrix = np.array(((cos, -sin), (sin, cos)))
        shift = middle - matrix @ middle + (far * math.sin(turn + 0.3), far * 0.6 * math.sin(2 * turn))
        return np.column_stack((matrix, shift))


STANDING = Motion(3.0, 0.004, 0.35)
"""A person who stands and breathes."""
HAND = Motion(3.0, 0.003, 0.6, phase=1.0)
"""A thing held in a hand."""
