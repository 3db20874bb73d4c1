"""Frames at 1080p30 from a camera on HTTP to a client, against a bare grpc.aio server that reads the same camera: what
the processes need, how old a frame is, and how old for a client that takes five a second.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.harness import ROOT, Child, Figure, Pair, Settings, child, cpu_seconds, environment, quantile

__all__ = ["run"]

CPU_TARGET = 1.5
STALE_MS = 50.0
SLOW_FPS = 5.0
CONFIG = """
[listen]
addresses = ["127.0.0.1:0"]
[terminal]
state_dir = "{state}"
[[devices]]
id = "camera"
driver = "opencv"
link = "{link}"
"""


def _watch(side: str, server: Child, seconds: float, fps: float) -> dict[str, Any]:
    """One client on one side; the server's CPU meanwhile."""
    words = [sys.executable, "-m", "benchmarks.frame_client", side, server.said["addresses"][0], str(seconds), str(fps)]
    before, began = cpu_seconds(server.process.pid), os.times().elapsed
    done = subprocess.run(words, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True, timeout=120)
    spent = os.times().elapsed - began
    told: dict[str, Any] = json.loads(done.stdout)
    return told | {"server_cpu": (cpu_seconds(server.process.pid) - before) / spent}


def run(settings: Settings) -> list[Figure]:
    """Both sides in turn, at the camera's rate; then both with a slow client."""
    seconds, rounds = (4.0, 3) if settings.quick else (8.0, 5)
    config = settings.directory / "frames.toml"
    with child("benchmarks.frame_camera") as camera:
        link = camera.said["link"]
        config.write_text(CONFIG.format(state=settings.directory / "frames", link=link))
        port = link.rpartition(":")[2].partition("/")[0]
        with child("benchmarks.pen_daemon", str(config)) as ours, child("benchmarks.bare_frames", port) as bare:
            sides = (("ours", ours), ("bare", bare))
            for side, server in sides:
                _watch(side, server, 1.0, 0.0)
            fast = [[_watch(side, server, seconds, 0.0) for side, server in sides] for _ in range(rounds)]
            slow = [[_watch(side, server, seconds, SLOW_FPS) for side, server in sides] for _ in range(rounds)]
    return [
        _pair("1080p30, server CPU", "% of a core", fast, "server_cpu", 100, CPU_TARGET),
        _pair("1080p30, client CPU", "% of a core", fast, "cpu", 100, CPU_TARGET),
        _pair("1080p30, frames a second", "fps", fast, "fps", 1, None),
        _ages("1080p30, age of a frame", fast),
        _ages(f"1080p30, age for a client that takes {SLOW_FPS:g} a second", slow, limit=STALE_MS),
    ]


def _pair(
    name: str, unit: str, rounds: list[list[dict[str, Any]]], key: str, scale: float, target: float | None
) -> Figure:
    pair = Pair([[ours[key]] for ours, _ in rounds], [[bare[key]] for _, bare in rounds])
    return Figure.of(name, unit, pair, scale=scale, target=target)


def _ages(name: str, rounds: list[list[dict[str, Any]]], limit: float | None = None) -> Figure:
    ours, bare = ([age * 1000 for told in rounds for age in told[side]["ages"]] for side in (0, 1))
    details: dict[str, Any] = {"p95": [quantile(ours, 0.95), quantile(bare, 0.95)]}
    if limit is not None:
        details |= {"limit_ms": limit, "within": quantile(ours, 0.95) <= limit}
    return Figure(name, "ms", statistics.median(ours), statistics.median(bare), details=details)
