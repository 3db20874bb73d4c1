"""Pictures for tests of presence: a living face as cameras see it, and the same face on a screen and on paper.

The attacks are drawn, cheap and always the same: they show that the parts work together, not how well any attack is
seen.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from tests.shared_data import shared_file

Picture = np.ndarray[Any, Any]


def shared_picture(name: str) -> Picture:
    picture = cv2.imread(str(shared_file(f"faces/{name}")))
    assert picture is not None
    return picture


def jpeg(picture: Picture, quality: int = 90) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def noisy(picture: Picture, sigma: float, seed: int) -> Picture:
    noise = np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def brightened(picture: Picture, factor: float) -> Picture:
    return np.clip(picture.astype(np.float32) * factor, 0, 255).astype(np.uint8)


def shifted(picture: Picture, right: int, down: int) -> Picture:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(picture, matrix, (picture.shape[1], picture.shape[0]), borderMode=cv2.BORDER_REPLICATE)


def counter(height: int, width: int, seed: int) -> Picture:
    """A room behind the counter: soft light, a few edges, the camera's noise."""
    y, x = np.mgrid[0:height, 0:width]
    light = 120 + 50 * np.sin(x / width * 2.1 + seed) + 30 * np.cos(y / height * 2.7 + seed)
    room = np.stack([light * 0.95, light, light * 1.05], axis=-1)
    for n in range(4):
        left = int(width * ((seed * 0.37 + n * 0.29) % 1))
        room[:, left : left + width // 14] *= 0.7 + 0.1 * n
    return noisy(cv2.GaussianBlur(np.clip(room, 0, 255), (0, 0), 3), 3, seed)


def onto(scene: Picture, flat: Picture, area: tuple[float, float, float, float], turned: float) -> Picture:
    """Something flat in the scene: `area` is its left, top, width and height in parts of it; turned in degrees."""
    height, width = scene.shape[:2]
    left, top, across, down = area[0] * width, area[1] * height, area[2] * width, area[3] * height
    h, w = flat.shape[:2]
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    angle = np.radians(turned)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[0, 0], [across, 0], [across, down], [0, down]]) - (across / 2, down / 2)
    target = (corners @ turn + (left + across / 2, top + down / 2)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    mask = cv2.warpPerspective(np.full((h, w), 255, np.uint8), matrix, (width, height), flags=cv2.INTER_LINEAR)
    laid = cv2.warpPerspective(flat, matrix, (width, height), flags=cv2.INTER_LINEAR)
    share = mask[:, :, np.newaxis] / 255.0
    return np.clip(laid * share + scene * (1 - share), 0, 255).astype(np.uint8)


def phone_replay(face: Picture, seed: int, *, size: tuple[int, int] = (480, 640)) -> Picture:
    """A phone that shows the face: bezel, cold and bright picture, its grid against the camera's, a reflection."""
    rng = np.random.default_rng(seed)
    screen = cv2.resize(face, (540, 720)).astype(np.float32)
    screen = np.power(screen / 255, 0.85) * 255 * np.array([1.08, 1.0, 0.93])
    y, x = np.mgrid[0:720, 0:540]
    period = 2.6 + 0.5 * rng.random()
    screen *= (1 + 0.06 * np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / (period * 1.03)))[:, :, np.newaxis]
    glare = np.exp(-(((x - 540 * rng.random()) / 120) ** 2) - ((y - 200) / 300) ** 2)
    screen = np.clip(screen + 55 * glare[:, :, np.newaxis], 0, 255).astype(np.uint8)
    phone = cv2.copyMakeBorder(screen, 46, 46, 16, 16, cv2.BORDER_CONSTANT, value=(18, 16, 16))
    width, height = size
    scale = 0.74 + 0.16 * rng.random()
    area = ((1 - scale) / 2, (1 - scale) / 2 + 0.02 * rng.random(), scale, scale)
    shown = onto(counter(height, width, seed), phone, area, float(rng.uniform(-6, 6)))
    return noisy(cv2.GaussianBlur(shown, (0, 0), 0.8), 3, seed)


def printed(face: Picture, seed: int, *, size: tuple[int, int] = (480, 640)) -> Picture:
    """A print of the face on paper: halftone dots, ink's smaller range of colours, white edges, a hand's tilt."""
    rng = np.random.default_rng(seed)
    ink = cv2.resize(face, (540, 720)).astype(np.float32)
    ink = 35 + ink * 0.72
    grey = ink.mean(axis=-1, keepdims=True)
    ink = grey + (ink - grey) * 0.7
    y, x = np.mgrid[0:720, 0:540]
    dots = np.sin(2 * np.pi * (x + y) / 4.2) * np.sin(2 * np.pi * (x - y) / 4.2)
    ink = np.clip(ink + 14 * dots[:, :, np.newaxis], 0, 255).astype(np.uint8)
    paper = cv2.copyMakeBorder(ink, 40, 40, 34, 34, cv2.BORDER_CONSTANT, value=(228, 232, 234))
    width, height = size
    scale = 0.74 + 0.16 * rng.random()
    area = ((1 - scale) / 2, (1 - scale) / 2 + 0.03 * rng.random(), scale, scale)
    shown = onto(counter(height, width, seed), paper, area, float(rng.uniform(-8, 8)))
    shade = 0.85 + 0.3 * np.mgrid[0:height, 0:width][1] / width
    shown = np.clip(shown * shade[:, :, np.newaxis], 0, 255).astype(np.uint8)
    return noisy(cv2.GaussianBlur(shown, (0, 0), 0.8), 3, seed)
