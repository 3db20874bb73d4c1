"""Figures of ink, and what speaks against it being a signature. The app decides what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import hypot

from countertop.v1 import ink_pb2
from countertop.v1.ink_pb2 import Ink, InkPoint, InkQuality

__all__ = ["assess"]

LEAST_POINTS = 20
DOT_MM = 2.0
STRAIGHT_MM = 0.5
LEAST_SECONDS = 0.2


def assess(ink: Ink, samples_lost: int = 0) -> InkQuality:
    """Measure ink; the limits are those that `InkFlaw` states. `samples_lost`: samples that the pad counted and that
    did not come.
    """
    points = [point for stroke in ink.strokes for point in stroke.points]
    quality = InkQuality(points=len(points), strokes=len(ink.strokes), samples_lost=samples_lost)
    if points:
        xs, ys = [point.x_mm for point in points], [point.y_mm for point in points]
        quality.width_mm, quality.height_mm = max(xs) - min(xs), max(ys) - min(ys)
        quality.length_mm = sum(_length(stroke.points) for stroke in ink.strokes)
        quality.duration_seconds = (points[-1].time_us - points[0].time_us) / 1e6
    flaws = {
        ink_pb2.INK_FLAW_TOO_FEW_POINTS: len(points) < LEAST_POINTS,
        ink_pb2.INK_FLAW_DOT: hypot(quality.width_mm, quality.height_mm) <= DOT_MM,
        ink_pb2.INK_FLAW_STRAIGHT_LINE: _straight(points),
        ink_pb2.INK_FLAW_TOO_FAST: quality.duration_seconds < LEAST_SECONDS,
        ink_pb2.INK_FLAW_SAMPLES_LOST: samples_lost > 0,
    }
    quality.flaws.extend(flaw for flaw, found in flaws.items() if found)
    return quality


def _length(points: Iterable[InkPoint]) -> float:
    return sum(hypot(after.x_mm - before.x_mm, after.y_mm - before.y_mm) for before, after in pairwise(points))


def _straight(points: list[InkPoint]) -> bool:
    """No point lies off the line between the two ends that are farthest along it."""
    if len(points) < 2:
        return True
    first, last = points[0], max(points, key=lambda point: _distance(points[0], point))
    dx, dy = last.x_mm - first.x_mm, last.y_mm - first.y_mm
    length = hypot(dx, dy)
    if not length:
        return True
    return all(
        abs((point.x_mm - first.x_mm) * dy - (point.y_mm - first.y_mm) * dx) / length <= STRAIGHT_MM for point in points
    )


def _distance(one: InkPoint, other: InkPoint) -> float:
    return hypot(one.x_mm - other.x_mm, one.y_mm - other.y_mm)
