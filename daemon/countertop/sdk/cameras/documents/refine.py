"""A quad's sides on the full picture: each the straight line along which the picture steps most, to parts of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from countertop.sdk.cameras.documents.quad import Point, Quad
from countertop.sdk.cameras.documents.stage import log_ratio

__all__ = ["Edge", "refine"]

_ROWS = 72
"""Cuts across each side."""
_REACH = 24
"""Samples to either side of it."""
_BOX = 6
"""Samples that are averaged on either side of a step."""
_FROM, _TO = 0.07, 0.93
"""Part of a side that is looked at: a card's corners are round, a sheet's are bent."""
_PASSES = (9.0, 3.5)
"""Reach of each pass, in pixels of the shrunk picture: how wrong the corners may be before it."""
_NO_STEP = 0.006
"""Of full scale, or of a ratio: less is the noise of the best sensor."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What was seen along a side."""

    straight: float
    """Part of its cuts that step on one straight line, 0 to 1."""
    strength: float
    """The step on that line beside what is usual around it: 1 is nothing special."""
    step: float
    """The step itself, of full scale (or as a ratio's logarithm when it was seen beside the empty stage)."""
    lasting: float
    """How much of the step is still there farther from the line, 0 to 1: that of a drawn line is none."""


def refine(picture: Any, quad: Quad, scale: float, empty: Any | None = None) -> tuple[Quad | None, tuple[Edge, ...]]:
    """The quad with its sides where the picture (height, width, 3; uint8) steps, and what was seen along each.

    `scale`: pixels of the full picture to one of the shrunk picture, on which the quad was found. `empty`: the shrunk
    picture of the empty stage; steps that it has too are then none. None when no convex quad is left.
    """
    edges: tuple[Edge, ...] = ()
    for number, reach in enumerate(_PASSES):
        radius = min(reach * scale, 0.22 * min(quad.lengths))
        lines, edges = _sides(picture, quad, radius, scale, empty)
        corners = [_crossing(lines[at - 1], lines[at]) for at in range(4)]
        if any(corner is None for corner in corners):
            return None, edges
        # the corners keep their order: turning a quad about is not what refining is for
        moved = Quad((corners[0], corners[1], corners[2], corners[3]))  # type: ignore[arg-type]
        far = max(float(np.hypot(*np.subtract(a, b))) for a, b in zip(quad.corners, moved.corners, strict=True))
        if not moved.convex or (number == 0 and far > 4 * radius):
            return None, edges
        quad = moved
    return quad, edges


def _sides(picture: Any, quad: Quad, radius: float, scale: float,
           empty: Any | None) -> tuple[list[Any], tuple[Edge, ...]]:  # fmt: skip
    """A line (point, direction) for each side, and what was seen."""
    starts, ends = np.array(quad.corners), np.roll(np.array(quad.corners), -1, axis=0)
    along = (ends - starts) / np.linalg.norm(ends - starts, axis=1, keepdims=True)
    inward = np.stack((-along[:, 1], along[:, 0]), axis=1)
    parts = np.linspace(_FROM, _TO, _ROWS)
    offsets = np.linspace(-radius, radius, 2 * _REACH + 1)
    bases = starts[:, None] + parts[None, :, None] * (ends - starts)[:, None]
    places = bases[:, :, None] + offsets[None, None, :, None] * inward[:, None, None]
    cuts = _sampled(picture, places, scale, empty)
    lines, edges = [], []
    for side in range(4):
        near, far, edge = _line(cuts[side])
        shifts = np.array((near, far)) * radius / _REACH
        first = bases[side, 0] + shifts[0] * inward[side]
        last = bases[side, -1] + shifts[1] * inward[side]
        lines.append((first, last - first))
        edges.append(edge)
    return lines, tuple(edges)


def _sampled(picture: Any, places: Any, scale: float, empty: Any | None) -> Any:
    """What is seen there, (sides, rows, samples, 3), float32: parts of full scale, or logarithms beside the stage."""
    flat = places.reshape(places.shape[0] * places.shape[1], places.shape[2], 2).astype(np.float32)
    seen = cv2.remap(picture, flat[..., 0], flat[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if empty is None:
        values = seen.astype(np.float32) / 255
    else:
        small = (flat + 0.5) / scale - 0.5
        there = cv2.remap(empty, small[..., 0], small[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        values = log_ratio(seen, there)
    shaped = values.reshape(*places.shape[:3], 3)
    # three cuts side by side, so that noise counts for less than a step
    return np.stack([cv2.blur(side.reshape(_ROWS, -1), (1, 3)).reshape(side.shape) for side in shaped])


def _line(cuts: Any) -> tuple[float, float, Edge]:
    """Offsets, in samples, at the first and the last cut of the line along which the picture steps most."""
    steps = _steps(cuts, _BOX)
    # one strong letter must not outweigh a whole weak side
    capped = np.minimum(steps, np.median(steps.max(1)))
    ends = np.arange(steps.shape[1])
    mix = np.linspace(0, 1, _ROWS)
    some = mix[:: _ROWS // 24, None, None]
    at = np.rint(ends[None, :, None] * (1 - some) + ends[None, None, :] * some).astype(np.intp)
    votes = np.take_along_axis(capped[:: _ROWS // 24], at.reshape(len(some), -1), axis=1).sum(0)
    first, last = divmod(int(votes.argmax()), len(ends))
    rough = first + (last - first) * mix
    places, heights = _peaks(steps, rough)
    usual = max(_NO_STEP, float(np.median(steps)))
    near, far, straight = _fitted(places, np.where(heights > max(_NO_STEP, 0.35 * np.median(heights)), 1.0, 0.0))
    step = float(np.median(heights))
    edge = Edge(straight, step / usual, step, _lasting(cuts, near, far, step))
    return near - _REACH + _BOX, far - _REACH + _BOX, edge


def _steps(cuts: Any, box: int) -> Any:
    """How much the mean of the next `box` samples differs from that of the last, at each sample that has both."""
    sums = np.concatenate((np.zeros_like(cuts[:, :1]), np.cumsum(cuts, axis=1)), axis=1)
    count = cuts.shape[1]
    at = np.arange(box, count - box)
    inner = sums[:, at + box + 1] - sums[:, at + 1]
    outer = sums[:, at] - sums[:, at - box]
    apart = (inner - outer) / box
    return np.sqrt(np.einsum("ijk,ijk->ij", apart, apart))


def _peaks(steps: Any, rough: Any) -> tuple[Any, Any]:
    """The highest step near the line in each cut, to parts of a sample, and how high it is."""
    reach, last = 3, steps.shape[1] - 1
    window = np.clip(np.rint(rough).astype(np.intp)[:, None] + np.arange(-reach, reach + 1), 0, last)
    best = np.take_along_axis(window, np.take_along_axis(steps, window, 1).argmax(1)[:, None], 1)[:, 0]
    rows = np.arange(len(steps))
    left, top, right = (steps[rows, np.clip(best + by, 0, last)] for by in (-1, 0, 1))
    bend = left - 2 * top + right
    shift = np.where(np.abs(bend) > 1e-6, 0.5 * (left - right) / np.where(np.abs(bend) > 1e-6, bend, 1), 0)
    return best + np.clip(shift, -0.5, 0.5), top


def _fitted(places: Any, weights: Any) -> tuple[float, float, float]:
    """A line through places, by least squares without those that stray; at its ends, and the part that lies on it."""
    mix = np.linspace(0, 1, len(places))
    kept, slope = weights, 0.0
    middle = float(np.median(places))
    for _ in range(6):
        total = float(kept.sum())
        if total < 6:
            return middle - slope / 2, middle + slope / 2, 0.0
        x, y = float(kept @ mix) / total, float(kept @ places) / total
        spread = float(kept @ np.square(mix - x))
        slope = float(kept @ ((mix - x) * (places - y))) / max(spread, 1e-6)
        middle = y + slope * (0.5 - x)
        stray = np.abs(places - middle - slope * (mix - 0.5)) / 3.0
        kept = np.square(1 - np.minimum(stray, 1) ** 2) * weights
    on = (np.abs(places - middle - slope * (mix - 0.5)) < 1.5) & (weights > 0)
    return middle - slope / 2, middle + slope / 2, float(on.mean())


def _lasting(cuts: Any, near: float, far: float, step: float) -> float:
    """Whether both sides of the line still differ at twice the box's distance from it."""
    at = np.rint(np.linspace(near, far, len(cuts)) + _BOX).astype(np.intp)
    reach = np.arange(3, 2 * _BOX)
    rows, last = np.arange(len(cuts))[:, None], cuts.shape[1] - 1
    inner = cuts[rows, np.clip(at[:, None] + reach, 0, last)].mean(1)
    outer = cuts[rows, np.clip(at[:, None] - reach, 0, last)].mean(1)
    apart = float(np.linalg.norm(np.median(inner - outer, axis=0)))
    return min(1.0, apart / max(step, _NO_STEP))


def _crossing(one: Any, two: Any) -> Point | None:
    """Where two lines (point, direction) meet."""
    (a, along), (b, across) = one, two
    turn = along[0] * across[1] - along[1] * across[0]
    if abs(turn) < 1e-9 * float(np.hypot(*along) * np.hypot(*across)) or not np.isfinite(turn):
        return None
    part = ((b[0] - a[0]) * across[1] - (b[1] - a[1]) * across[0]) / turn
    return float(a[0] + part * along[0]), float(a[1] + part * along[1])
