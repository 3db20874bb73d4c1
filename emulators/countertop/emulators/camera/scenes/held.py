"""What people hold before a camera in place of themselves: a phone that shows somebody, a print on paper."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from countertop.emulators.camera.scenes.layers import Layer
from countertop.emulators.camera.scenes.people import Person, shot

__all__ = ["PHONE_LAYER", "phone", "phone_corners", "phone_with_person", "print_corners", "print_of_person", "tilted"]

_SCREEN = (594, 1056)
_BEZEL = 34
_FACE_ON_SCREEN = 0.5
_SHEET = (900, 1200)
_PAPER_MARGIN = 54
_FACE_ON_SHEET = 0.42
_SKIN = (118, 150, 196)
_PHONE_HEIGHT, _PHONE_WIDTH = _SCREEN[1] + 2 * _BEZEL, _SCREEN[0] + 2 * _BEZEL
_MARGIN = 100
"""Around a thing, for the fingers that hold it."""

PHONE_LAYER = (_PHONE_WIDTH + 2 * _MARGIN, _PHONE_HEIGHT + 2 * _MARGIN)
"""Width and height of a phone's layer."""


def phone_with_person(person: Person, seed: int) -> Layer:
    """A phone whose bright screen shows the person, with the moire that a camera sees on screens."""
    screen = shot(person, *_SCREEN, _FACE_ON_SCREEN, seed).astype(np.float32)
    screen = np.clip(screen * (1.18, 1.1, 1.04) + 14, 0, 255)
    y = np.arange(_SCREEN[1], dtype=np.float32)[:, None]
    x = np.arange(_SCREEN[0], dtype=np.float32)[None, :]
    wave = np.sin(0.42 * x + 0.06 * y + 2.5 * np.sin(y / 170)) + np.sin(0.05 * x - 0.47 * y + 2 * np.sin(x / 120))
    for channel, strength in enumerate((7.0, 5.0, 7.0)):
        screen[..., channel] += strength * np.roll(wave, 3 * channel, axis=1)
    streak = np.exp(-(((x + 0.6 * y - 520) / 90) ** 2))  # the room's window, reflected
    screen += 38 * streak[..., None]
    return phone(np.clip(screen, 0, 255).astype(np.uint8))


def phone(screen: Any) -> Layer:
    """A phone in a hand; `screen` is BGR, 1056 by 594."""
    high, wide = _PHONE_HEIGHT + 2 * _MARGIN, _PHONE_WIDTH + 2 * _MARGIN
    colour = np.full((high, wide, 3), 24, np.uint8)
    cover = np.zeros((high, wide), np.uint8)
    _rounded(cover, _MARGIN, _MARGIN, wide - _MARGIN, high - _MARGIN, 70, 255)
    rim = np.zeros_like(cover)
    _rounded(rim, _MARGIN + 6, _MARGIN + 6, wide - _MARGIN - 6, high - _MARGIN - 6, 66, 255)
    colour[rim == 0] = (96, 94, 92)
    top, left = _MARGIN + _BEZEL, _MARGIN + _BEZEL
    glass = np.zeros_like(cover)
    _rounded(glass, left, top, left + _SCREEN[0], top + _SCREEN[1], 40, 255)
    shown = colour.copy()
    shown[top : top + _SCREEN[1], left : left + _SCREEN[0]] = screen
    colour = np.where(glass[..., None] > 0, shown, colour)
    cv2.circle(colour, (wide // 2, _MARGIN + _BEZEL // 2), 8, (60, 44, 36), -1)
    glow = cv2.GaussianBlur(glass, (0, 0), 14)[..., None].astype(np.float32) / 255 * 34
    colour = np.where(glass[..., None] > 0, colour, np.clip(colour + glow, 0, 255).astype(np.uint8))
    _fingers(colour, cover, high, wide)
    return Layer(colour, cv2.GaussianBlur(cover, (0, 0), 1.2))


def print_of_person(person: Person, seed: int) -> Layer:
    """A picture of the person printed on paper: halftone, pale colours, a white edge, a curl."""
    wide, high = _SHEET
    picture = shot(person, wide - 2 * _PAPER_MARGIN, high - 2 * _PAPER_MARGIN, _FACE_ON_SHEET, seed).astype(np.float32)
    picture = picture * 0.72 + 52
    y = np.arange(picture.shape[0], dtype=np.float32)[:, None]
    x = np.arange(picture.shape[1], dtype=np.float32)[None, :]
    for channel, angle in enumerate((0.26, 1.31, 0.79)):
        along, over = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        picture[..., channel] += 22 * np.cos(along * 1.05) * np.cos(over * 1.05)
    sheet = np.full((high, wide, 3), (236, 240, 240), np.float32)
    sheet[_PAPER_MARGIN:-_PAPER_MARGIN, _PAPER_MARGIN:-_PAPER_MARGIN] = picture
    bend = np.linspace(-1, 1, wide, dtype=np.float32)[None, :, None]
    sheet *= 0.93 + 0.07 * np.cos(2.4 * bend + 0.8)
    colour = np.full((high + 2 * _MARGIN, wide + 2 * _MARGIN, 3), 200, np.uint8)
    cover = np.zeros(colour.shape[:2], np.uint8)
    inside = (slice(_MARGIN, _MARGIN + high), slice(_MARGIN, _MARGIN + wide))
    colour[inside] = np.clip(sheet, 0, 255).astype(np.uint8)
    cover[inside] = 255
    _fingers(colour, cover, *cover.shape)
    return Layer(colour, cv2.GaussianBlur(cover, (0, 0), 1.0))


def phone_corners(face_size: float, width: int, height: int, *, turned: float = 4.0) -> Any:
    """Where the phone's layer lies when the face on it is so high, as a part of the frame's height."""
    scale = face_size * height / (_FACE_ON_SCREEN * _SCREEN[1])
    return tilted(*PHONE_LAYER, scale, turned, width, height)


def print_corners(face_size: float, width: int, height: int) -> Any:
    """The same for the print."""
    scale = face_size * height / (_FACE_ON_SHEET * (_SHEET[1] - 2 * _PAPER_MARGIN))
    return tilted(_SHEET[0] + 2 * _MARGIN, _SHEET[1] + 2 * _MARGIN, scale, -5.0, width, height)


def tilted(wide: float, high: float, scale: float, turned: float, width: int, height: int) -> Any:
    """Corners, (4, 2), of a thing in the middle of the frame, turned clockwise by degrees and leaning back a little."""
    x, y = wide * scale / 2, high * scale / 2
    flat = np.array(((-0.97 * x, -y), (0.97 * x, -y * 0.985), (x, y), (-x, y * 0.985)))
    angle = np.radians(turned)
    turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
    return flat @ turn.T + (width / 2, height / 2)


def _rounded(mask: Any, left: int, top: int, right: int, bottom: int, radius: int, value: int) -> None:
    cv2.rectangle(mask, (left + radius, top), (right - radius - 1, bottom - 1), value, -1)
    cv2.rectangle(mask, (left, top + radius), (right - 1, bottom - radius - 1), value, -1)
    for x in (left + radius, right - radius - 1):
        for y in (top + radius, bottom - radius - 1):
            cv2.circle(mask, (x, y), radius, value, -1)


def _fingers(colour: Any, cover: Any, high: int, wide: int) -> None:
    """A thumb on the right edge, and two finger tips on the left one."""
    places = (((wide - 82, int(high * 0.66)), (78, 34), 160), ((76, int(high * 0.58)), (50, 24), 15))
    for at, radii, angle in (*places, ((74, int(high * 0.68)), (50, 25), 8)):
        cv2.ellipse(colour, at, radii, angle, 0, 360, [int(part * 0.72) for part in _SKIN], -1, cv2.LINE_AA)
        inner = (radii[0] - 7, radii[1] - 6)
        cv2.ellipse(colour, (at[0], at[1] - 3), inner, angle, 0, 360, _SKIN, -1, cv2.LINE_AA)
        cv2.ellipse(cover, at, radii, angle, 0, 360, 255, -1, cv2.LINE_AA)
