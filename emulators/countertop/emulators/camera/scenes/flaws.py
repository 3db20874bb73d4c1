"""What is wrong with a picture: too dark, blurred, a lamp in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from countertop.bench.v1 import bench_pb2 as bench
from countertop.bench.v1.bench_pb2 import SceneFlaw

__all__ = ["make_flaw"]

_DARK = 0.11
_BLUR = 1 / 110
"""Standard deviation of the blur, in parts of the height."""
_LAMPS = ((-0.1, -0.12, 0.17, 0.07), (0.14, 0.06, 0.10, 0.045))
"""Centre and radii of the reflections, in parts of the height from the middle."""


def make_flaw(flaw: SceneFlaw, width: int, height: int) -> Callable[[Any], Any] | None:
    """A function from picture to picture, both BGR bytes (height, width, 3); None when nothing is wrong."""
    if flaw == bench.SCENE_FLAW_DARK:
        return lambda picture: cv2.convertScaleAbs(picture, alpha=_DARK)
    if flaw == bench.SCENE_FLAW_BLUR:
        return lambda picture: _blur(picture, height * _BLUR)
    if flaw == bench.SCENE_FLAW_GLARE:
        lamp = _glare(width, height)
        return lambda picture: cv2.add(picture, lamp)
    return None


def _blur(picture: Any, sigma: float) -> Any:
    """Blurred at a reduced size, which is as good and several times as fast."""
    factor = max(1, int(sigma / 1.5))
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (max(1, width // factor), max(1, height // factor)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.5, sigma / factor))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _glare(width: int, height: int) -> Any:
    y = (np.arange(height, dtype=np.float32)[:, None] - height / 2) / height
    x = (np.arange(width, dtype=np.float32)[None, :] - width / 2) / height
    light = np.zeros((height, width), np.float32)
    for at_x, at_y, wide, high in _LAMPS:
        far = np.sqrt(((x - at_x) / wide) ** 2 + ((y - at_y) / high) ** 2)
        light += 300 * np.clip((1.25 - far) / 0.25, 0, 1) + 110 * np.exp(-(far**2) / 4)
    light += 18  # stray light all over
    return cv2.merge([np.clip(light * share, 0, 255).astype(np.uint8) for share in (0.98, 1.0, 1.0)])
