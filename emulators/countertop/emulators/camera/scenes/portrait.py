"""Draws a person from the front: head, hair, shoulders, with light from the upper left."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np

from countertop.emulators.camera.scenes.faces import Face
from countertop.emulators.camera.scenes.layers import Layer

__all__ = ["FACE_CENTRE", "UNITS_HIGH", "UNITS_WIDE", "draw_person"]

UNITS_WIDE, UNITS_HIGH = 120, 260
"""Of the drawing; the card's photo is its part from (9, 0) on, 102 by 126, and below it the body goes on."""
FACE_CENTRE = (60.0, 60.0)
"""Of the face in the drawing, in units."""
_DOTS = 8
"""Of a unit."""
_X = 60.0
_LIGHT = np.array((-0.35, -0.5, 0.79), np.float32)


class _Canvas:
    """Colours (BGR, 0 to 255) and how much they cover."""

    def __init__(self, random: Any) -> None:
        shape = (UNITS_HIGH * _DOTS, UNITS_WIDE * _DOTS)
        self.colour: Any = np.zeros((*shape, 3), np.float32)
        self.cover: Any = np.zeros(shape, np.float32)
        self.random = random

    def ellipse(
        self,
        at: tuple[float, float],
        radii: tuple[float, float],
        colour: Any,
        *,
        soft: float = 0.25,
        round_: float = 0.0,
        opacity: float = 1.0,
        cut: tuple[float, float] = (-1e9, 1e9),
        only_on: bool = False,
        hollow: float = 0.0,
    ) -> None:
        """An ellipse in units. `soft` is the width of its edge, `round_` how much it is shaded as an egg is, `cut`
        the rows between which it is drawn; `only_on` paints what is there already and adds nothing around it; `hollow`
        is the part of the radii that stays free, in a ring.
        """
        margin = soft + 0.5
        left, right = self._span(at[0] - radii[0] - margin, at[0] + radii[0] + margin, UNITS_WIDE)
        top = max(at[1] - radii[1] - margin, cut[0])
        top, bottom = self._span(top, min(at[1] + radii[1] + margin, cut[1]), UNITS_HIGH)
        if left >= right or top >= bottom:
            return
        x = (np.arange(left, right, dtype=np.float32) + 0.5) / _DOTS - at[0]
        y = ((np.arange(top, bottom, dtype=np.float32) + 0.5) / _DOTS - at[1])[:, None]
        far = np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2)
        inside = np.clip(0.5 + (1 - far) * min(radii) / max(soft, 0.05), 0, 1) * opacity
        if hollow:
            inside *= np.clip(0.5 + (far - hollow) * min(radii) / max(soft, 0.05), 0, 1)
        paint = np.broadcast_to(np.asarray(colour, np.float32), (*far.shape, 3))
        if round_:
            depth = np.sqrt(np.clip(1 - far**2, 0.02, 1))
            light = x / radii[0] * _LIGHT[0] + y / radii[1] * _LIGHT[1] + depth * _LIGHT[2]
            paint = paint * (1 + round_ * (light - 0.62))[..., None]
        area = (slice(top, bottom), slice(left, right))
        if only_on:
            inside = inside * self.cover[area]
        self.colour[area] += (paint - self.colour[area]) * inside[..., None]
        if not only_on:
            self.cover[area] += (1 - self.cover[area]) * inside

    def strokes(self, at: tuple[float, float], radii: tuple[float, float], strength: float, angle: float = 90) -> None:
        """Fine lines over what is drawn there, as hair and cloth have them."""
        left, right = self._span(at[0] - radii[0], at[0] + radii[0], UNITS_WIDE)
        top, bottom = self._span(at[1] - radii[1], at[1] + radii[1], UNITS_HIGH)
        noise = self.random.standard_normal((bottom - top, right - left)).astype(np.float32)
        kernel = np.zeros((41, 41), np.float32)
        cv2.ellipse(kernel, (20, 20), (20, 1), angle, 0, 360, 1.0, -1)
        noise = cv2.filter2D(noise, -1, kernel / np.sqrt(kernel.sum()))
        x = (np.arange(left, right, dtype=np.float32) / _DOTS - at[0]) / radii[0]
        y = ((np.arange(top, bottom, dtype=np.float32) / _DOTS - at[1]) / radii[1])[:, None]
        noise *= np.clip((1 - np.sqrt(x**2 + y**2)) * 4, 0, 1)
        self.colour[top:bottom, left:right] *= (1 + strength * noise)[..., None]

    @staticmethod
    def _span(low: float, high: float, units: int) -> tuple[int, int]:
        return max(0, int(low * _DOTS)), min(units * _DOTS, int(high * _DOTS) + 1)


@cache
def draw_person(face: Face, seed: int) -> Layer:
    """The person, 960 by 2080 pixels; the background shows around. The same for the same seed."""
    canvas = _Canvas(np.random.default_rng(seed))
    _back_hair(canvas, face)
    _body(canvas, face)
    _head(canvas, face)
    for side in (-1, 1):
        _eye(canvas, face, side)
    _nose(canvas, face)
    _mouth(canvas, face)
    if face.glasses:
        _glasses(canvas, face)
    grain = canvas.random.standard_normal(canvas.cover.shape).astype(np.float32)
    canvas.colour += (cv2.GaussianBlur(grain, (0, 0), 1.5) * 4)[..., None]
    return Layer(np.clip(canvas.colour, 0, 255).astype(np.uint8), (canvas.cover * 255).astype(np.uint8))


def _bgr(colour: str) -> Any:
    return np.frombuffer(bytes.fromhex(colour), np.uint8)[::-1].astype(np.float32)


def _back_hair(canvas: _Canvas, face: Face) -> None:
    if face.long_hair:
        at, radii = (_X, face.centre + 14), (face.half_width + 6, face.half_height + 6)
        canvas.ellipse(at, radii, _bgr(face.hair) * 0.8, soft=0.8, round_=0.6)
        canvas.strokes(at, radii, 0.06)


def _body(canvas: _Canvas, face: Face) -> None:
    coat, skin = _bgr(face.coat), _bgr(face.skin)
    canvas.ellipse((_X, 130), (face.shoulders, 900), coat, soft=0.6, round_=0.45, cut=(130, UNITS_HIGH))
    canvas.ellipse((_X, 130), (face.shoulders, 34), coat, soft=0.6, round_=0.45, cut=(0, 131))
    canvas.strokes((_X, 180), (60, 84), 0.02, angle=70)
    canvas.ellipse((_X, 98), (13, 10), (245, 243, 240), soft=0.4, round_=0.3)
    canvas.ellipse((_X, face.centre + face.half_height - 2), (9, 14), skin * 0.78, soft=0.6, round_=0.25)
    for side in (-1, 1):  # the collar's wings
        canvas.ellipse((_X + side * 9.5, 101), (7, 4.5), (250, 248, 246), soft=0.4, round_=0.5)
    canvas.ellipse((_X, 135), (0.35, 28), coat * 0.55, soft=0.5)


def _head(canvas: _Canvas, face: Face) -> None:
    skin, hair = _bgr(face.skin), _bgr(face.hair)
    middle, high = face.centre + 4, face.half_height - 3
    canvas.ellipse((_X, middle + high - 3), (14, 9), skin * 0.55, soft=7, opacity=0.6, cut=(middle, 110), only_on=True)
    top = (_X, face.centre - 5), (face.half_width + 4, face.half_height + face.hair_over - 2)
    canvas.ellipse(*top, hair, soft=0.8, round_=0.9, cut=(0, face.centre + (20 if face.long_hair else 4)))
    canvas.strokes(top[0], top[1], 0.05)
    for side in (-1, 1):
        ear = (_X + side * face.half_width, middle)
        canvas.ellipse(ear, (3.5, 6), skin * 0.93, soft=0.4, round_=0.5)
        canvas.ellipse(ear, (1.6, 3.6), skin * 0.75, soft=1.2, opacity=0.6)
    canvas.ellipse((_X, middle), (face.half_width, high), skin, soft=0.6, round_=0.42)
    shine = np.minimum(skin * 1.16, 255)
    canvas.ellipse((_X - 3, middle - high + 11), (13, 7), shine, soft=7, opacity=0.5)
    for side in (-1, 1):
        blush = skin * np.array((0.9, 0.9, 1.04), np.float32)
        canvas.ellipse((_X + side * 13, middle + 7), (6, 5), blush, soft=5, opacity=0.5)
        canvas.ellipse(
            (_X + side * (face.half_width - 1), middle + 8), (4, 14), skin * 0.8, soft=4, opacity=0.45, only_on=True
        )
    if face.beard:
        jaw = (_X, middle + high - 8), (face.half_width * 0.78, 10.5)
        canvas.ellipse(*jaw, hair * 0.9, soft=5, opacity=face.beard, only_on=True)
        canvas.strokes(*jaw, 0.04)


def _eye(canvas: _Canvas, face: Face, side: int) -> None:
    skin, hair = _bgr(face.skin), _bgr(face.hair)
    x, y = _X + side * face.eye_apart, face.eye_line
    canvas.ellipse((x, y - 1), (6.4, 4.6), skin * 0.8, soft=3, opacity=0.5)
    canvas.ellipse((x, y - 0.4), (5.0, 3.0), skin * 0.42, soft=0.5, opacity=face.lids)
    canvas.ellipse((x, y), (4.7, 2.7), (238, 240, 240), soft=0.3, round_=0.25)
    canvas.ellipse((x, y), (2.35, 2.35), (30, 42, 58), soft=0.3)
    canvas.ellipse((x, y), (1.15, 1.15), (10, 8, 8), soft=0.3)
    canvas.ellipse((x - 0.8, y - 0.9), (0.55, 0.5), (255, 255, 255), soft=0.3)
    canvas.ellipse((x, y - 2.3), (4.9, 0.8), skin * 0.35, soft=0.5, opacity=0.85 * face.lids)
    canvas.ellipse((x, y + 4.4), (4.6, 0.7), skin * 0.78, soft=1.2, opacity=0.5 * face.lids)
    brow = (x + side * 0.3, y - face.brow_over)
    canvas.ellipse(brow, (5.8, face.brow_thick + 0.2), hair * 0.9, soft=0.9, opacity=0.95)
    canvas.strokes(brow, (6, 2), 0.05, angle=75)


def _nose(canvas: _Canvas, face: Face) -> None:
    skin = _bgr(face.skin)
    tip = face.centre + 9
    canvas.ellipse((_X + 2.2, tip - 6), (1.6, 7), skin * 0.83, soft=1.8, opacity=0.55 * face.nose_deep)
    canvas.ellipse((_X - 0.6, tip - 6), (1.3, 7), np.minimum(skin * 1.14, 255), soft=1.6, opacity=0.6 * face.nose_deep)
    canvas.ellipse((_X, tip), (face.nose_half, 2.1), np.minimum(skin * 1.03, 255), soft=1.6, round_=0.5, opacity=0.8)
    canvas.ellipse(
        (_X, tip + 1.9), (face.nose_half, 0.9), skin * 0.66, soft=1.2, opacity=0.75 * (0.4 + 0.6 * face.nose_deep)
    )
    for side in (-1, 1):
        canvas.ellipse(
            (_X + side * face.nose_half * 0.6, tip + 1.2),
            (0.9, 0.6),
            skin * 0.4,
            soft=0.7,
            opacity=0.85 * face.nose_deep,
        )


def _mouth(canvas: _Canvas, face: Face) -> None:
    skin, lips = _bgr(face.skin), _bgr(face.lips)
    y, wide, thick = face.centre + 18, face.mouth_half, face.mouth_thick
    for side in (-1, 1):
        canvas.ellipse((_X + side * wide * 0.36, y - 0.5), (wide * 0.66, thick * 0.95), lips * 0.9, soft=0.7)
    canvas.ellipse((_X, y + 0.7), (wide * 0.82, thick * 1.15), lips * 1.06, soft=0.7, round_=0.4)
    canvas.ellipse((_X, y), (wide * 0.98, 0.35), lips * 0.45, soft=0.5)
    canvas.ellipse((_X, y + 4.2), (wide * 0.6, 1.1), skin * 0.78, soft=1.6, opacity=0.5)
    if face.moustache:
        for side in (-1, 1):
            over = (_X + side * 4.2, y - 3.6), (5.4, 1.9)
            canvas.ellipse(*over, _bgr(face.hair) * 0.9, soft=1.2, opacity=face.moustache)
            canvas.strokes(*over, 0.05, angle=60)


def _glasses(canvas: _Canvas, face: Face) -> None:
    for side in (-1, 1):
        canvas.ellipse(
            (_X + side * face.eye_apart, face.eye_line + 0.6), (8.0, 6.4), (28, 24, 22), soft=0.3, hollow=0.87
        )
    canvas.ellipse((_X, face.eye_line - 1.2), (face.eye_apart - 7.6, 0.5), (28, 24, 22), soft=0.3)
