"""Planes as an Evolis printer takes them: one-bit panels compressed line by line, colours packed to their levels.

The reference for the compression is PackBits, of the same picture, by Pillow (libtiff, in C).
"""

from __future__ import annotations

import io
import statistics
import time
from functools import partial

import numpy as np
from PIL import Image

from benchmarks.card_design import MONO, card, photo
from benchmarks.harness import Figure, Settings, interleave
from countertop.drivers.evolis.bitmaps import compress, density, one_bit, packed
from countertop.sdk.cards.render import render

__all__ = ["run"]

PANEL_MEGABYTES = 648 * 1016 / 8 / 1e6


def compressed(panel: bytes, count: int) -> list[float]:
    """Seconds of each."""
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        compress(panel)
        samples.append(time.perf_counter() - start)
    return samples


def pack_bits(panel: bytes, count: int) -> list[float]:
    """Seconds of each, by libtiff."""
    picture = Image.frombytes("1", (648, 1016), panel)
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        picture.save(io.BytesIO(), "TIFF", compression="packbits")
        samples.append(time.perf_counter() - start)
    return samples


def colours(rgb: np.ndarray, levels: int, count: int) -> list[float]:
    """Milliseconds of three panels."""
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        for panel in "ymc":
            packed(density(rgb, panel), levels)
        samples.append((time.perf_counter() - start) * 1e3)
    return samples


def run(settings: Settings) -> list[Figure]:
    """The example card for a black ribbon, and the colours of 128 levels."""
    front = render(card("mono-card", photo())(1), MONO).front
    if front is None or front.black is None:
        raise AssertionError("the example has a front in black")
    panel = one_bit(front.black)
    pair = interleave((partial(compressed, panel, 20), partial(pack_bits, panel, 20)), settings.count(24), warm_up=2)
    times = Figure.of("one-bit panel, compressed", "ms", pair, scale=1e3, bytes=len(compress(panel)))
    speed = [PANEL_MEGABYTES / sample for samples in pair.ours for sample in samples]
    others = [PANEL_MEGABYTES / sample for samples in pair.reference for sample in samples]
    rgb = np.random.default_rng(1).integers(0, 256, (648, 1016, 3)).astype(np.uint8)
    return [
        times,
        Figure("the same, of the panel's bytes", "MB/s", statistics.median(speed), statistics.median(others)),
        Figure("three panels of 128 levels", "ms", statistics.median(colours(rgb, 128, settings.count(24)))),
    ]
