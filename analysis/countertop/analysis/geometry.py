"""Boxes and points of a picture, in pixels from its upper left corner. Plain arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Box", "Face", "Point", "centre_of", "suppress"]

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle; it may lie partly outside the picture."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.y + self.height

    @property
    def centre(self) -> Point:
        """The middle."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def area(self) -> float:
        """In square pixels; 0 of one without extent."""
        return max(0.0, self.width) * max(0.0, self.height)

    def grown(self, factor: float, *, right: float = 0.0, down: float = 0.0) -> Box:
        """Scaled about its centre, then moved by parts of its own old sides."""
        x, y = self.centre
        x, y = x + right * self.width, y + down * self.height
        width, height = self.width * factor, self.height * factor
        return Box(x - width / 2, y - height / 2, width, height)

    def at_scale(self, factor: float, *, right: float = 0.0, down: float = 0.0) -> Box:
        """All coordinates times `factor`, then moved by pixels."""
        return Box(self.x * factor + right, self.y * factor + down, self.width * factor, self.height * factor)

    def overlap(self, other: Box) -> float:
        """Intersection over union, 0 to 1."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        common = max(0.0, width) * max(0.0, height)
        union = self.area + other.area - common
        return common / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Face:
    """A face that a detector found. Left and right are the picture's."""

    box: Box
    left_eye: Point
    right_eye: Point
    nose: Point
    mouth: Point
    """The middle of the mouth."""
    score: float
    """0 to 1."""

    def at_scale(self, factor: float, *, right: float = 0.0, down: float = 0.0) -> Face:
        """The same face on a picture of another scale, then moved by pixels."""

        def point(of: Point) -> Point:
            return of[0] * factor + right, of[1] * factor + down

        return Face(
            self.box.at_scale(factor, right=right, down=down),
            point(self.left_eye),
            point(self.right_eye),
            point(self.nose),
            point(self.mouth),
            self.score,
        )

    @property
    def roll(self) -> float:
        """How the eyes' line is turned, in degrees clockwise, -180 to 180; 0 is level."""
        across, down = self.right_eye[0] - self.left_eye[0], self.right_eye[1] - self.left_eye[1]
        return math.degrees(math.atan2(down, across))


def centre_of(points: Sequence[Point]) -> Point:
    """The mean of one or more points."""
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def suppress(
    faces: Sequence[Face], overlap: float, merge: Callable[[Sequence[Face]], Face] = lambda group: group[0]
) -> list[Face]:
    """One face of each group that overlaps the group's best by more than `overlap`; the best scores first.

    `merge` gets each group, its best first, and says which face stands for it.
    """
    rest = sorted(faces, key=lambda face: -face.score)
    kept = []
    while rest:
        best = rest[0]
        group = [face for face in rest if face is best or face.box.overlap(best.box) > overlap]
        rest = [face for face in rest if not any(face is member for member in group)]
        kept.append(merge(group))
    return kept
