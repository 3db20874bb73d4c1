"""How sure it is that a quad is a document: each sign a number from 0 to 1, all of them multiplied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from countertop.sdk.cameras.documents.quad import Quad
from countertop.sdk.cameras.documents.refine import Edge
from countertop.sdk.cameras.documents.sizes import SIZES_MM
from countertop.v1.camera_pb2 import DocumentSize

__all__ = ["Evidence", "weigh"]

_ASPECT_FREE, _ASPECT_NONE = 0.06, 0.16
"""How far the aspect may be from the expected one: without loss, and at all."""
_ANGLE_FREE, _ANGLE_NONE = 12.0, 40.0
"""Degrees from a right angle; a camera that is not straight above makes some."""
_AREA_FREE, _AREA_NONE = 0.02, 0.008
"""Part of the picture below which it is too small to be one."""
_TOUCH = 0.004
"""Of the picture's longer side: nearer to its border than this, a side may be cut off."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The signs. 1 speaks for it, 0 forbids it."""

    sides: float
    """They are straight, and steps."""
    angles: float
    """Right ones."""
    coverage: float
    """The shape that was seen is the quad."""
    aspect: float
    """Of the expected size."""
    area: float
    """Neither a speck nor all of the picture."""
    inside: float
    """Of the picture, with its border around it."""
    alike: float = 1.0
    """Its sides step alike: a line of the mat steps less than paper does. Not asked beside the empty stage."""
    explained: float = 1.0
    """Nothing else lies on the stage."""

    @property
    def confidence(self) -> float:
        """All of them."""
        return self.hint * self.alike

    @property
    def hint(self) -> float:
        """That something is there, if perhaps not with these sides."""
        return self.sides * self.angles * self.coverage * self.aspect * self.area * self.inside * self.explained


def weigh(quad: Quad, edges: Sequence[Edge], coverage: float, size: DocumentSize, width: int, height: int, *,
          explained: float | None) -> Evidence:  # fmt: skip
    """The evidence for a quad on a picture of `width` by `height`, found with `coverage`, expected to be of `size`
    (DocumentSize). `explained`: part of what differs from the empty stage that the quad holds; None when its edges were
    not seen beside that.
    """
    each = sorted(_side(edge, staged=explained is not None) for edge in edges)
    steps = [edge.step for edge in edges]
    alike = 1.0 if explained is not None else _falling(-min(steps) / max(*steps, 1e-6), -0.35, -0.1)
    worst = max(abs(angle - 90) for angle in quad.angles)
    part = quad.area / (width * height)
    return Evidence(
        sides=0.5 * each[0] + 0.5 * sum(each) / len(each),
        angles=_falling(worst, _ANGLE_FREE, _ANGLE_NONE),
        coverage=0.3 + 0.7 * _falling(1 - coverage, 0.06, 0.4),
        aspect=_aspect(quad, size),
        area=_falling(-part, -_AREA_FREE, -_AREA_NONE) * _falling(part, 0.93, 1.05),
        inside=_inside(quad, width, height),
        alike=alike,
        explained=1.0 if explained is None else 0.2 + 0.8 * _falling(1 - explained, 0.1, 0.5),
    )


def _side(edge: Edge, *, staged: bool) -> float:
    """A side of 0 is none. Beside the empty stage drawn lines are gone, and a step need not last."""
    straight = _falling(1 - edge.straight, 0.12, 0.75)
    strength = _falling(-edge.strength, -3.0, -1.2)
    step = _falling(-edge.step, -0.03, -0.008)
    lasting = 1.0 if staged else _falling(-edge.lasting, -0.5, -0.1)
    return straight * strength * step * lasting


def _aspect(quad: Quad, size: DocumentSize) -> float:
    if size not in SIZES_MM:
        return 1.0
    longer, shorter = SIZES_MM[size]
    off = abs(quad.aspect / (longer / shorter) - 1)
    return _falling(off, _ASPECT_FREE, _ASPECT_NONE)


def _inside(quad: Quad, width: int, height: int) -> float:
    """Each corner at the border, or beyond it, nearly halves it: what is not on the picture cannot be cut out of it."""
    near = _TOUCH * max(width, height)

    def touches(x: float, y: float) -> bool:
        return x < near or y < near or x > width - 1 - near or y > height - 1 - near

    corners = sum(touches(*corner) for corner in quad.corners)
    return 0.55**corners


def _falling(value: float, free: float, none: float) -> float:
    """1 as far as `free`, 0 from `none` on, a straight line between them."""
    return min(1.0, max(0.0, (none - value) / (none - free)))
