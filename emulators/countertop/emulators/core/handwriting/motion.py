"""Speed and pressure of a hand, and points at a device's own rate.

A hand is slow where the line bends and fast where it is straight: speed goes with the radius of curvature to the power
of one third (the two-thirds power law of Lacquaniti, Terzuolo and Viviani, 1983). Pressure rises when the pen touches
down, falls before it is lifted, and is a little higher where the pen is slow.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from math import cbrt, hypot, sqrt

from countertop.emulators.core.handwriting.drawing import DrawnPoint, DrawnStroke

__all__ = ["move", "resample"]

MM_PER_SECOND = 60.0
"""Speed on a gentle bend."""
GENTLE_MM = 8.0
SLOWEST, FASTEST = 12.0, 160.0
RAMP_SECONDS = 0.06
"""How long the pressure rises and falls."""


def move(stroke: DrawnStroke) -> DrawnStroke:
    """Give times and pressures, from 0 s on, to points in millimetres that have none; others stay."""
    known_times = all(point.seconds is not None for point in stroke)
    known_pressures = all(point.pressure is not None for point in stroke)
    speeds = _speeds(stroke)
    if known_times:
        first = stroke[0].seconds or 0.0
        times = [(point.seconds or 0.0) - first for point in stroke]
    else:
        steps = [
            _distance(before, after) / ((one + other) / 2)
            for (before, after), (one, other) in zip(pairwise(stroke), pairwise(speeds), strict=True)
        ]
        times = [0.0, *accumulate(steps)]
    pressures = [
        point.pressure if known_pressures and point.pressure is not None else _pressure(time, times[-1], speed)
        for point, time, speed in zip(stroke, times, speeds, strict=True)
    ]
    return [
        DrawnPoint(point.x, point.y, time, pressure)
        for point, time, pressure in zip(stroke, times, pressures, strict=True)
    ]


def resample(stroke: DrawnStroke, rate: float) -> DrawnStroke:
    """A point every 1 / `rate` s, by straight lines between those there are; one at least."""
    times = [point.seconds or 0.0 for point in stroke]
    count = int(times[-1] * rate + 1e-6) + 1
    found = []
    for index in range(count):
        time = index / rate
        after = min(max(1, bisect_right(times, time)), len(stroke) - 1)
        before = after - 1 if len(stroke) > 1 else after
        span = times[after] - times[before]
        part = min(1.0, (time - times[before]) / span) if span else 0.0
        one, other = stroke[before], stroke[after]
        pressure = (one.pressure or 0.0) + ((other.pressure or 0.0) - (one.pressure or 0.0)) * part
        found.append(DrawnPoint(one.x + (other.x - one.x) * part, one.y + (other.y - one.y) * part, time, pressure))
    return found


def _distance(one: DrawnPoint, other: DrawnPoint) -> float:
    return hypot(one.x - other.x, one.y - other.y)


def _speeds(stroke: DrawnStroke) -> list[float]:
    """Millimetres a second at each point."""
    speeds = [MM_PER_SECOND] * len(stroke)
    for index in range(1, len(stroke) - 1):
        a, b, c = stroke[index - 1 : index + 2]
        area = abs((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)) / 2
        sides = _distance(a, b) * _distance(b, c) * _distance(a, c)
        radius = sides / (4 * area) if area else 1000.0
        speeds[index] = min(FASTEST, max(SLOWEST, MM_PER_SECOND * cbrt(radius / GENTLE_MM)))
    return speeds


def _pressure(time: float, end: float, speed: float) -> float:
    ramp = min(1.0, time / RAMP_SECONDS, max(0.0, end - time) / RAMP_SECONDS)
    return (0.25 + 0.75 * ramp) * min(1.0, 0.45 + 0.25 * sqrt(MM_PER_SECOND / speed))
