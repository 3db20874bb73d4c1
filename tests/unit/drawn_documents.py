"""Documents under a camera, drawn: mats, sheets and cards, light, shadows, noise, and where the corners really are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

__all__ = ["MATS", "Scene", "card", "document_scene", "empty_scene", "mat", "sheet"]

MATS = ("dark", "green", "wood", "white")


@dataclass(frozen=True)
class Scene:
    """A picture, BGR of 8 bits, and the document's corners on it, upper left first, clockwise."""

    picture: np.ndarray
    corners: tuple[tuple[float, float], ...]


@cache
def mat(kind: str, width: int, height: int) -> np.ndarray:
    """What the document lies on, as it is, float32."""
    rng = np.random.default_rng(11)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    unit = width / 1920
    if kind == "dark":
        ground = np.full((height, width, 3), (42, 40, 38), np.float32)
        ground += _grain(rng, height, width, 1.5 * unit, 3)[..., None]
    elif kind == "green":
        ground = np.full((height, width, 3), (88, 112, 46), np.float32)
        step = round(60 * unit)
        ground[::step] += 45
        ground[:, ::step] += 45
        ground += _grain(rng, height, width, 2 * unit, 2)[..., None]
    elif kind == "wood":
        rings = np.sin((y + 25 * np.sin(x / (310 * unit)) * unit + 9 * np.sin(x / (83 * unit)) * unit) / (11 * unit))
        broad = np.sin(y / (70 * unit) + 0.8 * np.sin(x / (500 * unit)))
        ground = np.array((92, 140, 182), np.float32) + (14 * rings + 16 * broad)[..., None]
        ground += cv2.blur(_grain(rng, height, width, 1, 22), (round(41 * unit), 1))[..., None] * 3
    else:
        ground = np.full((height, width, 3), (226, 231, 233), np.float32)
        ground += _grain(rng, height, width, 3 * unit, 1.5)[..., None]
    return ground


@cache
def sheet() -> np.ndarray:
    """A page of A4 at 130 dpi, printed on."""
    rng = np.random.default_rng(5)
    page = np.full((1520, 1075, 3), (243, 246, 247), np.float32)
    page[90:150, 120:680] = (70, 60, 60)
    page[90:170, 820:950] = (60, 60, 190)
    for top in range(240, 1380, 34):
        at, end = 110, int(rng.integers(600, 960))
        while at < end:
            word = int(rng.integers(20, 90))
            page[top : top + 14, at : min(at + word, end)] = rng.integers(30, 110)
            at += word + 12
    return page


@cache
def card() -> np.ndarray:
    """A card of 85.60 by 53.98 mm at 300 dpi."""
    y, x = np.mgrid[0:638, 0:1011].astype(np.float32)
    face = np.stack((232 - x / 40, 224 - y / 30 + 6 * np.sin(x / 30), 205 + x / 50), axis=-1)
    face[120:500, 660:940] = (150, 120, 110)
    face[180:330, 740:860] = (150, 180, 215)
    for top in (90, 170, 250, 330, 430, 540):
        face[top : top + 26, 60 : 330 + top % 97 * 3] = (60, 50, 45)
    return face


def document_scene(seed: int, kind: str = "dark", *, a4: bool = True, width: int = 1920, height: int = 1080,
                   shade: bool = False, fill: float | None = None, cast: bool = True) -> Scene:  # fmt: skip
    """A sheet or a card on a mat. `shade` lays a shadow over a part of it all; `cast`: the document throws a small
    one of its own. `fill` is its height as a part of the picture's.
    """
    rng = np.random.default_rng(seed)
    art = sheet() if a4 else card()
    lying = a4 and bool(rng.integers(0, 2))
    size = fill or (rng.uniform(0.62, 0.8) if not a4 or not lying else rng.uniform(0.5, 0.6))
    high = size * height * (1 if a4 else 0.55)
    if lying:
        high = high * art.shape[0] / art.shape[1] * 0.95
    wide = high * art.shape[1] / art.shape[0]
    turn = math.radians(rng.uniform(-14, 14) + (90 if lying else 0))
    middle = np.array((width, height)) / 2 + rng.uniform(-0.03, 0.03, 2) * (width, height)
    local = np.array(((-wide, -high), (wide, -high), (wide, high), (-wide, high))) / 2
    rotation = np.array(((math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn))))
    corners = local @ rotation.T + middle + rng.uniform(-0.02, 0.02, (4, 2)) * min(wide, high)
    ground = mat(kind, width, height).copy()
    alpha, warped = _laid(art, corners, width, height, rounded=not a4)
    unit = width / 1920
    if cast:
        drop = cv2.warpAffine(alpha, np.array(((1, 0, 6 * unit), (0, 1, 8 * unit)), np.float32), (width, height))
        ground *= (1 - 0.35 * cv2.GaussianBlur(drop, (0, 0), 7 * unit))[..., None]
    seen = ground * (1 - alpha[..., None]) + warped * alpha[..., None]
    if shade:
        seen *= _shadow(rng, width, height)[..., None]
    seen *= rng.uniform(0.88, 1.08)
    return Scene(_shot(seen, rng, unit), tuple((float(x), float(y)) for x, y in corners))


def empty_scene(seed: int, kind: str = "dark", *, width: int = 1920, height: int = 1080, shade: bool = False) -> Scene:
    """The mat alone."""
    rng = np.random.default_rng(seed)
    seen = mat(kind, width, height).copy()
    if shade:
        seen *= _shadow(rng, width, height)[..., None]
    return Scene(_shot(seen * rng.uniform(0.92, 1.05), rng, width / 1920), ())


def _grain(rng: np.random.Generator, height: int, width: int, sigma: float, strength: float) -> np.ndarray:
    raw = rng.standard_normal((height, width), dtype=np.float32)
    smooth = cv2.GaussianBlur(raw, (0, 0), max(sigma, 0.4))
    return smooth * (strength / float(smooth.std()))


def _shadow(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Somebody leans over it: a soft edge, somewhere, in some direction, down to 55 %."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    direction, soft = rng.uniform(0, 2 * math.pi), rng.uniform(0.12, 0.4) * width
    along = (x - width / 2) * math.cos(direction) + (y - height / 2) * math.sin(direction)
    edge = rng.uniform(-0.15, 0.15) * width
    return (1 - rng.uniform(0.3, 0.45) / (1 + np.exp(-(along - edge) / soft * 6))).astype(np.float32)


def _laid(art: np.ndarray, corners: np.ndarray, width: int, height: int, *, rounded: bool) -> tuple[np.ndarray, ...]:
    """How far the document covers each pixel, and its colours there."""
    rows, columns = art.shape[:2]
    cover = np.zeros((rows, columns), np.float32)
    radius = round(columns * 3.18 / 85.6) if rounded else 0
    cover[radius : rows - radius] = 1
    cover[:, radius : columns - radius] = 1
    if radius:
        for x in (radius, columns - 1 - radius):
            for y in (radius, rows - 1 - radius):
                cv2.circle(cover, (x, y), radius, 1.0, -1)
    edges = ((-0.5, -0.5), (columns - 0.5, -0.5), (columns - 0.5, rows - 0.5), (-0.5, rows - 0.5))
    fine = 2
    matrix = cv2.getPerspectiveTransform(np.float32(edges), np.float32((corners + 0.5) * fine - 0.5))
    size = (width * fine, height * fine)
    alpha = cv2.resize(cv2.warpPerspective(cover, matrix, size), (width, height), interpolation=cv2.INTER_AREA)
    small = cv2.getPerspectiveTransform(np.float32(edges), np.float32(corners))
    colors = cv2.warpPerspective(art, small, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return alpha, colors


def _shot(seen: np.ndarray, rng: np.random.Generator, unit: float) -> np.ndarray:
    """Through a lens and a sensor, and compressed as cameras do."""
    blurred = cv2.GaussianBlur(seen.astype(np.float32), (0, 0), max(0.5, 0.8 * unit))
    noisy = blurred + rng.standard_normal(blurred.shape, dtype=np.float32) * 2.5
    picture = np.clip(noisy, 0, 255).astype(np.uint8)
    _, file = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])
    return cv2.imdecode(file, cv2.IMREAD_COLOR)
