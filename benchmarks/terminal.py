"""The `terminal` fixture: how long a test waits for a whole emulated terminal, and whether it leaves anything behind.

The reference is a bare grpc.aio server on the same sort of loop that answers one call: what no fixture can be without.
"""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc

from benchmarks.harness import Figure, Settings, interleave
from countertop.testing._loop import shared_loop
from countertop.testing.terminal import EmulatedTerminal
from countertop.v1 import device_pb2

__all__ = ["run"]

USES = 500
SETTLE_SECONDS = 10.0
PATH = "/countertop.v1.DeviceService/GetTerminal"


def terminals(count: int) -> list[float]:
    """Seconds from asking for a terminal with five devices to the first answer of one whose devices are all ready."""
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        with EmulatedTerminal() as terminal:
            ready = {device.state for device in terminal.counter.devices()}
            samples.append(time.perf_counter() - start)
        assert ready == {device_pb2.DEVICE_STATE_READY}
    return samples


def bare(count: int) -> list[float]:
    """Seconds from asking for a server to its first answer."""
    return [shared_loop().run(_bare_once()) for _ in range(count)]


async def _bare_once() -> float:
    async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return b""

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        server = grpc.aio.server()
        handler = grpc.unary_unary_rpc_method_handler(answer)
        service, _, method = PATH[1:].partition("/")
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        server.add_insecure_port(f"unix:{folder}/bare.sock")
        await server.start()
        async with grpc.aio.insecure_channel(f"unix:{folder}/bare.sock") as channel:
            await channel.unary_unary(PATH)(b"")
        seconds = time.perf_counter() - start
        await server.stop(1.0)
        return seconds


def held() -> dict[str, int]:
    """What this process holds."""
    gc.collect()
    links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return {
        "descriptors": len(links),
        "ptys": sum(link.startswith(("/dev/pts", "/dev/ptmx")) for link in links),
        "threads": sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate()),  # a bounded pool
        "processes": len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()),
        "folders": len(list(Path(tempfile.gettempdir()).glob("countertop-*"))),
    }


def settled(read: Callable[[], dict[str, int]], wanted: dict[str, int]) -> dict[str, int]:
    """What is held when grpc's own threads have closed what they close."""
    patient = time.monotonic() + SETTLE_SECONDS
    while (found := read()) != wanted and time.monotonic() < patient:
        time.sleep(0.05)
    return found


def run(settings: Settings) -> list[Figure]:
    """In this process, as a test suite does it."""
    terminals(5)  # imports, the loop, its threads
    before = held()
    pair = interleave((lambda: terminals(5), lambda: bare(5)), settings.count(20), warm_up=1)
    uses = settings.count(USES)
    terminals(max(0, uses - 5 * settings.count(20)))
    after = settled(held, before)
    left = {what: after[what] - count for what, count in before.items()}
    return [
        Figure.of("five devices ready and answering, warm", "ms", pair, scale=1e3),
        Figure(
            "left behind by all uses",
            "things",
            float(sum(max(0, n) for n in left.values())),
            details={"uses": uses, "left": left},
        ),
    ]
