"""Codes on a frame of 1280 by 720: zxing-cpp as the daemon calls it, beside OpenCV's own reader of QR codes.

Each frame has one QR code on a busy ground: upright, turned, in perspective, blurred, dark. How many each reads is
in the details.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import zxingcpp

from benchmarks.harness import Figure, Settings, interleave
from countertop.sdk.cameras.codes import scan
from countertop.v1.camera_pb2 import CodeFormat

__all__ = ["run"]

WIDTH, HEIGHT = 1280, 720
TEXT = "https://bank.example/pay?no=0123456789"
FRAMES = 20
EVERY = [value for value in CodeFormat.values() if value]


def frame(number: int, *, code: bool = True) -> Any:
    """One frame, grey."""
    rng = np.random.default_rng(number)
    cells = rng.integers(40, 220, (45, 80), dtype=np.uint8)
    ground = cv2.resize(cells, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    if code:
        art = np.asarray(zxingcpp.create_barcode(TEXT, zxingcpp.BarcodeFormat.QRCode).to_image(scale=8))
        side = art.shape[0]
        angle, size = rng.uniform(0, 2 * np.pi), rng.uniform(90, 160)
        turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
        corners = np.array(((-1, -1), (1, -1), (1, 1), (-1, 1))) * size @ turn.T + rng.uniform(-12, 12, (4, 2))
        corners += (rng.uniform(300, WIDTH - 300), rng.uniform(260, HEIGHT - 260))
        source = np.array(((0, 0), (side, 0), (side, side), (0, side)), np.float32)
        matrix = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
        cover = cv2.warpPerspective(np.ones_like(art), matrix, (WIDTH, HEIGHT)) > 0
        ground[cover] = cv2.warpPerspective(art, matrix, (WIDTH, HEIGHT))[cover]
    ground = cv2.GaussianBlur(ground, (0, 0), rng.uniform(0.5, 1.8)) * rng.uniform(0.3, 1.0)
    ground += rng.standard_normal(ground.shape) * 5
    return np.clip(ground, 0, 255).astype(np.uint8)


def timed(call: Callable[[Any], object], frames: list[Any]) -> list[float]:
    """Seconds of each frame."""
    samples = []
    for picture in frames:
        start = time.perf_counter()
        call(picture)
        samples.append(time.perf_counter() - start)
    return samples


def run(settings: Settings) -> list[Figure]:
    """On one thread, in this process."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        detector = cv2.QRCodeDetector()
        frames = [frame(number) for number in range(FRAMES)]
        bare = [frame(number, code=False) for number in range(FRAMES)]
        read_theirs = sum(detector.detectAndDecode(picture)[0] == TEXT for picture in frames)
        figures = []
        ways: dict[str, Callable[[Any], object]] = {"QR alone": scan, "every format": partial(scan, formats=EVERY)}
        for name, ours in ways.items():
            for kind, pictures in (("", frames), (", no code there", bare)):
                sides = (partial(timed, ours, pictures), partial(timed, detector.detectAndDecode, pictures))
                pair = interleave(sides, settings.count(4))
                read = sum(TEXT in [code.text for code in scan(picture)] for picture in frames)
                details = {"frames": FRAMES, "read": [read, read_theirs]}
                figures.append(Figure.of(f"{name}{kind}, p50", "ms", pair, scale=1e3, **details))
    finally:
        cv2.setNumThreads(threads)
    return figures
