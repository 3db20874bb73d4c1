"""What the daemon's relay costs: one grpc.aio server, called through the doors and on a socket of gRPC's own.

The daemon accepts by itself and passes bytes on (`server/doors/listener.py`). Both sides are the same server in the
same process, and all that differs is the relay.
"""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import Any

import grpc

from benchmarks.harness import Figure, Settings, child, interleave

__all__ = ["run"]

TARGET = 1.15
FRAMES = 200
FRAME_BYTES = 200_000
ECHO, STREAM = "/benchmark.Doors/Echo", "/benchmark.Doors/Frames"
REQUEST = b"r" * 40


def calls(channel: grpc.Channel, count: int) -> list[float]:
    """Seconds of each of `count` calls of 40 B, answered with 450 B."""
    call: Any = channel.unary_unary(ECHO)
    samples, clock = [], time.perf_counter
    for _ in range(count):
        start = clock()
        call(REQUEST)
        samples.append(clock() - start)
    return samples


def frames(channel: grpc.Channel, count: int) -> list[float]:
    """Seconds for each frame of 200 kB, of `count` in one stream that is read as fast as it comes."""
    call: Any = channel.unary_stream(STREAM)
    start = time.perf_counter()
    received = sum(1 for _ in call(str(count).encode()))
    assert received == count
    return [(time.perf_counter() - start) / count]


def connections(address: str, count: int) -> list[float]:
    """Seconds to connect and be answered once."""
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            calls(channel, 1)
        samples.append(time.perf_counter() - start)
    return samples


def run(settings: Settings) -> list[Figure]:
    """Over a unix socket and over TCP."""
    figures: list[Figure] = []
    with child("benchmarks.doors_server", str(settings.directory)) as server:
        for transport in ("unix", "tcp"):
            relayed, bare = (server.said[f"{transport}_{side}"] for side in ("relayed", "bare"))
            name = {"unix": "unix socket", "tcp": "TCP"}[transport]
            with grpc.insecure_channel(relayed) as a, grpc.insecure_channel(bare) as b:
                sides = partial(calls, a, 400), partial(calls, b, 400)
                pair = interleave(sides, settings.count(24), warm_up=2)
                figures.append(Figure.of(f"unary, {name}", "µs", pair, scale=1e6, target=TARGET))
                sides = partial(frames, a, FRAMES), partial(frames, b, FRAMES)
                pair = interleave(sides, settings.count(16))
                figures.append(
                    Figure(
                        f"frames of {FRAME_BYTES // 1000} kB, {name}",
                        "frames/s",
                        1 / statistics.median(sample for samples in pair.ours for sample in samples),
                        1 / statistics.median(sample for samples in pair.reference for sample in samples),
                        [1 / ratio for ratio in pair.ratios],
                    )
                )
            both = partial(connections, relayed, 20), partial(connections, bare, 20)
            pair = interleave(both, settings.count(8))
            figures.append(Figure.of(f"connect and call, {name}", "ms", pair, scale=1e3))
    return figures
