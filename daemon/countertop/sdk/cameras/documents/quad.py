"""Four corners on a picture, and what can be measured of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from countertop.sdk.errors import InvalidRequest

__all__ = ["Point", "Quad"]

Point = tuple[float, float]
"""Pixels to the right and down from the picture's upper left corner."""


@dataclass(frozen=True, slots=True)
class Quad:
    """Four corners of a document: upper left, upper right, lower right, lower left of it, clockwise as it is seen."""

    corners: tuple[Point, Point, Point, Point]

    @classmethod
    def of(cls, points: Iterable[Sequence[float]]) -> Quad:
        """Put the corners of a convex quadrilateral, given in any order, in theirs.

        The document's upper side is the one that runs most to the right: right for everything that lies within 45° of
        upright. The same corners give the same Quad, whatever order they came in. Raises ValueError when there are not
        four finite points.
        """
        # sorted first, so that sums do not depend on the order either
        found = sorted((float(x), float(y)) for x, y in points)
        if len(found) != 4 or not all(math.isfinite(value) for point in found for value in point):
            raise ValueError("a quad has four finite corners")
        x, y = sum(point[0] for point in found) / 4, sum(point[1] for point in found) / 4
        around = sorted(found, key=lambda point: math.atan2(point[1] - y, point[0] - x))
        turns = [around[first:] + around[:first] for first in range(4)]
        upper = max(turns, key=lambda turn: (_rightward(turn[0], turn[1]), -turn[0][1], -turn[0][0]))
        return cls((upper[0], upper[1], upper[2], upper[3]))

    @classmethod
    def given(cls, points: Sequence[Sequence[float]], width: int, height: int, field: str = "corners") -> Quad:
        """The corners that a person has set on a picture of `width` by `height` pixels, in the order in which they
        came.

        Raises InvalidRequest when these are not four corners, clockwise, of a convex shape on the picture.
        """
        found = [(float(x), float(y)) for x, y in points]
        if len(found) != 4:
            raise InvalidRequest({field: f"expected 4 corners, got {len(found)}"})
        # a dragged corner may lie a little beyond the picture
        room = 0.05 * max(width, height)
        for index, (x, y) in enumerate(found):
            if not (-room <= x <= width + room and -room <= y <= height + room):
                raise InvalidRequest({f"{field}[{index}]": f"expected a point of the picture, {width} by {height}"})
        quad = cls((found[0], found[1], found[2], found[3]))
        if not quad.convex or quad.area < 64:
            raise InvalidRequest({field: "expected corners from the upper left one clockwise, of a convex shape"})
        return quad

    @property
    def sides(self) -> tuple[tuple[Point, Point], ...]:
        """Upper, right, lower and left side, clockwise."""
        return tuple(pairwise((*self.corners, self.corners[0])))

    @property
    def lengths(self) -> tuple[float, ...]:
        """Of the sides, in pixels."""
        return tuple(math.dist(*side) for side in self.sides)

    @property
    def width(self) -> float:
        """Mean of upper and lower side, in pixels."""
        return (self.lengths[0] + self.lengths[2]) / 2

    @property
    def height(self) -> float:
        """Mean of right and left side, in pixels."""
        return (self.lengths[1] + self.lengths[3]) / 2

    @property
    def aspect(self) -> float:
        """Longer side through shorter one, 1 or more; infinite for a line."""
        short, long = sorted((self.width, self.height))
        return long / short if short else math.inf

    @property
    def area(self) -> float:
        """In square pixels; negative when the corners run anticlockwise."""
        return sum(ax * by - bx * ay for (ax, ay), (bx, by) in self.sides) / 2

    @property
    def convex(self) -> bool:
        """Every corner turns clockwise, and really turns."""
        return all(_cross(a, b, c) > 1e-9 for a, b, c in self._turns())

    @property
    def angles(self) -> tuple[float, ...]:
        """Inner angles at the corners, in degrees."""
        return tuple(_angle(a, b, c) for a, b, c in self._turns())

    def scaled(self, x: float, y: float) -> Quad:
        """On a picture that is so many times as wide and as high. Points are pixels' centres, and move by halves."""
        a, b, c, d = (((px + 0.5) * x - 0.5, (py + 0.5) * y - 0.5) for px, py in self.corners)
        return Quad((a, b, c, d))

    def lying(self) -> Quad:
        """The same corners, with a long side as the upper one: of the two the one that runs more to the right."""
        if self.width >= self.height:
            return self
        a, b, c, d = self.corners
        return Quad((b, c, d, a)) if _rightward(b, c) > _rightward(d, a) else Quad((d, a, b, c))

    def distance(self, other: Quad) -> float:
        """Of the two corners that lie farthest apart, in pixels, in whichever order they are."""
        return min(
            max(
                math.dist(a, b)
                for a, b in zip(self.corners, other.corners[first:] + other.corners[:first], strict=True)
            )
            for first in range(4)
        )

    def _turns(self) -> list[tuple[Point, Point, Point]]:
        return [(self.corners[at - 1], self.corners[at], self.corners[(at + 1) % 4]) for at in range(4)]


def _cross(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _angle(a: Point, b: Point, c: Point) -> float:
    one, two = math.atan2(a[1] - b[1], a[0] - b[0]), math.atan2(c[1] - b[1], c[0] - b[0])
    return abs((math.degrees(two - one) + 180) % 360 - 180)


def _rightward(start: Point, end: Point) -> float:
    """Cosine of a side's direction; rounded, so that a tie is one."""
    length = math.dist(start, end)
    return round((end[0] - start[0]) / length, 12) if length else -1.0
