"""A face on a frame of 1080p, from its JPEG to what is kept for the verdict; and each part of that, on one core.

There is nothing to measure it beside; the limit is what leaves a core most of its time at ten frames a second. Times
are those of the processor, so that other programs on the machine count little. Needs the models and pictures of the
shared data beside the project.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.harness import ROOT, Figure, Settings, quantile
from countertop.analysis.detectors import aligned
from countertop.analysis.engine import Engine
from countertop.analysis.liveness import jittered
from countertop.analysis.models import ModelStore
from countertop.analysis.pictures import Picture, decode_frame
from countertop.analysis.presence import make
from countertop.analysis.quality import Limits, guidance
from countertop.sdk.cameras.analysis import AnalysisSettings
from countertop.v1.camera_pb2 import Frame

__all__ = ["run"]

FRAME_LIMIT_MS = 30.0
FRAMES = 5
SHARED = ROOT.parent / "shared" / "data"


def scene() -> Picture:
    """The living face of the shared data, 405 pixels tall, on a frame of 1920 by 1080."""
    face: Any = cv2.imread(str(SHARED / "faces" / "sf_T1.jpg"))
    if face is None:
        raise FileNotFoundError(f"{SHARED}/faces/sf_T1.jpg is needed")
    y, x = np.mgrid[0:1080, 0:1920]
    light = 120 + 50 * np.sin(x / 900) + 30 * np.cos(y / 400)
    frame = np.stack([light * 0.95, light, light * 1.05], axis=-1).astype(np.uint8)
    frame[:, 555:1365] = cv2.resize(face, (810, 1080))
    return frame


def timed(work: Callable[[], object], count: int) -> list[float]:
    """Milliseconds of each call, after three that do not count."""
    samples = []
    for _ in range(count + 3):
        start = time.thread_time()
        work()
        samples.append((time.thread_time() - start) * 1e3)
    return samples[3:]


def figure(name: str, samples: list[float], limit: float | None = None) -> Figure:
    """A median and its limit."""
    details = {"samples": len(samples), "least": min(samples), "p90": quantile(samples, 0.9)}
    target = None if limit is None else 1.0
    return Figure(name, "ms", statistics.median(samples), limit, target=target, details=details)


def parts(models: Path, jpeg: bytes, count: int) -> list[Figure]:
    """What a frame's time is spent on."""
    engine = Engine(ModelStore(models))
    picture = decode_frame(jpeg)
    face = engine.faces(picture)[0]
    cuts = engine.liveness.cuts(picture, face.box)
    work: dict[str, Callable[[], object]] = {
        "decode": lambda: decode_frame(jpeg),
        f"find faces ({engine.specs.finder.name})": lambda: engine.finder.detect(picture),
        "landmarks again": lambda: aligned(engine.marker, picture, face),
        "quality": lambda: guidance(picture, [face], Limits()),
        "cut for liveness, three boxes": lambda: [
            engine.liveness.cuts(picture, box) for box in jittered(face.box, 0.05)
        ],
        "liveness, two models, one box": lambda: engine.liveness.score(cuts),
        "who it is": lambda: engine.descriptor(picture, face),
    }
    return [figure(name, timed(step, count)) for name, step in work.items()]


def whole(models: Path, jpeg: bytes, count: int) -> list[Figure]:
    """A frame as the analyser takes it, and the verdict over five."""
    analyser = make(AnalysisSettings(models))
    judged, verdicts = [], []
    for _ in range(max(3, count // FRAMES)):
        session = analyser.begin(b"", FRAMES)
        for number in range(FRAMES):
            start = time.thread_time()
            session.add(Frame(sequence=number, data=jpeg))
            judged.append((time.thread_time() - start) * 1e3)
        if session.taken != FRAMES:
            raise AssertionError(f"{session.taken} of {FRAMES} frames were taken")
        start = time.thread_time()
        session.verdict()
        verdicts.append((time.thread_time() - start) * 1e3)
    return [
        figure("1080p frame: decode, detect, liveness, embed", judged[FRAMES:], FRAME_LIMIT_MS),
        figure("verdict over five frames", verdicts[1:]),
    ]


def run(settings: Settings) -> list[Figure]:
    """All of a frame, then its parts."""
    models, count = SHARED / "models", settings.count(60)
    jpeg = bytes(cv2.imencode(".jpg", scene(), [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return whole(models, jpeg, count) + parts(models, jpeg, count)
    finally:
        cv2.setNumThreads(threads)
