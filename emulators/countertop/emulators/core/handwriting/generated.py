"""Invented handwriting: loops and turns as a signature has them, always the same for the same seed."""

from __future__ import annotations

from math import cos, pi, sin
from random import Random

from countertop.emulators.core.handwriting.drawing import Drawing, DrawnPoint

__all__ = ["generate"]

POINTS = 90
"""Of each stroke."""


def generate(seed: int, strokes: int = 6) -> Drawing:
    """Letters that lean into one another: each stroke is a sum of a few slow waves along a line."""
    random = Random(seed)
    drawing: Drawing = []
    left = 0.0
    for _ in range(strokes):
        width, height = random.uniform(0.5, 1.4), random.uniform(0.5, 1.1)
        waves = [(random.uniform(0.15, 0.4), random.uniform(1.0, 3.2), random.uniform(0, 2 * pi)) for _ in range(3)]
        lean = random.uniform(0.1, 0.35)
        stroke = []
        for step in range(POINTS):
            part = step / (POINTS - 1)
            y = height * sum(size * sin(2 * pi * turns * part + phase) for size, turns, phase in waves)
            loop = sum(size * cos(2 * pi * turns * part + phase) for size, turns, phase in waves)
            stroke.append(DrawnPoint(left + width * part + 0.45 * loop - lean * y, y))
        drawing.append(stroke)
        left += width * random.uniform(0.75, 1.15)
    return drawing
