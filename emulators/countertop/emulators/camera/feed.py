"""When frames are there: a camera's shutter, on the emulator's clock."""

from __future__ import annotations

import asyncio

from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard

__all__ = ["Feed"]

_SLOW_FPS = 2.0


class Feed:
    """Numbers of frames, from 1. Whoever is late gets the newest: nothing queues.

    While `stall` is in force there is none, while `slow` is there are two a second; time goes on all the same, so that
    numbers are missing afterwards. Belongs to the event loop in which `start` was called.
    """

    def __init__(self, clock: Clock, fps: float, board: FaultBoard) -> None:
        self._clock = clock
        self._fps = fps
        self._board = board
        self._newest = 0
        self._next = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()
        self._task: asyncio.Task[None] | None = None
        board.subscribe(self._fault_changed)

    @property
    def running(self) -> bool:
        """It is switched on."""
        return self._task is not None

    @property
    def newest(self) -> int:
        """The newest frame's number; 0 before the first."""
        return self._newest

    def seconds(self, index: int) -> float:
        """When a frame was taken, in emulated seconds since power-on."""
        return index / self._fps

    def start(self) -> None:
        """Power on: count from 1. Does nothing while it runs."""
        if self._task is None:
            self._newest = 0
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Power off. Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    async def newer_than(self, index: int) -> int:
        """The number of the newest frame, once it is above `index` and the camera is not stalled."""
        await self._going.wait()
        while self._newest <= index:
            await self._next.wait()
        return self._newest

    async def _run(self) -> None:
        started = self._clock.now()
        due = 0.0
        while True:
            fps = min(self._fps, _SLOW_FPS) if self._board.active("slow") else self._fps
            due += 1 / fps
            await self._clock.sleep(due - (self._clock.now() - started))
            await self._going.wait()
            late = self._clock.now() - started - due
            if late > 1 / fps:  # after a stall: what was missed does not come any more
                due += late
            self._newest = max(self._newest + 1, round(due * self._fps))
            self._next.set()
            self._next = asyncio.Event()

    def _fault_changed(self, name: str, began: bool) -> None:
        if name == "stall":
            (self._going.clear if began else self._going.set)()
