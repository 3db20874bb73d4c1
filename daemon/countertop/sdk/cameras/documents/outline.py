"""From black and white masks to shapes with four corners that may be a document."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from countertop.sdk.cameras.documents.quad import Quad

__all__ = ["MOST_SIDE", "Candidate", "outlines", "shrink"]

MOST_SIDE = 700
"""Pixels of the longer side of the picture that is searched; corners are refined on the full one."""
LEAST_PART, MOST_PART = 0.012, 0.985
"""Of the picture's area, for a document: a card takes a fortieth of what a stand for A4 sees."""
_CLOSE = np.ones((5, 5), np.uint8)
_SAME = 0.012
"""Corners that lie nearer together than this part of the picture's longer side are one candidate."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A shape that was seen."""

    quad: Quad
    """On the shrunk picture."""
    coverage: float
    """How much of shape and quad are the same, 0 to 1: intersection through union."""


def shrink(picture: Any) -> tuple[Any, int]:
    """A picture (height, width, 3) whose longer side has at most MOST_SIDE pixels, and how many of the full one's
    pixels make one of its. That is a whole number, which is quick; what is left over at the right and below is cut off.
    """
    height, width = picture.shape[:2]
    scale = -(-max(height, width) // MOST_SIDE)
    if scale == 1:
        return picture, 1
    size = (width // scale, height // scale)
    whole = picture[: size[1] * scale, : size[0] * scale]
    return cv2.resize(whole, size, interpolation=cv2.INTER_AREA), scale


def outlines(masks: Iterable[Any], most: int) -> list[Candidate]:
    """What has four corners on any of the masks (height, width; uint8, 0 or 255): `most` of it, the likeliest
    first.
    """
    found: list[Candidate] = []
    for mask in masks:
        reach = _SAME * max(mask.shape)
        for candidate in _shapes(mask):
            twin = next(
                (index for index, known in enumerate(found) if known.quad.distance(candidate.quad) < reach), None
            )
            if twin is None:
                found.append(candidate)
            elif candidate.coverage > found[twin].coverage:
                found[twin] = candidate
    found.sort(key=lambda one: one.coverage * one.quad.area**0.25, reverse=True)
    return found[:most]


def _shapes(mask: Any) -> Iterator[Candidate]:
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _CLOSE)
    shapes, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    whole = mask.shape[0] * mask.shape[1]
    sized = [(cv2.contourArea(cv2.convexHull(shape)), shape) for shape in shapes if len(shape) > 3]
    sized = [(area, shape) for area, shape in sized if LEAST_PART <= area / whole <= MOST_PART]
    for _, shape in sorted(sized, key=lambda one: -one[0])[:4]:
        yield from _cornered(shape)
        # what hangs on by a thread: a finger, a cable, the end of a shadow
        alone = _opened(shape, mask.shape)
        if alone is not None:
            yield from _cornered(alone)


def _opened(shape: Any, size: tuple[int, int]) -> Any:
    drawn = np.zeros(size, np.uint8)
    cv2.drawContours(drawn, [shape], -1, 255, cv2.FILLED)
    wide = max(3, int(math.sqrt(cv2.contourArea(shape)) / 8)) | 1
    opened = cv2.morphologyEx(drawn, cv2.MORPH_OPEN, np.ones((wide, wide), np.uint8))
    shapes, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(shapes, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) < LEAST_PART * size[0] * size[1]:
        return None
    return largest


def _cornered(shape: Any) -> Iterator[Candidate]:
    hull = cv2.convexHull(shape)
    corners = _four(hull)
    if corners is None:
        return
    quad = Quad.of(corners)
    if not quad.convex or min(quad.lengths) < 10:
        return
    union = cv2.contourArea(hull)
    meet, _ = cv2.intersectConvexConvex(hull.astype(np.float32), np.array(quad.corners, np.float32).reshape(-1, 1, 2))
    # a gap in a drawn outline is no gap in the document: filled as far as its hull when it is open
    filled = max(cv2.contourArea(shape), 0.0)
    coverage = meet / max(1.0, union + quad.area - meet)
    if filled > 0.5 * union:
        coverage *= 0.5 + 0.5 * filled / union
    yield Candidate(quad, float(min(1.0, coverage)))


def _four(hull: Any) -> Any:
    """The hull's four corners, or None: it is simplified until four are left."""
    around = cv2.arcLength(hull, closed=True)
    for part in (0.012, 0.018, 0.025, 0.035, 0.05, 0.07, 0.09):
        corners = cv2.approxPolyDP(hull, part * around, closed=True)
        if len(corners) == 4:
            return corners.reshape(4, 2)
        if len(corners) < 4:
            break
    box = cv2.boxPoints(cv2.minAreaRect(hull))
    return box if cv2.contourArea(box) else None
