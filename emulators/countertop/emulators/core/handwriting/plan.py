"""From what the bench was asked to write to points in a pad's own units, at its own rate."""

from __future__ import annotations

from collections.abc import Iterator

from countertop.bench.v1.bench_pb2 import SignRequest
from countertop.emulators.core.handwriting.drawing import Drawing, DrawnPoint
from countertop.emulators.core.handwriting.generated import generate
from countertop.emulators.core.handwriting.inkml import from_inkml
from countertop.emulators.core.handwriting.motion import move, resample
from countertop.emulators.core.handwriting.svg_path import from_svg_path
from countertop.v1.ink_pb2 import Ink, InkSpace

__all__ = ["plan"]

MARGIN = 0.1
"""Of the writing area's width and height, left free."""
PAUSE_SECONDS = 0.15
"""Between two strokes, where the drawing does not say."""
MAX_SECONDS = 120.0
MAX_STROKES = 40


def plan(request: SignRequest, space: InkSpace, rate: float, *, bottom: float = 1.0) -> Ink:
    """The ink as a pen will write it: `rate` points a second, within `space`, of which the upper `bottom` part (0 to 1)
    is used, so that buttons below it stay free. Ink that was given is kept just so. Raises ValueError that names the
    field and what was expected.
    """
    if request.WhichOneof("what") == "ink":
        return _given(request.ink, space)
    drawing = _drawing(request)
    times_known = all(point.seconds is not None for stroke in drawing for point in stroke)
    ink = Ink(space=space)
    start = 0.0
    for stroke in _placed(drawing, space, bottom):
        if times_known:
            start = stroke[0].seconds or 0.0
        moved = resample(move(stroke), rate)
        if start + len(moved) / rate > MAX_SECONDS:
            raise ValueError(f"expected writing of at most {MAX_SECONDS:g} s")
        _add(ink, moved, round(start * rate), rate)
        start += len(moved) / rate + PAUSE_SECONDS
    first = ink.strokes[0].points[0].time_us
    for added in ink.strokes:
        for point in added.points:
            point.time_us -= first
    return ink


def _drawing(request: SignRequest) -> Drawing:
    match request.WhichOneof("what"):
        case "svg_path":
            return from_svg_path(request.svg_path)
        case "inkml":
            return from_inkml(request.inkml)
    strokes = request.generated.strokes or 6
    if strokes > MAX_STROKES:
        raise ValueError(f"generated.strokes: expected at most {MAX_STROKES}")
    return generate(request.generated.seed, strokes)


def _placed(drawing: Drawing, space: InkSpace, bottom: float) -> Iterator[list[DrawnPoint]]:
    """In millimetres, as large as fits with a margin, in the middle, its shape kept."""
    width, height = space.width / space.units_per_mm, space.height / space.units_per_mm * bottom
    xs = [point.x for stroke in drawing for point in stroke]
    ys = [point.y for stroke in drawing for point in stroke]
    wide, high = max(xs) - min(xs), max(ys) - min(ys)
    scales = [room * (1 - 2 * MARGIN) / size for room, size in ((width, wide), (height, high)) if size > 0]
    scale = min(scales, default=1.0)
    left, top = (width - wide * scale) / 2, (height - high * scale) / 2
    for stroke in drawing:
        yield [
            DrawnPoint(left + (p.x - min(xs)) * scale, top + (p.y - min(ys)) * scale, p.seconds, p.pressure)
            for p in stroke
        ]


def _add(ink: Ink, stroke: list[DrawnPoint], start: int, rate: float) -> None:
    space = ink.space
    added = ink.strokes.add()
    for index, point in enumerate(stroke):
        x = min(max(round(point.x * space.units_per_mm), 0), space.width - 1)
        y = min(max(round(point.y * space.units_per_mm), 0), space.height - 1)
        found = added.points.add(
            x=x,
            y=y,
            x_mm=x / space.units_per_mm,
            y_mm=y / space.units_per_mm,
            time_us=round((start + index) * 1e6 / rate),
        )
        if space.pressure_levels:
            found.pressure = min(1.0, max(0.0, point.pressure or 0.0))


def _given(ink: Ink, space: InkSpace) -> Ink:
    if not any(stroke.points for stroke in ink.strokes):
        raise ValueError("ink.strokes: expected a stroke with points")
    last = -1
    for number, stroke in enumerate(ink.strokes):
        for index, point in enumerate(stroke.points):
            place = f"ink.strokes[{number}].points[{index}]"
            if not (0 <= point.x < space.width and 0 <= point.y < space.height):
                raise ValueError(f"{place}: expected x below {space.width} and y below {space.height}, from 0 on")
            if point.time_us < last or point.time_us > MAX_SECONDS * 1e6:
                raise ValueError(f"{place}.time_us: expected times that never fall, up to {MAX_SECONDS:g} s")
            last = point.time_us
    kept = Ink(space=space)
    kept.strokes.extend(stroke for stroke in ink.strokes if stroke.points)
    return kept
