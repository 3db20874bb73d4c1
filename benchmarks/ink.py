"""What becomes of 2,000 points of ink: pictures, records, the signature file; against json.dumps of the same points."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from math import sin

from benchmarks.harness import Figure, Settings, interleave
from countertop.sdk.ink.iso19794_7 import to_iso
from countertop.sdk.ink.png import to_png
from countertop.sdk.ink.signature_file import seal
from countertop.sdk.ink.signer import Ed25519Signer
from countertop.sdk.ink.svg import to_svg
from countertop.v1.ink_pb2 import Ink, InkSpace
from countertop.v1.signature_pad_pb2 import SignatureBinding

__all__ = ["run"]

POINTS = 2000


def _ink() -> Ink:
    ink = Ink(space=InkSpace(width=9600, height=6000, units_per_mm=100, pressure_levels=1024))
    for number in range(10):
        stroke = ink.strokes.add()
        for index in range(POINTS // 10):
            x, y = 500 + number * 800 + index * 4, 3000 + round(1500 * sin(index / 15 + number))
            stroke.points.add(
                x=x, y=y, x_mm=x / 100, y_mm=y / 100, pressure=index % 50 / 50, time_us=(number * 200 + index) * 5000
            )
    return ink


def _timed(call: Callable[[], object], count: int) -> list[float]:
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    return samples


def run(settings: Settings) -> list[Figure]:
    """In this process."""
    ink, signer = _ink(), Ed25519Signer.generate()
    plain = [[[point.x, point.y, point.pressure, point.time_us] for point in stroke.points] for stroke in ink.strokes]
    base = partial(_timed, lambda: json.dumps(plain), 10)
    calls: dict[str, Callable[[], object]] = {
        "SVG": lambda: to_svg(ink),
        "PNG at 300 dpi": lambda: to_png(ink),
        "ISO/IEC 19794-7": lambda: to_iso(ink),
        "signature file": lambda: seal(ink, SignatureBinding(), signer),
    }
    figures = []
    for name, call in calls.items():
        pair = interleave((partial(_timed, call, 5), base), settings.count(8))
        figures.append(Figure.of(f"{name} of {POINTS} points, p50", "ms", pair, scale=1e3))
    return figures
