"""Drawings from W3C InkML (https://www.w3.org/TR/InkML/): traces with the channels X, Y, T and F."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from countertop.emulators.core.handwriting.drawing import Drawing, DrawnPoint, DrawnStroke

__all__ = ["from_inkml"]

MAX_POINTS = 100_000
_TOKEN = re.compile(r"([!'\"]?)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(\*)|([TF?])")


def from_inkml(document: bytes) -> Drawing:
    """Every trace is a stroke. Values may be explicit, differences (') or second differences ("), each until the next
    prefix, and * repeats. T is in milliseconds unless a trace's channel says "s"; F is divided by its max, or by the
    largest there is. Raises ValueError that names the trace.
    """
    try:
        root = ElementTree.fromstring(document)  # noqa: S314 - expat 2.4.1 and later bound what entities may grow to
    except ElementTree.ParseError as error:
        raise ValueError(f"inkml: expected XML ({error})") from None
    channels, scales = _format(root)
    traces = [element for element in root.iter() if _name(element) == "trace"]
    if not traces:
        raise ValueError("inkml: expected a trace")
    rows = [list(_rows(number, trace.text or "", len(channels))) for number, trace in enumerate(traces, 1)]
    if sum(map(len, rows)) > MAX_POINTS:
        raise ValueError(f"inkml: expected at most {MAX_POINTS} points")
    return _strokes(channels, scales, rows)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _format(root: ElementTree.Element) -> tuple[list[str], dict[str, float]]:
    """The channels in their order, and what their values are divided by."""
    found = next((element for element in root.iter() if _name(element) == "traceFormat"), None)
    if found is None:
        return ["X", "Y"], {}
    channels, scales = [], {}
    for element in found.iter():
        if _name(element) != "channel":
            continue
        name = element.get("name", "")
        channels.append(name)
        if name == "T":
            scales[name] = 1.0 if element.get("units") == "s" else 1000.0
        elif name == "F" and element.get("max"):
            scales[name] = float(element.get("max", "1")) or 1.0
    if "X" not in channels or "Y" not in channels:
        raise ValueError("inkml: expected the channels X and Y")
    return channels, scales


def _rows(number: int, text: str, width: int) -> Iterator[list[float]]:
    """The points of a trace, all its channels."""
    orders = [0] * width  # explicit, difference, second difference
    values, steps = [0.0] * width, [0.0] * width
    for place, written in enumerate(text.split(","), 1):
        tokens = _TOKEN.findall(written)
        if not written.strip():
            continue
        if len(tokens) != width or _TOKEN.sub("", written).strip():
            raise ValueError(f"inkml: expected {width} values at point {place} of trace {number}")
        for index, (prefix, value, star, _) in enumerate(tokens):
            if prefix:
                orders[index] = {"!": 0, "'": 1, '"': 2}[prefix]
            if star:
                continue
            known = float(value or 0)
            if orders[index] == 0:
                values[index] = known
            else:
                steps[index] = known if orders[index] == 1 else steps[index] + known
                values[index] += steps[index]
        yield list(values)


def _strokes(channels: list[str], scales: dict[str, float], rows: list[list[list[float]]]) -> Drawing:
    at = {name: index for index, name in enumerate(channels)}
    if "F" in at and "F" not in scales:
        scales["F"] = max((row[at["F"]] for trace in rows for row in trace), default=1.0) or 1.0
    drawing: Drawing = []
    for trace in rows:
        stroke: DrawnStroke = []
        for row in trace:
            seconds = row[at["T"]] / scales["T"] if "T" in at else None
            pressure = min(1.0, max(0.0, row[at["F"]] / scales["F"])) if "F" in at else None
            stroke.append(DrawnPoint(row[at["X"]], row[at["Y"]], seconds, pressure))
        if stroke:
            drawing.append(stroke)
    if not drawing:
        raise ValueError("inkml: expected a trace with points")
    return drawing
