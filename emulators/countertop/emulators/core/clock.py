"""Emulated time: passed in everywhere, so that tests need not wait."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "ManualClock", "Timer"]


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Do not make the call. Safe to call twice, and after the call was made."""


class Clock:
    """Time that runs `speed` times as fast as the wall's. A speed of 0 or infinity is instant: whatever is awaited
    is due at once, and `now` jumps ahead by as much as was slept; do no periodic work on an instant clock.

    Raises ValueError for a negative speed.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if math.isnan(speed) or speed < 0:
            raise ValueError(f"speed: expected a number from 0 up, got {speed}")
        self._instant = speed == 0 or math.isinf(speed)
        self._speed = 1.0 if self._instant else speed
        self._start = time.monotonic()
        self._skipped = 0.0

    def now(self) -> float:
        """Seconds of emulated time since the clock was made; never runs backwards."""
        return (time.monotonic() - self._start) * self._speed + self._skipped

    async def sleep(self, seconds: float) -> None:
        """Return after so many emulated seconds; even with 0 others get a turn."""
        if self._instant:
            due = self.now() + seconds
            await asyncio.sleep(0)
            self._skip_to(due)
        else:
            await asyncio.sleep(max(0.0, seconds) / self._speed)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` after so many emulated seconds, never before this returns. On an instant clock calls are
        made in the order of asking. Needs a running event loop.
        """
        loop = asyncio.get_running_loop()
        if self._instant:
            return loop.call_soon(self._skip_and_call, self.now() + seconds, callback)
        return loop.call_later(max(0.0, seconds) / self._speed, callback)

    def _skip_and_call(self, due: float, callback: Callable[[], None]) -> None:
        self._skip_to(due)
        callback()

    def _skip_to(self, due: float) -> None:
        self._skipped += max(0.0, due - self.now())


class _ManualTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock(Clock):
    """Time that moves only by `advance`: for tests."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _ManualTimer]] = []

    def now(self) -> float:
        """Seconds by which the clock was advanced."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was advanced by so many seconds; at once, after a turn for others, with 0."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        due: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, lambda: None if due.done() else due.set_result(None))
        try:
            await due
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` from the `advance` that reaches it. Needs no event loop."""
        timer = _ManualTimer(callback)
        heapq.heappush(self._timers, (self._now + max(0.0, seconds), next(self._order), timer))
        return timer

    def step(self, seconds: float) -> None:
        """Advance and make the calls that fall due, in their order, each at its own time. Gives no turn to sleepers:
        use `advance` where there are any.
        """
        end = self._now + seconds
        while self._fire_next(end):
            pass
        self._now = end

    async def advance(self, seconds: float) -> None:
        """Advance; whoever wakes runs before the clock goes on, and may sleep or call again within the same span."""
        end = self._now + seconds
        await self._settle()
        while self._fire_next(end):
            await self._settle()
        self._now = end
        await self._settle()

    def _fire_next(self, end: float) -> bool:
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                self._now = max(self._now, due)
                callback()
                return True
        return False

    @staticmethod
    async def _settle() -> None:
        for _ in range(8):  # a woken task often wakes another
            await asyncio.sleep(0)
