"""What is behind: a room of a branch, and the mat of a document camera."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

__all__ = ["draw_mat", "draw_room"]


def draw_room(width: int, height: int, seed: int) -> Any:
    """A wall with a window, a picture, a shelf and a plant, out of focus. BGR (height, width, 3)."""
    random = np.random.default_rng((seed, 1))
    high = min(height, 540)
    wide = max(1, round(width * high / height))
    down = np.linspace(1, 0, high, dtype=np.float32)[:, None]
    across = np.linspace(0, 1, wide, dtype=np.float32)[None, :]
    room: Any = (170 + 30 * down - 45 * across)[..., None] * np.array((0.97, 1.0, 1.03), np.float32)

    def box(left: float, top: float, right: float, bottom: float, colour: tuple[int, int, int]) -> None:
        """In parts of the height, counted from the middle of the wall."""
        middle = wide / 2
        one = (round(middle + left * high), round(top * high))
        other = (round(middle + right * high), round(bottom * high))
        cv2.rectangle(room, one, other, colour, -1)

    box(-0.86, 0.06, -0.42, 0.62, (120, 116, 110))
    box(-0.84, 0.08, -0.65, 0.60, (248, 240, 226))
    box(-0.63, 0.08, -0.44, 0.60, (246, 236, 220))
    box(0.42, 0.12, 0.70, 0.46, (70, 82, 92))
    box(0.44, 0.14, 0.68, 0.44, (150, 128, 96))
    box(0.44, 0.32, 0.68, 0.44, (84, 120, 100))
    box(-2, 0.80, 2, 0.83, (92, 112, 128))
    box(-2, 0.83, 2, 1.2, (120, 138, 150))
    for index in range(7):
        tall = float(random.uniform(0.10, 0.18))
        left = 0.46 + index * 0.045
        colour = tuple(int(value) for value in random.integers(50, 170, 3))
        box(left, 0.80 - tall, left + 0.04, 0.80, (colour[0], colour[1], colour[2]))
    for _ in range(26):
        angle = float(random.uniform(-2.6, -0.5))
        end = (-0.66 + 0.2 * np.cos(angle), 0.74 + 0.26 * np.sin(angle))
        points = [(round(wide / 2 + x * high), round(y * high)) for x, y in ((-0.66, 0.76), end)]
        cv2.line(room, points[0], points[1], (60, 100 + int(random.integers(0, 50)), 70), max(1, high // 60))
    room = cv2.GaussianBlur(room, (0, 0), high / 220)
    return cv2.resize(np.clip(room, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)


def draw_mat(width: int, height: int, seed: int) -> Any:
    """A dark green cutting mat with a woven texture under a lamp. BGR (height, width, 3)."""
    random = np.random.default_rng((seed, 2))
    grain = random.standard_normal((height, width), dtype=np.float32)
    scale = height / 720
    coarse = cv2.resize(grain[: height // 8 + 1, : width // 8 + 1], (width, height), interpolation=cv2.INTER_CUBIC)
    texture = cv2.GaussianBlur(grain, (0, 0), max(0.6, 0.9 * scale)) * 5 + coarse * 2.5
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    lamp = 1.1 - 0.22 * ((x + 0.25) ** 2 + (y + 0.3) ** 2)
    shade = (62 + texture) * lamp
    return np.clip(shade[..., None] * np.array((0.95, 1.1, 0.72), np.float32), 0, 255).astype(np.uint8)
