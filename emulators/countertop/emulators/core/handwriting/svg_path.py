"""Drawings from the `d` of an SVG path."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from countertop.emulators.core.handwriting.drawing import Drawing, DrawnPoint

__all__ = ["from_svg_path"]

PIECES = 48
"""Points of each curve; straight lines have two."""
MAX_SEGMENTS = 2000


def from_svg_path(text: str) -> Drawing:
    """Every sub-path is a stroke. Raises ValueError that tells what is wrong with it."""
    try:
        reader: Any = import_module("svg.path")
    except ImportError as error:
        raise ValueError("SVG paths need the package svg.path: run `pip install 'countertop[emulators]'`") from error
    try:
        path = reader.parse_path(text)
    except Exception as error:  # it raises whatever it stumbles over
        raise ValueError(f"svg_path: expected the d of an SVG path ({type(error).__name__})") from error
    if len(path) > MAX_SEGMENTS:
        raise ValueError(f"svg_path: expected at most {MAX_SEGMENTS} segments, got {len(path)}")
    drawing: Drawing = []
    for segment in path:
        if isinstance(segment, reader.Move):
            drawing.append([_point(segment.end)])
            continue
        if not drawing:
            raise ValueError("svg_path: expected it to begin with M")
        pieces = 1 if isinstance(segment, reader.Line | reader.Close) else PIECES
        drawing[-1] += [_point(segment.point(step / pieces)) for step in range(1, pieces + 1)]
    strokes = [stroke for stroke in drawing if len(stroke) > 1]
    if not strokes:
        raise ValueError("svg_path: expected a path that draws something")
    return strokes


def _point(place: complex) -> DrawnPoint:
    return DrawnPoint(place.real, place.imag)
