"""People before the room: drawn ones, or the one of a photo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from countertop.emulators.camera.scenes.faces import FACE_HEIGHT, OTHER, RESIDENT, Face
from countertop.emulators.camera.scenes.layers import Layer, place
from countertop.emulators.camera.scenes.portrait import FACE_CENTRE, UNITS_HIGH, draw_person
from countertop.emulators.camera.scenes.rooms import draw_room

__all__ = ["Person", "drawn", "photographed", "read_picture", "shot"]

_CARD_HEIGHT = 126
_LARGEST_SIDE = 2000
_EYE_LEVEL = 0.47
"""Of the frame's height, from above."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody as a layer, and where the face is in it, in its pixels."""

    layer: Layer
    face: tuple[float, float]
    """Its centre."""
    face_height: float

    def corners(self, across: float, face_height: float, height: float) -> Any:
        """Where the layer's corners come, (4, 2), when the face is so high and its centre `across`, in pixels of a
        frame so high. The face is near the middle; a small one stands lower, since nobody floats.
        """
        high, wide = self.layer.cover.shape
        scale = face_height / self.face_height
        down = max(_EYE_LEVEL * height, height - (high - self.face[1]) * scale)
        left, top = across - self.face[0] * scale, down - self.face[1] * scale
        right, bottom = left + wide * scale, top + high * scale
        return np.array(((left, top), (right, top), (right, bottom), (left, bottom)))


def drawn(*, other: bool, seed: int) -> Person:
    """The resident of the emulated ID card, or another person."""
    face: Face = OTHER if other else RESIDENT
    layer = draw_person(face, seed)
    dots = layer.cover.shape[0] / UNITS_HIGH
    return Person(layer, (FACE_CENTRE[0] * dots, FACE_CENTRE[1] * dots), FACE_HEIGHT * _CARD_HEIGHT * dots)


def photographed(data: bytes) -> Person:
    """The person of a photo: a portrait, whose face is taken to be where one is on an ID photo. The edges are soft."""
    picture = read_picture(data)
    high, wide = picture.shape[:2]
    margin = max(1, round(0.05 * min(high, wide)))
    cover = np.zeros((high, wide), np.uint8)
    cover[margin:, margin : wide - margin] = 255  # a person goes on below
    cover = cv2.blur(cover, (2 * margin + 1, 2 * margin + 1), borderType=cv2.BORDER_REPLICATE)
    return Person(Layer(picture, cover), (wide * 0.5, high * _EYE_LEVEL), FACE_HEIGHT * high)


@lru_cache(maxsize=4)
def read_picture(data: bytes) -> Any:
    """A checked file as BGR, with at most 2000 pixels a side."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("picture: expected a JPEG, PNG or BMP file that can be decoded")
    shrink = _LARGEST_SIDE / max(picture.shape[:2])
    if shrink < 1:
        picture = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return picture


def shot(person: Person, width: int, height: int, face: float, seed: int) -> Any:
    """A picture that was taken of the person in a room, BGR (height, width, 3); `face` is the part of its height."""
    picture = draw_room(width, height, seed + 7)
    placed = place(person.layer, person.corners(width / 2, face * height, height), width, height)
    placed.lay(picture, np.array(((1.0, 0, 0), (0, 1.0, 0))))
    return picture
