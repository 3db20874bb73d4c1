"""Pictures with holes, laid over one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

__all__ = ["Layer", "Placed", "place"]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A picture that covers a part of what is behind it."""

    colour: Any
    """BGR, bytes (height, width, 3)."""
    cover: Any
    """Bytes (height, width): 0 lets through, 255 covers."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A layer as it lies in a frame, ready to be moved by a little and laid down many times."""

    picture: Any
    """BGR times cover, and what comes through, bytes (height, width, 4): warping four channels is faster than three."""
    left: int
    top: int

    def lay(self, frame: Any, move: Any) -> None:
        """Lay it over a frame (BGR, changed in place), moved by `move`, a 2 by 3 matrix in the frame's pixels."""
        height, width = self.picture.shape[:2]
        corners = np.array(((0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1)), np.float32)
        to_frame = move.copy()
        to_frame[:, 2] += move[:, :2] @ (self.left, self.top)
        reach = corners @ to_frame.T
        left, top = np.maximum(np.floor(reach.min(axis=0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(reach.max(axis=0)).astype(int), (frame.shape[1], frame.shape[0]))
        if left >= right or top >= bottom:
            return
        to_frame[:, 2] -= (left, top)
        size = (int(right - left), int(bottom - top))
        moved = cv2.warpAffine(self.picture, to_frame, size, borderValue=(0, 0, 0, 255))
        colour = cv2.cvtColor(moved, cv2.COLOR_BGRA2BGR)
        through = cv2.merge([cv2.extractChannel(moved, 3)] * 3)
        area = frame[top:bottom, left:right]
        cv2.multiply(area, through, dst=through, scale=1 / 255)
        area[:] = cv2.add(through, colour)


def place(layer: Layer, corners: Any, width: int, height: int) -> Placed:
    """Where a layer lies in a frame of that size: its corners come to `corners`, (4, 2), clockwise from the upper left,
    which may be outside of the frame.
    """
    to = np.asarray(corners, np.float32)
    margin = 0.02 * max(width, height) + 8  # so that a moved layer shows no edge that was cut at the frame
    left, top = np.floor(np.maximum(to.min(axis=0), -margin)).astype(int)
    right, bottom = np.ceil(np.minimum(to.max(axis=0), (width + margin, height + margin))).astype(int) + 1
    size = (max(1, int(right - left)), max(1, int(bottom - top)))
    high, wide = layer.cover.shape
    shrink = max(1.0, min(wide / max(1.0, _side(to, 0)), high / max(1.0, _side(to, 1))))
    colour = layer.colour.astype(np.float32) * (layer.cover.astype(np.float32) / 255)[..., None]
    cover = layer.cover
    if shrink > 1.5:  # warping alone would skip pixels
        small = (max(1, round(wide / shrink)), max(1, round(high / shrink)))
        colour = cv2.resize(colour, small, interpolation=cv2.INTER_AREA)
        cover = cv2.resize(cover, small, interpolation=cv2.INTER_AREA)
        wide, high = small
    source = np.array(((0, 0), (wide, 0), (wide, high), (0, high)), np.float32)
    matrix = cv2.getPerspectiveTransform(source, (to - np.array((left, top))).astype(np.float32))
    flat = cv2.warpPerspective(colour, matrix, size, flags=cv2.INTER_LINEAR)
    hidden = cv2.warpPerspective(cover, matrix, size, flags=cv2.INTER_LINEAR)
    picture = np.dstack((np.clip(flat, 0, 255).astype(np.uint8), 255 - hidden))
    return Placed(picture, int(left), int(top))


def _side(corners: Any, start: int) -> float:
    """The mean length of two opposite sides."""
    first = np.linalg.norm(corners[(start + 1) % 4] - corners[start])
    second = np.linalg.norm(corners[(start + 3) % 4] - corners[(start + 2) % 4])
    return float(first + second) / 2
