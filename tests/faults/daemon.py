"""What all laboratories share: a real daemon as a process, its deaths, and the client that outlives them."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

from countertop.client import ConnectionLost, connect
from countertop.v1 import device_pb2, error_pb2, operation_pb2
from countertop.v1.operation_pb2 import Operation
from tests.faults.points import POINTS, RECOVERY_POINTS, serve_until_killed

__all__ = ["CANCELLED", "FAILED", "FINAL", "HANG_SECONDS", "READY", "SUCCEEDED", "UNCERTAIN", "DaemonLab", "Report"]

SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED
UNCERTAIN = operation_pb2.OPERATION_STATE_UNCERTAIN
CANCELLED = operation_pb2.OPERATION_STATE_CANCELLED
FINAL = (SUCCEEDED, FAILED, UNCERTAIN, CANCELLED)
READY = (device_pb2.DEVICE_STATE_READY, device_pb2.DEVICE_STATE_ATTENTION)
HANG_SECONDS = 60.0


@dataclass
class Report:
    """What a run found."""

    kills: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    uncertain: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unhit: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    """Seconds from each kill to the daemon's next answer."""

    def count(self, operation: Operation | None) -> None:
        """Count how an operation ended."""
        if operation is None:
            self.outcomes["never reached the daemon"] += 1
            return
        state = operation_pb2.OperationState.Name(operation.state).removeprefix("OPERATION_STATE_")
        effect = error_pb2.PhysicalEffect.Name(operation.physical_effect).removeprefix("PHYSICAL_EFFECT_")
        self.outcomes[f"{state} {effect}"] += 1


class DaemonLab:
    """One daemon after the other, on the configuration in `countertop.toml` of a folder."""

    def __init__(self, folder: Path, report: Report, preload: Sequence[str]) -> None:
        self._folder = folder
        self._report = report
        self._daemon: BaseProcess | None = None
        self._orders: Any = None
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            ["tests.faults.points", "countertop.server.serving", "countertop.server.config_file", *preload]
        )

    @property
    def _alive(self) -> BaseProcess:
        assert self._daemon is not None
        return self._daemon

    def _start_daemon(self, point: str = "", count: int = 1) -> None:
        theirs, self._orders = self._context.Pipe(duplex=False)
        arguments = (self._folder / "countertop.toml", self._folder / "log", theirs, point, count)
        self._daemon = self._context.Process(target=serve_until_killed, args=arguments)
        self._daemon.start()
        theirs.close()

    def _kill(self) -> None:
        self._alive.kill()
        self._alive.join()
        self._orders.close()

    async def _died(self, seconds: float) -> bool:
        """Whether the daemon dies in so many seconds."""
        process, loop = self._alive, asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(process.sentinel, gone.set)
        try:
            async with asyncio.timeout(seconds):
                await gone.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(process.sentinel)
        process.join()
        assert process.exitcode == -signal.SIGKILL, f"the daemon ended by itself: {process.exitcode}"
        self._orders.close()
        return True

    async def _die_and_recover(self, rng: Random, point: str, work: list[asyncio.Task[None]]) -> float:
        """Let the daemon die at a point while the work goes on, perhaps again while it recovers, and start a new one.
        Returns when the first one died.
        """
        await self._let_die(rng, point, work)
        died = time.monotonic()
        if rng.random() < 0.3:
            self._start_daemon(rng.choice(RECOVERY_POINTS), rng.choice((1, 1, 2)))
            if await self._died(rng.uniform(0.3, 1.5)):
                self._report.kills["during recovery"] += 1
            else:
                self._kill()
                self._report.kills["at random, in recovery"] += 1
        self._start_daemon()
        return died

    def _arm(self, rng: Random) -> str:
        """Choose a moment to die at, and tell the daemon."""
        at_random = rng.random() < 0.25
        point, count = rng.choice(POINTS), rng.choice((1, 1, 1, 2, 3, 5))
        if not at_random:
            self._orders.send((point, count))
        return "at random" if at_random else point

    async def _let_die(self, rng: Random, point: str, work: list[asyncio.Task[None]]) -> None:
        if point == "at random":
            await self._died(rng.uniform(0.0, 0.4))
            self._kill()
            self._report.kills[point] += 1
            return
        ended = asyncio.gather(*work, return_exceptions=True)
        death = asyncio.create_task(self._died(HANG_SECONDS))
        await asyncio.wait({asyncio.ensure_future(asyncio.shield(ended)), death}, return_when=asyncio.FIRST_COMPLETED)
        if not death.done():
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(death), 0.05)
        if death.done():
            assert death.result()
            self._report.kills[point] += 1
            return
        death.cancel()
        await asyncio.wait({death})
        self._kill()
        self._report.unhit[point] += 1
        self._report.kills["idle"] += 1

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        async with connect(f"unix:{self._folder}/lab.sock", patience=20.0) as counter:
            await self._until_it_answers(counter)
            yield counter

    async def _until_it_answers(self, counter: Any) -> None:
        """The daemon may not listen yet."""
        async with asyncio.timeout(20):
            while True:
                try:
                    await counter.terminal()
                except ConnectionLost:
                    await asyncio.wait({asyncio.create_task(self._died(0.02))})
                else:
                    return

    async def _until_ready(self, counter: Any) -> None:
        async with asyncio.timeout(HANG_SECONDS):
            async for response in counter.watch():
                devices = [*response.snapshot.devices, response.event.device_changed]
                if any(device.state in READY for device in devices):
                    return
