"""What differs from the empty stage, whatever the light does.

A camera sets its exposure anew when a white sheet is laid down, and the day goes on. So the light's change is fitted
first, as a smooth gain for each colour, by what did not change; and edges of what differs count for more than its
level, since a shadow has soft ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

__all__ = ["Difference", "log_ratio"]

_OFFSET = 16.0
"""Added to levels before their ratio is taken: the noise of dark pixels counts for less."""
_CELL = 8
"""Pixels of the shrunk picture to a cell of the fit."""
_BORDER = 0.1
"""Of the picture's sides: where the stage is most likely seen."""
_ROUNDS = 8
_SURE, _FAINT = 6.0, 3.0
"""Times the noise, for what certainly and what perhaps differs."""
_LOG = np.log(np.arange(256, dtype=np.float32) + _OFFSET)
_LEAST_LEVEL = 0.02
"""Of the ratio: below it nothing is told from nothing."""


def log_ratio(seen: Any, empty: Any) -> Any:
    """Logarithm of the ratio of two pictures, or of pixels of them, float32."""
    return np.log((seen.astype(np.float32) + _OFFSET) / (empty.astype(np.float32) + _OFFSET))


@dataclass(frozen=True, slots=True)
class Difference:
    """How a shrunk picture differs from that of the empty stage, with the light's change taken out."""

    ratio: Any
    """Logarithms, (height, width, 3), float32: 0 where nothing changed."""
    level: Any
    """The same without a direction, (height, width)."""
    noise: float
    """Of `level`, where nothing changed."""
    fits: bool
    """The stage is seen in it at all: neither camera nor stage have been moved."""

    @classmethod
    def of(cls, shrunk: Any, empty: Any) -> Difference:
        """Of two shrunk pictures of one size."""
        ratio = cv2.subtract(
            cv2.LUT(cv2.GaussianBlur(shrunk, (3, 3), 0), _LOG), cv2.LUT(cv2.GaussianBlur(empty, (3, 3), 0), _LOG)
        )
        gain, kept = _gain(ratio)
        ratio = cv2.subtract(ratio, gain)
        level = cv2.GaussianBlur(_length(ratio), (3, 3), 0)
        some = level[_CELL // 2 :: _CELL, _CELL // 2 :: _CELL]
        still = cv2.resize(kept, some.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        noise = float(np.median(some[still])) if still.any() else float(np.median(some))
        return cls(ratio, level, max(noise, 0.004), bool(_strip(kept).mean() > 0.35))

    def masks(self) -> Iterator[Any]:
        """Where something lies, from sure to faint; then where its outline is."""
        least = self._least
        scaled = cv2.convertScaleAbs(self.level, alpha=160)
        otsu, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        yield _binary(self.level > max(least, otsu / 160))
        yield self._changed()
        yield _binary(self.level > least)
        yield self._edges()

    def _changed(self) -> Any:
        """Where something certainly lies that is not a shadow, 0 or 255: a shadow is darker, and of the same colour."""
        mean = cv2.transform(self.ratio, np.full((1, 3), 1 / 3, np.float32))
        colour = _length(cv2.subtract(self.ratio, cv2.merge((mean, mean, mean))))
        shadow = (mean < 0) & (mean > -0.9) & (colour < np.maximum(2.5 * self.noise, -0.12 * mean))
        return _binary((self.level > max(_LEAST_LEVEL, _SURE * self.noise)) & ~shadow)

    @property
    def _least(self) -> float:
        return max(_LEAST_LEVEL, _FAINT * self.noise)

    def sharp(self) -> Any:
        """Where what differs has certain edges, 0 or 255: no shadow has them, whether the fit took its side or not."""
        strength, usual = self._slope()
        return _binary(strength > max(self._least, _SURE * usual))

    def _edges(self) -> Any:
        strength, usual = self._slope()
        strong = _binary(strength > max(0.5 * self._least, _FAINT * usual))
        return cv2.morphologyEx(strong, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))

    def _slope(self) -> tuple[Any, float]:
        """How steeply the difference rises at each pixel, and what is usual."""
        smooth = cv2.GaussianBlur(self.ratio, (5, 5), 0)
        x = _length(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.25))
        y = _length(cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.25))
        strength = cv2.magnitude(x, y)
        return strength, float(np.median(strength[::4, ::4]))


def _gain(ratio: Any) -> tuple[Any, Any]:
    """A quadratic surface for each colour, fitted to cells that follow it, (height, width, 3); and which cells these
    are, small, 0 or 1.

    It begins with the border of the picture, where documents seldom lie, and goes on with all that fits.
    """
    height, width = ratio.shape[:2]
    size = (max(4, width // _CELL), max(4, height // _CELL))
    cells = cv2.resize(ratio, size, interpolation=cv2.INTER_AREA)
    x, y = np.meshgrid(np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1]))
    terms = np.stack((np.ones_like(x), x, y, x * x, x * y, y * y), axis=-1).reshape(-1, 6)
    values = cells.reshape(-1, 3).astype(np.float64)
    border = (np.maximum(np.abs(x), np.abs(y)) > 1 - 2 * _BORDER).reshape(-1)
    fit = np.zeros((6, 3))
    fit[0] = np.median(values[border], axis=0)
    kept = border.astype(np.float64)
    for round_ in range(_ROUNDS):
        rest = np.sqrt(np.square(values - terms @ fit).sum(1))
        among = rest[border] if round_ < _ROUNDS // 2 else rest
        spread = max(0.01, 1.5 * float(np.median(np.minimum(among, np.median(rest[border]) * 3))))
        kept = np.where(rest < 3 * spread, (1 - np.square(rest / (3 * spread))) ** 2, 0)
        weights = kept * border if round_ < _ROUNDS // 2 else kept
        # a little ridge on all but the constant: where only a corner of the stage is seen it stays flat
        ridge = np.diag((1e-9, *[0.02 * weights.sum() + 1e-9] * 5))
        weighted = terms * weights[:, None]
        fit = np.linalg.solve(weighted.T @ terms + ridge, weighted.T @ values)
    surface = (terms @ fit).reshape(size[1], size[0], 3).astype(np.float32)
    followed = (kept > 0.05).astype(np.uint8).reshape(size[1], size[0])
    return cv2.resize(surface, (width, height), interpolation=cv2.INTER_LINEAR), followed


def _strip(cells: Any) -> Any:
    """The cells along the border."""
    wide = max(1, round(min(cells.shape) * _BORDER))
    return np.concatenate(
        [part.ravel() for part in (cells[:wide], cells[-wide:], cells[wide:-wide, :wide], cells[wide:-wide, -wide:])]
    )


def _length(vectors: Any) -> Any:
    """Of each pixel's three numbers; several times as quick as a sum over the last axis."""
    one, two, three = cv2.split(vectors)
    return cv2.magnitude(cv2.magnitude(one, two), three)


def _binary(where: Any) -> Any:
    return where.astype(np.uint8) * 255
