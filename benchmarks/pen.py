"""From a pad's wire to the client: how old a pen's sample is when an app has it, for 1 and 8 pads at 200 a second."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from benchmarks.harness import Child, Figure, Settings, child, cpu_seconds, quantile
from countertop.client import Counter, connect
from countertop.v1 import device_pb2

__all__ = ["run"]

LIMIT_MS = 5.0
CONFIG = """
[listen]
addresses = ["{address}"]
[terminal]
state_dir = "{state}"
"""
DEVICE = """
[[devices]]
id = "pad-{number}"
driver = "wacom-stu"
link = "{link}"
"""


async def _capture(counter: Counter, number: int, ready: asyncio.Event) -> tuple[list[float], Any]:
    """When each point came, and the result."""
    handle = counter.signature_pad(f"pad-{number}").start_capture("a benchmark", live_ink=True, unbound=True)
    arrivals: list[float] = []
    async for update in handle:
        kind = update.WhichOneof("payload")
        if kind == "ink":
            arrivals += [time.monotonic()] * len(update.ink.points)
        elif kind == "started":
            ready.set()
    return arrivals, await handle.result()


async def _measure(address: str, pads: Child, count: int, seconds: float, daemon: int) -> dict[str, Any]:
    async with connect(address) as counter:
        missing = {f"pad-{number}" for number in range(count)}
        async for response in counter.watch():
            changed = [response.event.device_changed] if response.event.HasField("device_changed") else []
            for device in [*response.snapshot.devices, *changed]:
                if device.state == device_pb2.DEVICE_STATE_READY:
                    missing.discard(device.id)
            if not missing:
                break
        started = [asyncio.Event() for _ in range(count)]
        captures = [asyncio.create_task(_capture(counter, number, started[number])) for number in range(count)]
        await asyncio.gather(*(event.wait() for event in started))
        before, began = cpu_seconds(daemon), time.monotonic()
        assert pads.process.stdin is not None
        assert pads.process.stdout is not None
        pads.process.stdin.write(f"{seconds}\n")
        pads.process.stdin.flush()
        told = json.loads(await asyncio.to_thread(pads.process.stdout.readline))
        took = time.monotonic() - began
        cpu = (cpu_seconds(daemon) - before) / took
        found = await asyncio.gather(*captures)
    ages = []
    for (arrivals, result), sent in zip(found, told["sent"], strict=True):
        points = result.quality.points
        if not len(arrivals) == len(sent) == points or result.quality.samples_lost:
            raise RuntimeError(f"samples were lost: {len(sent)} sent, {len(arrivals)} came live, {points} were kept")
        ages += [(arrival - at) * 1000 for arrival, at in zip(arrivals, sent, strict=True)]
    return {"ages": ages, "cpu": cpu}


def run(settings: Settings) -> list[Figure]:
    """The reference is the limit that we set ourselves."""
    figures = []
    for count in (1, 8):
        address = f"unix:{settings.directory}/pen-{count}.sock"
        with child("benchmarks.pads", str(count), orders=True) as pads:
            config = settings.directory / f"pen-{count}.toml"
            devices = [DEVICE.format(number=number, link=link) for number, link in enumerate(pads.said["links"])]
            config.write_text(
                CONFIG.format(address=address, state=settings.directory / f"pen-{count}") + "".join(devices)
            )
            with child("benchmarks.pen_daemon", str(config)) as daemon:
                seconds = float(settings.count(20))
                found = asyncio.run(_measure(address, pads, count, seconds, daemon.process.pid))
        ages = found["ages"]
        details = {"p50": quantile(ages, 0.5), "most": max(ages), "samples": len(ages), "daemon_cpu": found["cpu"]}
        title = "1 pad" if count == 1 else f"{count} pads"
        figures.append(
            Figure(f"{title} at 200 a second, age of a sample, p99", "ms", quantile(ages, 0.99), LIMIT_MS, target=1.0,
                   details=details)
        )  # fmt: skip
        figures.append(Figure(f"{title}, age of a sample, p50", "ms", quantile(ages, 0.5)))
        figures.append(Figure(f"{title}, the daemon's share of one processor", "%", found["cpu"] * 100))
    return figures
