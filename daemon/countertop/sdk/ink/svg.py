"""Ink as an SVG drawing in millimetres."""

from __future__ import annotations

from countertop.sdk.ink.stroke_width import width_class, width_mm
from countertop.v1.ink_pb2 import Ink, InkPoint, Stroke

__all__ = ["to_svg"]


def to_svg(ink: Ink) -> str:
    """The whole writing area, one user unit a millimetre. Each stroke is a group; its paths, in order and each
    beginning where the one before ends, go through every point, to 0.0001 mm. Nothing is smoothed: what is drawn is
    what was measured.
    """
    space = ink.space
    per_mm = space.units_per_mm or 1.0
    width, height = space.width / per_mm, space.height / per_mm
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.4f}mm" height="{height:.4f}mm" '
        f'viewBox="0 0 {width:.4f} {height:.4f}">\n'
        '<g fill="none" stroke="#101840" stroke-linecap="round" stroke-linejoin="round">\n'
    )
    return head + "".join(_stroke(stroke, per_mm) for stroke in ink.strokes) + "</g>\n</svg>\n"


def _stroke(stroke: Stroke, per_mm: float) -> str:
    """Lines of one width each; a dot is a line to itself, which round ends make visible."""
    points = stroke.points
    if not points:
        return ""
    paths: list[str] = []
    start, current = 0, width_class(points[0])
    for index in range(1, len(points)):
        found = width_class(points[index])
        if found != current:
            paths.append(_path(points[start : index + 1], current, per_mm))
            start, current = index, found
    if start < len(points) - 1 or not paths:
        paths.append(_path(points[start:], current, per_mm))
    return f"<g>{''.join(paths)}</g>\n"


def _path(points: list[InkPoint], class_: int, per_mm: float) -> str:
    places = [f"{_number(point.x / per_mm)} {_number(point.y / per_mm)}" for point in points]
    if len(places) == 1:
        places.append(places[0])
    return f'<path stroke-width="{width_mm(class_):.3f}" d="M{"L".join(places)}"/>'


def _number(value: float) -> str:
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
