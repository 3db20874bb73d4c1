"""Ink that looks written by a hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from hypothesis import strategies as st

from countertop.v1.ink_pb2 import Ink, InkSpace

__all__ = ["inks"]

LEAST_MM = 8.0
"""Of a pad's width and height: in less nobody signs."""
_MARGIN = 0.1
"""Of width and height, left free on each side."""
_RATE = 200.0
"""Points a second of pads that do not state theirs."""
_OVERLAP = 0.6
"""Part of a movement after which the next one begins."""
_RAMP_SECONDS = 0.06
"""How long pressure rises and falls."""


@dataclass(frozen=True, slots=True)
class _Move:
    """A movement to somewhere else, in millimetres, within its time."""

    dx: float
    dy: float
    seconds: float


def inks(space: InkSpace, *, max_strokes: int = 6) -> st.SearchStrategy[Ink]:
    """Handwriting of 1 to `max_strokes` strokes within `space`, a tenth of it left free at each edge; between 0.3 s and
    20 s long, at the space's `report_rate` (200 a second where it states none). Shrinks to one short zigzag.

    A stroke is a chain of movements up and down that run into each other. Each follows the path of least jerk, so that
    its speed over time is a bell (Flash and Hogan, 1985); pressure rises after touching down and falls before lifting,
    and is absent where `pressure_levels` is 0. `sdk/ink/quality.py` finds nothing against it.

    Raises ValueError for a space that is smaller than 8 by 8 mm or does not state `units_per_mm`.
    """
    if not space.units_per_mm or min(space.width, space.height) / space.units_per_mm < LEAST_MM:
        raise ValueError(f"space: expected at least {LEAST_MM:g} by {LEAST_MM:g} mm, and units_per_mm")
    rate = space.report_rate or _RATE
    # no fewer than 20 points even with the shortest stroke: three movements take 2.2 times the time of one
    slowest = max(0.15, 12 / rate)
    moves = st.lists(st.tuples(st.integers(1, 5), st.integers(3, 8), st.integers(0, 10)), min_size=3, max_size=6).map(
        lambda drawn: _zigzag(drawn, slowest)
    )
    pauses = st.integers(6, 40).map(lambda hundredths: hundredths / 100)
    strokes = st.lists(st.tuples(pauses, moves), min_size=1, max_size=max_strokes)
    return strokes.map(lambda drawn: _written(drawn, space, rate))


def _zigzag(drawn: Sequence[tuple[int, int, int]], slowest: float) -> list[_Move]:
    """Up, down, up, always a little to the right."""
    return [
        _Move(dx, -dy if number % 2 == 0 else dy, slowest * (1 + slower / 10))
        for number, (dx, dy, slower) in enumerate(drawn)
    ]


def _written(drawn: Sequence[tuple[float, Sequence[_Move]]], space: InkSpace, rate: float) -> Ink:
    paths, left = [], 0.0
    for _, moves in drawn:
        paths.append([(left + x, y) for x, y in _path(moves, rate)])
        left = paths[-1][-1][0] + 1.0
    place_x = _placing([x for path in paths for x, _ in path], space.width / space.units_per_mm)
    place_y = _placing([y for path in paths for _, y in path], space.height / space.units_per_mm)
    ink, tick = Ink(space=space), 0
    for (pause, _), path in zip(drawn, paths, strict=True):
        tick += ceil(pause * rate) if ink.strokes else 0
        stroke = ink.strokes.add()
        for index, (x, y) in enumerate(path):
            at = (round(place_x(x) * space.units_per_mm), round(place_y(y) * space.units_per_mm))
            point = stroke.points.add(x=at[0], y=at[1], time_us=round((tick + index) * 1e6 / rate))
            point.x_mm, point.y_mm = at[0] / space.units_per_mm, at[1] / space.units_per_mm
            if space.pressure_levels:
                point.pressure = _pressure(index / rate, (len(path) - 1) / rate, space.pressure_levels)
        tick += len(path)
    return ink


def _path(moves: Sequence[_Move], rate: float) -> list[tuple[float, float]]:
    """Where the pen is at each tick, from 0, 0 on."""
    begins, time = [], 0.0
    for move in moves:
        begins.append(time)
        time += _OVERLAP * move.seconds
    end = max(begin + move.seconds for begin, move in zip(begins, moves, strict=True))
    path = []
    for tick in range(ceil(end * rate) + 1):
        parts = [_least_jerk((tick / rate - begin) / move.seconds) for begin, move in zip(begins, moves, strict=True)]
        x = sum(part * move.dx for part, move in zip(parts, moves, strict=True))
        y = sum(part * move.dy for part, move in zip(parts, moves, strict=True))
        path.append((x, y))
    return path


def _least_jerk(part: float) -> float:
    """How much of the way is done after a part of the time."""
    part = min(1.0, max(0.0, part))
    return part**3 * (10 - 15 * part + 6 * part**2)


def _placing(values: Sequence[float], room: float) -> Callable[[float], float]:
    """Puts one coordinate into the middle of the room, made smaller where there is too little."""
    least, size = min(values), max(values) - min(values)
    scale = min(1.0, room * (1 - 2 * _MARGIN) / size)
    before = (room - size * scale) / 2
    return lambda value: before + (value - least) * scale


def _pressure(time: float, end: float, levels: int) -> float:
    ramp = min(1.0, time / _RAMP_SECONDS, (end - time) / _RAMP_SECONDS)
    steps = max(1, levels - 1)
    return round((0.3 + 0.5 * max(0.0, ramp)) * steps) / steps
