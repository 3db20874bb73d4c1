"""Whether it is a living face or something that shows one: silent liveness, by models that see the face and what is
around it.

A few pixels more or less of the box can turn such a model's answer, so each face is also cut by boxes that are moved
and scaled a little, and the median counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from countertop.analysis.geometry import Box
from countertop.analysis.manifest import InputSpec, ModelSpec
from countertop.analysis.nets import Net, blob
from countertop.analysis.pictures import Picture, cut

__all__ = ["Cuts", "Liveness", "around", "jittered"]

Cuts = tuple[Picture, ...]
"""What each model is shown of one box."""

_MOVES = ((0.0, 0.0, 0.0), (-1.0, 1.0, -1.0), (1.0, -1.0, 1.0))
"""Right, down, larger: times the jitter. The first is the box itself."""


class Liveness:
    """Models of silent liveness, asked together."""

    def __init__(self, models: Sequence[tuple[ModelSpec, bytes]]) -> None:
        self.specs = tuple(spec for spec, _ in models)
        self._nets = tuple(Net(spec, data) for spec, data in models)
        self._classes = tuple(int(spec.threshold("live_class")) for spec in self.specs)

    def cuts(self, picture: Picture, box: Box) -> Cuts:
        """What the models need of a picture to judge one box; copies."""
        return tuple(around(picture, box, spec.input) for spec in self.specs)

    def score(self, cuts: Cuts) -> tuple[float, ...]:
        """How alive it is to each model, 0 to 1."""
        scores = []
        for net, live, picture in zip(self._nets, self._classes, cuts, strict=True):
            values = net(blob(picture, net.spec.input))[0].ravel()
            chances = np.exp(values - values.max())
            scores.append(float(chances[live] / chances.sum()))
        return tuple(scores)


def jittered(box: Box, jitter: float) -> tuple[Box, ...]:
    """The box itself, then the others; `jitter` is a part of its sides, 0 to 0.2."""
    return tuple(
        box.grown(1 + larger * jitter, right=right * jitter, down=down * jitter) for right, down, larger in _MOVES
    )


def around(picture: Picture, box: Box, spec: InputSpec) -> Picture:
    """A model's view of a face: `spec.crop` times its box, no larger than the picture and moved into it, scaled to the
    model's size.
    """
    height, width = picture.shape[:2]
    factor = min(spec.crop, (width - 1) / max(box.width, 1.0), (height - 1) / max(box.height, 1.0))
    view = box.grown(factor)
    x = min(max(view.x, 0.0), max(0.0, width - 1 - view.width))
    y = min(max(view.y, 0.0), max(0.0, height - 1 - view.height))
    left, top = int(x), int(y)
    part = cut(picture, Box(left, top, int(x + view.width) + 1 - left, int(y + view.height) + 1 - top))
    if part is None:
        part = picture
    return cv2.resize(part, (spec.width, spec.height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
