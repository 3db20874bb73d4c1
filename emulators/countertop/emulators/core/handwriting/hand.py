"""A hand that writes in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from countertop.emulators.core.clock import Clock
from countertop.v1.ink_pb2 import Ink, InkPoint

__all__ = ["Hand"]

HOVER = 3
"""Samples of a pen that is near, before each touch and after it."""

PATIENCE = 1.0
"""Seconds."""

Pen = Callable[[InkPoint, bool], None]
"""Called with where the pen is at this moment, and whether it touches."""


class Hand:
    """Writes one thing after another. Points go out when they are due, by the clock and not by what was slept, so that
    nothing drifts; those that are late go out together.
    """

    def __init__(self, clock: Clock, pen: Pen, rate: float) -> None:
        self._clock = clock
        self._pen = pen
        self._rate = rate
        self._lock = asyncio.Lock()
        self._touching = False
        self._place = InkPoint()
        self._gone = False
        self._unheard = False

    async def write(
        self, ink: Ink, *, speed: float = 1.0, stop_after: int = 0, room: Callable[[], int] = lambda: 1
    ) -> Ink:
        """What was written, when the pen is lifted. `speed` 0 is as fast as `room` (samples that the link takes now)
        allows; where it takes none for PATIENCE seconds nobody listens, and what does not fit is lost. The pen is
        lifted after `stop_after` points, and when `lift` is called.
        """
        async with self._lock:
            self._gone = self._unheard = False
            written = Ink(space=ink.space)
            try:
                await self._write(ink, written, speed, stop_after or -1, room)
            finally:
                self._lift()
            return written

    def lift(self) -> None:
        """Take the pen away in the middle: the pad is gone."""
        self._gone = True
        self._touching = False

    async def _write(self, ink: Ink, written: Ink, speed: float, left: int, room: Callable[[], int]) -> None:
        began = self._clock.now()
        for stroke in ink.strokes:
            first = stroke.points[0].time_us / 1e6
            added = written.strokes.add()
            for index in range(HOVER, 0, -1):
                await self._wait(began, first - index / self._rate, speed, room)
                self._put(stroke.points[0], False)
            for point in stroke.points:
                if left == 0 or self._gone:
                    break
                await self._wait(began, point.time_us / 1e6, speed, room)
                self._put(point, True)
                added.points.append(point)
                left -= 1
            if not added.points:
                del written.strokes[-1]
            if left == 0 or self._gone:
                return
            for index in range(1, HOVER + 1):
                await self._wait(began, stroke.points[-1].time_us / 1e6 + index / self._rate, speed, room)
                self._put(stroke.points[-1], False)

    async def _wait(self, began: float, due: float, speed: float, room: Callable[[], int]) -> None:
        # the first hovering samples are due before the ink begins: shift everything behind them
        due += HOVER / self._rate
        if speed:
            left = began + due / speed - self._clock.now()
            if left > 0:
                await self._clock.sleep(left)
            return
        waited = 0.0
        while room() <= 0 and not self._gone and not self._unheard:
            await self._clock.sleep(1 / self._rate)
            waited += 1 / self._rate
            self._unheard = waited > PATIENCE

    def _put(self, point: InkPoint, touching: bool) -> None:
        if not self._gone:
            self._place, self._touching = point, touching
            self._pen(point, touching)

    def _lift(self) -> None:
        if self._touching:
            self._put(self._place, False)
