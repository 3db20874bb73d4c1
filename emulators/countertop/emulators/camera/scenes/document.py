"""A document on the mat of a document camera: a letter on A4, or the picture of a page or a card."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from countertop.emulators.camera.scenes.layers import Layer
from countertop.emulators.camera.scenes.letter import A4, draw_letter
from countertop.emulators.camera.scenes.people import read_picture
from countertop.emulators.camera.scenes.settings import SceneSettings

__all__ = ["cast_shadow", "document_corners", "draw_document"]

_A4_HEIGHT = 0.78
"""Of the frame's, so that the page is inside however it is turned."""
_ID1 = (85.60, 53.98)
_LEAN = 0.012
"""How much narrower the far edge is: the camera does not look straight down."""


def draw_document(picture: bytes, seed: int) -> Layer:
    """The picture, or the letter; it covers all of its rectangle."""
    page = read_picture(picture) if picture else draw_letter(seed)
    return Layer(page, np.full(page.shape[:2], 255, np.uint8))


def document_corners(settings: SceneSettings, width: int, height: int) -> Any:
    """Where the document's corners are in the frame, (4, 2) in pixels, clockwise from the document's upper left one.

    Without a size a page of A4 is 0.78 of the frame's height; a picture with the proportions of an ID-1 card is
    as large beside it as in life; any other one fills as much as A4 does.
    """
    wide, high = _proportions(settings.picture)
    if settings.size:
        scale = settings.size * height / high
    elif settings.picture and abs(max(wide, high) / min(wide, high) / (_ID1[0] / _ID1[1]) - 1) < 0.04:
        scale = _A4_HEIGHT * height / 297 * _ID1[0] / max(wide, high)
    else:
        scale = _A4_HEIGHT * height * np.hypot(210, 297) / 297 / np.hypot(wide, high)
    x, y = wide * scale / 2, high * scale / 2
    angle = np.radians(settings.turned)
    turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
    corners = np.array(((-x, -y), (x, -y), (x, y), (-x, y))) @ turn.T
    corners *= 1 + _LEAN * corners[:, 1:] / (height / 2)
    return corners + np.array((width / 2, height / 2))


def cast_shadow(mat: Any, corners: Any) -> None:
    """Darken the mat (BGR, changed in place) beside the document, as a lamp at the upper left does."""
    height, width = mat.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    shifted = corners + np.array((0.006, 0.008)) * height
    cv2.fillConvexPoly(mask, np.round(shifted * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    dark = cv2.GaussianBlur(mask, (0, 0), max(0.8, height / 140)).astype(np.float32) / 255
    mat[:] = (mat * (1 - 0.6 * dark[..., None])).astype(np.uint8)


def _proportions(picture: bytes) -> tuple[float, float]:
    return _picture_proportions(picture) if picture else A4


@lru_cache(maxsize=4)
def _picture_proportions(picture: bytes) -> tuple[float, float]:
    high, wide = read_picture(picture).shape[:2]
    return float(wide), float(high)
