"""Finding faces: two models behind one protocol, each with its own way to say where a face is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Protocol

import cv2
import numpy as np

from countertop.analysis.geometry import Box, Face, Point, centre_of, suppress
from countertop.analysis.manifest import ModelSpec
from countertop.analysis.nets import Array, Net, blob
from countertop.analysis.pictures import Picture, cut, shrunk

__all__ = ["FaceDetector", "ShortRange", "YuNet", "aligned", "make_detector", "short_range_anchors"]

_YUNET_STRIDES = (8, 16, 32)
_YUNET_MULTIPLE = 32
"""The sides of its input are multiples of this."""
_SHORT_RANGE_GRIDS = ((16, 2), (8, 6))
"""Cells a side, and anchors in each cell."""
_SHORT_RANGE_BOX = (0.90, 1.06)
"""Its boxes are wider and less tall than those that the liveness models were made for: the medians of the ratios."""
_ALIGN_MARGIN = 2.0
"""Sides of a face's box that are looked at again for its landmarks."""
_EVEN = 8
"""The side of what is looked at again is a multiple of this: it is halved without a rest."""
_SAME = 0.3
"""Overlap from which two boxes are of one face."""
_WIDE = 1.2
"""Aspect from which a detector with a square input also looks at the middle alone."""


class FaceDetector(Protocol):
    """Finds faces on a picture. Used by one thread at a time or several: it keeps nothing between pictures."""

    spec: ModelSpec

    def detect(self, picture: Picture) -> list[Face]:
        """The faces in the picture's pixels, the best score first."""
        ...


def make_detector(spec: ModelSpec, data: bytes) -> FaceDetector:
    """A detector for a model, by the manifest's `decoder`. Raises ValueError for one that is not known."""
    kinds: dict[str, type[YuNet | ShortRange]] = {"yunet": YuNet, "short-range": ShortRange}
    if spec.decoder not in kinds:
        raise ValueError(f"models.toml: {spec.name}: decoder is one of {', '.join(kinds)}")
    return kinds[spec.decoder](spec, data)


def aligned(landmarks: FaceDetector, picture: Picture, face: Face) -> Face:
    """The face with its landmarks found again by looking at it alone; its box stays. Unchanged when it is not found.

    On a whole picture a face is small and its landmarks are coarse: YuNet at 320 pixels misses a tilt of the head by 20
    degrees, and the descriptors of one face then lie apart by up to 0.7; of the short-range model's second look by 0.1.
    """
    side = _EVEN * round(max(face.box.width, face.box.height) * _ALIGN_MARGIN / _EVEN)
    x, y = face.box.centre
    area = Box(max(0.0, round(x - side / 2)), max(0.0, round(y - side / 2)), side, side)
    part = cut(picture, area)
    if part is None:
        return face
    found = [again.at_scale(1.0, right=area.x, down=area.y) for again in landmarks.detect(part)]
    best = max(found, key=lambda again: again.box.overlap(face.box), default=face)
    return replace(best, box=face.box, score=face.score) if best.box.overlap(face.box) > _SAME else face


class YuNet:
    """YuNet: any size of picture, shrunk to the manifest's; three grids of cells, five landmarks."""

    def __init__(self, spec: ModelSpec, data: bytes) -> None:
        self.spec = spec
        self._net = Net(spec, data)
        self._least, self._overlap = spec.threshold("score"), spec.threshold("overlap")

    def detect(self, picture: Picture) -> list[Face]:
        """The faces in the picture's pixels, the best score first."""
        small, factor = shrunk(picture, self.spec.input.width)
        padded = _padded(small, _up(small.shape[0]), _up(small.shape[1]))
        outputs = self._net(blob(padded, self.spec.input))
        faces: list[Face] = []
        for index, stride in enumerate(_YUNET_STRIDES):
            classes, objects, boxes, points = (outputs[index + 3 * kind][0] for kind in range(4))
            columns = padded.shape[1] // stride
            scores = np.sqrt(np.clip(classes[:, 0], 0, 1) * np.clip(objects[:, 0], 0, 1))
            for cell in np.flatnonzero(scores >= self._least):
                row, column = divmod(int(cell), columns)
                faces.append(_yunet_face(boxes[cell], points[cell], (column, row), stride, float(scores[cell])))
        return suppress([face.at_scale(1 / factor) for face in faces if _is_face(face)], self._overlap)


class ShortRange:
    """MediaPipe's short-range detector: a square of 128 pixels, 896 anchors, six landmarks."""

    def __init__(self, spec: ModelSpec, data: bytes) -> None:
        self.spec = spec
        self._net = Net(spec, data)
        self._side = spec.input.width
        self._least, self._overlap = spec.threshold("score"), spec.threshold("overlap")

    def detect(self, picture: Picture) -> list[Face]:
        """The faces in the picture's pixels, the best score first. Small ones in the middle of a wide picture are seen
        when there are no larger ones.
        """
        found = self._look(picture)
        height, width = picture.shape[:2]
        if found or max(width, height) < _WIDE * min(width, height):
            return found
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        middle = self._look(picture[top : top + side, left : left + side])
        return [face.at_scale(1.0, right=left, down=top) for face in middle]

    def _look(self, picture: Picture) -> list[Face]:
        small, factor = shrunk(picture, self._side)
        if factor == 1.0:  # it was trained on faces that fill a part of its square
            factor = self._side / max(picture.shape[:2])
            size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
            small = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
        regressors, scores = self._net(blob(_padded(small, self._side, self._side), self.spec.input))
        chances = 1 / (1 + np.exp(-np.clip(scores[0, :, 0], -80, 80)))
        faces = [
            _short_range_face(regressors[0, index], short_range_anchors()[index], self._side, float(chances[index]))
            for index in map(int, np.flatnonzero(chances >= self._least))
        ]
        kept = suppress([face for face in faces if _is_face(face)], self._overlap, _blended)
        return [_usual_box(face).at_scale(1 / factor) for face in kept]


@cache
def short_range_anchors() -> tuple[Point, ...]:
    """The centres of the 896 anchors, as parts of the square's side, row by row."""
    anchors: list[Point] = []
    for cells, count in _SHORT_RANGE_GRIDS:
        for row in range(cells):
            for column in range(cells):
                anchors += [((column + 0.5) / cells, (row + 0.5) / cells)] * count
    return tuple(anchors)


def _yunet_face(box: Array, points: Array, cell: tuple[int, int], stride: int, score: float) -> Face:
    column, row = cell
    x, y = (column + float(box[0])) * stride, (row + float(box[1])) * stride
    width, height = (math.exp(min(20.0, float(side))) * stride for side in box[2:4])
    marks = [((column + float(points[2 * n])) * stride, (row + float(points[2 * n + 1])) * stride) for n in range(5)]
    left, right = sorted(marks[:2])
    return Face(Box(x - width / 2, y - height / 2, width, height), left, right, marks[2], centre_of(marks[3:]), score)


def _short_range_face(values: Array, anchor: Point, side: int, score: float) -> Face:
    def point(index: int) -> Point:
        return float(values[index]) + anchor[0] * side, float(values[index + 1]) + anchor[1] * side

    x, y = point(0)
    width, height = float(values[2]), float(values[3])
    left, right = sorted((point(4), point(6)))
    return Face(Box(x - width / 2, y - height / 2, width, height), left, right, point(8), point(10), score)


def _blended(group: Sequence[Face]) -> Face:
    """The mean of a group, each weighed by its score: what one anchor misses by, another makes good."""
    total = sum(face.score for face in group)

    def mean(values: Sequence[float]) -> float:
        return sum(value * face.score for value, face in zip(values, group, strict=True)) / total

    def point(points: Sequence[Point]) -> Point:
        return mean([x for x, _ in points]), mean([y for _, y in points])

    boxes = [face.box for face in group]
    box = Box(
        mean([box.x for box in boxes]),
        mean([box.y for box in boxes]),
        mean([box.width for box in boxes]),
        mean([box.height for box in boxes]),
    )
    return Face(
        box,
        point([face.left_eye for face in group]),
        point([face.right_eye for face in group]),
        point([face.nose for face in group]),
        point([face.mouth for face in group]),
        group[0].score,
    )


def _usual_box(face: Face) -> Face:
    box = face.box
    across, down = (1 - factor for factor in _SHORT_RANGE_BOX)
    usual = Box(
        box.x + across * box.width / 2,
        box.y + down * box.height / 2,
        (1 - across) * box.width,
        (1 - down) * box.height,
    )
    return replace(face, box=usual)


def _is_face(face: Face) -> bool:
    values = (face.box.x, face.box.y, face.box.width, face.box.height, *face.left_eye, *face.right_eye, *face.mouth)
    return all(map(math.isfinite, values)) and face.box.area > 0 and face.left_eye != face.right_eye


def _padded(picture: Picture, height: int, width: int) -> Picture:
    down, right = height - picture.shape[0], width - picture.shape[1]
    if not down and not right:
        return picture
    return cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_CONSTANT).astype(np.uint8, copy=False)


def _up(side: int) -> int:
    return -(-side // _YUNET_MULTIPLE) * _YUNET_MULTIPLE
