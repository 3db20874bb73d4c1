"""A driver in a process of its own beside the same driver in the daemon's: one verb that does nothing.

Both are called as a device's runner calls them, without a door in between.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

from google.protobuf.message import Message

from benchmarks.harness import ROOT, Figure, Settings, environment, interleave
from benchmarks.instant_devices import InstantReader
from countertop.sdk import Options, parse_link
from countertop.server.isolation.remote import IsolatedDriver
from countertop.v1 import id_reader_pb2

__all__ = ["run"]

LINK = "tcp://127.0.0.1:1"


class NoRun:
    """A run that nobody watches."""

    operation_id = "benchmark"
    time_left = 60.0

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        """Not kept."""

    def prompt(self, kind: Any) -> None:
        """Not kept."""

    def working(self) -> None:
        """Not kept."""

    def emit(self, event: Message) -> None:
        """Not kept."""

    def stop(self, reason: Any, prompt: Any = 0) -> None:
        """Not kept."""

    async def commit_point(self, step: str, evidence: Any = None) -> None:
        """Not kept."""

    def effect(self, effect: Any) -> None:
        """Not kept."""

    def used(self, medium: str, amount: float) -> None:
        """Not kept."""


async def timed(driver: Any, count: int) -> list[float]:
    """Seconds of each of `count` verbs, one after the other."""
    samples, clock, request, made = [], time.perf_counter, id_reader_pb2.ReadRequest(device_id="id-reader"), NoRun()
    for _ in range(count):
        start = clock()
        result = await driver.read(request, made)
        samples.append(clock() - start)
        assert result.HasField("document")
    return samples


async def started(driver: IsolatedDriver) -> float:
    """Seconds from nothing to a connected driver."""
    start = time.perf_counter()
    await driver.connect()
    return time.perf_counter() - start


def run(settings: Settings) -> list[Figure]:
    """p50 and p99 of a verb on both sides, and what starting the process costs."""
    factory = f"{InstantReader.__module__}:{InstantReader.__name__}"
    isolated = IsolatedDriver(
        "instant-reader", factory, LINK, {}, environment=environment() | {"PYTHONPATH": str(ROOT)}
    )
    inside = InstantReader(parse_link(LINK), Options())
    with asyncio.Runner() as runner:
        try:
            start = runner.run(started(isolated))
            sides = (
                partial(_side, runner, isolated, 200),
                partial(_side, runner, inside, 200),
            )
            pair = interleave(sides, settings.count(24), warm_up=2)
        finally:
            runner.run(isolated.disconnect())
    figure = Figure.of("a verb that does nothing, isolated, p50", "µs", pair, scale=1e6)
    return [
        figure,
        Figure("a verb that does nothing, isolated, p99", "µs", *figure.details["p99"]),
        Figure("start of the driver's process", "ms", start * 1e3),
    ]


def _side(runner: asyncio.Runner, driver: Any, count: int) -> list[float]:
    return runner.run(timed(driver, count))
