"""Whose face it is: a chip cut along the eyes and the mouth, and the distance of two chips' descriptors."""

from __future__ import annotations

import math

import cv2
import numpy as np

from countertop.analysis.geometry import Face, centre_of
from countertop.analysis.manifest import ModelSpec
from countertop.analysis.nets import Array, Net, blob
from countertop.analysis.pictures import Picture

__all__ = ["Recogniser", "chip_of", "distance"]

_CENTRE = (0.5, 0.43)
"""Where the mean of both eyes and the mouth lies on the chip, in its sides."""
_EYE_TO_MOUTH = 0.45
"""Distance from an eye to the mouth, in the chip's sides."""


class Recogniser:
    """Turns faces into descriptors: 128 numbers, near each other for one person."""

    def __init__(self, spec: ModelSpec, data: bytes) -> None:
        self.spec = spec
        self._net = Net(spec, data)

    def descriptor(self, picture: Picture, face: Face) -> Array:
        """The descriptor of a face, float32 (n,)."""
        return self._net(blob(chip_of(picture, face, self.spec.input.width), self.spec.input))[0].ravel()


def chip_of(picture: Picture, face: Face, side: int) -> Picture:
    """The face upright on a square of `side` pixels; black where the picture ends."""
    x, y = centre_of([face.left_eye, face.right_eye, face.mouth])
    reach = (math.dist(face.left_eye, face.mouth) + math.dist(face.right_eye, face.mouth)) / 2
    factor = side * _EYE_TO_MOUTH / max(reach, 1.0)
    matrix = cv2.getRotationMatrix2D((x, y), face.roll, factor)
    matrix[:, 2] += np.array([_CENTRE[0] * side - x, _CENTRE[1] * side - y])
    return cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def distance(one: Array, other: Array) -> float:
    """Euclidean distance of two descriptors."""
    return float(np.linalg.norm(one - other))
