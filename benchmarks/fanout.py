"""Events to 1, 10 and 100 watchers, and beside one that reads nothing, against a raw grpc.aio stream.

The watchers are coroutines of one process, the same for both servers, and take most of the time at 100; they leave the
messages undecoded.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import grpc

from benchmarks.harness import Child, Figure, Settings, child, interleave, quantile
from benchmarks.methods import WATCH, Method
from countertop.v1.device_pb2 import WatchEventsRequest, WatchEventsResponse

__all__ = ["run"]

WATCHERS = (1, 10, 100)
EVENTS = 20_000
"""In all, over all watchers, in one round."""
MOST = 8_000
"""For one watcher: fewer than the ring holds, since they are made faster than anybody can read."""
PACED, PACE = 150, 0.004
TARGET, STALL_TARGET = 1.25, 1.2


def order(server: Child, what: str) -> None:
    """Have events made."""
    stdin = server.process.stdin
    assert stdin is not None
    stdin.write(f"{what}\n")
    stdin.flush()


async def opened(channel: grpc.aio.Channel, count: int) -> list[Any]:
    """Streams that have told all about the present."""
    method = Method.of(WATCH)
    watch = channel.unary_stream(WATCH, method.request.SerializeToString, None)
    calls = [watch(WatchEventsRequest(heartbeat_seconds=60)) for _ in range(count)]
    for call in calls:
        while not WatchEventsResponse.FromString(await call.read()).HasField("synced"):
            pass
    return calls


async def read_all(call: Any, count: int) -> None:
    """So many events."""
    for _ in range(count):
        await call.read()


async def burst(server: Child, watchers: int) -> list[float]:
    """Seconds from the order to the last event at the last watcher, through their number."""
    async with grpc.aio.insecure_channel(server.said["addresses"][0]) as channel:
        calls, events = await opened(channel, watchers), min(MOST, EVENTS // watchers)
        start = time.perf_counter()
        order(server, str(events))
        await asyncio.gather(*(read_all(call, events) for call in calls))
        return [(time.perf_counter() - start) / (events * watchers)]


async def delays(call: Any) -> list[float]:
    """Seconds from each event's time to its arrival."""
    found = []
    for _ in range(PACED):
        raw = await call.read()
        now = time.time()
        event = WatchEventsResponse.FromString(raw).event
        found.append(now - event.time.seconds - event.time.nanos / 1e9)
    return found


async def paced(server: Child, *, stalled: bool) -> list[float]:
    """Delays at ten watchers; with one more that never reads, and has filled what the connection holds for it."""
    async with (
        grpc.aio.insecure_channel(server.said["addresses"][0]) as channel,
        grpc.aio.insecure_channel(server.said["addresses"][0], options=[("a", 1)]) as other,
    ):
        stuck = await opened(other, 1) if stalled else []
        if stalled:
            fill = await opened(channel, 1)
            order(server, "4000")
            await read_all(fill[0], 4000)
            fill[0].cancel()
        calls = await opened(channel, 10)
        order(server, f"{PACED} {PACE}")
        found = [delay for some in await asyncio.gather(*map(delays, calls)) for delay in some]
        for call in (*calls, *stuck):
            call.cancel()
        return found


def run(settings: Settings) -> list[Figure]:
    """Throughput at each number of watchers, then delays with and without the stalled one."""
    figures = []
    with (
        child("benchmarks.instant_daemon", f"unix:{settings.directory}/ours.sock", orders=True) as ours,
        child("benchmarks.fanout_server", f"unix:{settings.directory}/bare.sock", orders=True) as bare,
        asyncio.Runner() as runner,
    ):
        for watchers in WATCHERS:
            sides = (
                partial(lambda count: runner.run(burst(ours, count)), watchers),
                partial(lambda count: runner.run(burst(bare, count)), watchers),
            )
            pair = interleave(sides, settings.count(8))
            figures.append(Figure.of(f"time an event, {watchers} watchers", "µs", pair, scale=1e6, target=TARGET))
        sides = lambda: runner.run(paced(ours, stalled=True)), lambda: runner.run(paced(ours, stalled=False))
        pair = interleave(sides, settings.count(8))
        tails = [(quantile(a, 0.99), quantile(b, 0.99)) for a, b in zip(pair.ours, pair.reference, strict=True)]
        ratios = [a / b for a, b in tails]
        with_it, without = (sorted(side)[len(side) // 2] * 1e3 for side in zip(*tails, strict=True))
        name = "delay of an event, p99, beside one stalled watcher / without"
        figures.append(Figure(name, "ms", with_it, without, ratios, STALL_TARGET))
    return figures
