"""A document under a camera: found, straightened, put together, against limits; the finder beside its usual way.

The usual way is what tutorials do: grey, blur, Canny, the largest contour that simplifies to four corners. It refines
nothing and judges nothing; how many documents each finds is in the details.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np

from benchmarks.harness import Figure, Settings, interleave, quantile
from countertop.sdk.cameras.documents import Quad, Stage, find
from countertop.sdk.cameras.documents.compose import compose
from countertop.sdk.cameras.documents.straighten import straighten
from countertop.v1 import camera_pb2
from tests.unit.drawn_documents import Scene, card, document_scene, empty_scene

__all__ = ["run"]

SIZES = {"1080p": (1920, 1080), "5 MP": (2592, 1944)}
MATS = ("dark", "green", "wood")
CLOSE = 0.012
LIMITS_MS = {"1080p": 100.0, "5 MP": 150.0}
STRAIGHTEN_LIMIT_MS = 300.0
A4 = camera_pb2.DOCUMENT_SIZE_A4


def usual(picture: Any) -> Quad | None:
    """The way of the tutorials."""
    gray = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (5, 5), 0)
    edges = cv2.dilate(cv2.Canny(gray, 75, 200), np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(edges, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    for contour in sorted(contours, key=cv2.contourArea, reverse=True)[:5]:
        corners = cv2.approxPolyDP(contour, 0.02 * cv2.arcLength(contour, closed=True), closed=True)
        if len(corners) == 4:
            return Quad.of(corners.reshape(4, 2))
    return None


def timed(calls: list[Callable[[], object]]) -> list[float]:
    """Milliseconds of each."""
    samples = []
    for call in calls:
        start = time.perf_counter()
        call()
        samples.append((time.perf_counter() - start) * 1e3)
    return samples


def right(scene: Scene, quad: Quad | None) -> bool:
    """All corners near the true ones."""
    return quad is not None and quad.distance(Quad.of(scene.corners)) < CLOSE * scene.picture.shape[1]


def finding(name: str, size: tuple[int, int], settings: Settings) -> list[Figure]:
    """Both methods on all mats."""
    count = settings.count(8)
    width, height = size
    scenes, stages = [], []
    for mat in MATS:
        stage = Stage.of(empty_scene(900, mat, width=width, height=height).picture, b"")
        for seed in range(count):
            shade = seed % 2 == 1
            scenes.append(document_scene(seed, mat, a4=seed % 4 < 2, width=width, height=height, shade=shade))
            stages.append(stage)
    pictures = [scene.picture for scene in scenes]
    theirs: list[Callable[[], object]] = [partial(usual, picture) for picture in pictures]
    found_theirs = sum(right(scene, usual(scene.picture)) for scene in scenes)
    figures = []
    for method, known in (("beside the empty stage", stages), ("by edges", [None] * len(scenes))):
        ours: list[Callable[[], object]] = [partial(find, *pair) for pair in zip(pictures, known, strict=True)]
        pair = interleave((partial(timed, ours), partial(timed, theirs)), settings.count(4))
        found = [find(*one) for one in zip(pictures, known, strict=True)]
        count_ours = sum(right(scene, one.quad) for scene, one in zip(scenes, found, strict=True))
        details = {"documents": len(scenes), "found": [count_ours, found_theirs]}
        figures.append(Figure.of(f"find {method}, {name}", "ms", pair, **details))
        samples = [sample for round_ in pair.ours for sample in round_]
        figures.append(limited(f"find {method}, {name}, p90", quantile(samples, 0.9), LIMITS_MS[name], samples))
    return figures


def limited(name: str, value: float, limit: float | None, samples: list[float]) -> Figure:
    """Beside a limit."""
    target = None if limit is None else 1.0
    return Figure(name, "ms", value, limit, target=target, details={"samples": len(samples), "least": min(samples)})


def run(settings: Settings) -> list[Figure]:
    """On one thread."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        figures = [figure for name, size in SIZES.items() for figure in finding(name, size, settings)]
        for name, (width, height) in SIZES.items():
            scene = document_scene(2, "dark", width=width, height=height)
            quad = Quad.of(scene.corners)
            samples = timed([partial(straighten, scene.picture, quad, size=A4)] * settings.count(12))
            figures.append(
                limited(f"A4 at 200 dpi from {name}", statistics.median(samples), STRAIGHTEN_LIMIT_MS, samples)
            )
        _, file = cv2.imencode(".jpg", card().astype(np.uint8))
        sides = [(file.tobytes(), "image/jpeg")] * 2
        samples = timed([partial(compose, sides, camera_pb2.PAGE_LAYOUT_CARD_ON_A4)] * settings.count(12))
        figures.append(limited("card on A4 at 300 dpi", statistics.median(samples), None, samples))
    finally:
        cv2.setNumThreads(threads)
    return figures
