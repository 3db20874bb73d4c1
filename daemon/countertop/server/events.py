"""The terminal's one event stream: numbered without holes, kept in a bounded ring.

Watchers hold no queue of their own: each has only its place in the ring, so that a slow watcher costs nothing and
slows nobody. One that falls out of the ring is told so.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator

from countertop.server.times import stamp
from countertop.v1.device_pb2 import Event

__all__ = ["EventLog", "FellBehind"]


class FellBehind(Exception):
    """The events after the wanted sequence are no longer in the ring."""

    def __init__(self, oldest: int) -> None:
        self.oldest = oldest
        super().__init__(f"The oldest event still kept is {oldest}.")


class EventLog:
    """A ring of the last `capacity` events, numbered 1, 2, 3 … within one `epoch`."""

    def __init__(self, capacity: int = 10_000) -> None:
        self.epoch = secrets.token_hex(6)
        self.sequence = 0
        self._ring: deque[Event] = deque(maxlen=capacity)
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False

    @property
    def oldest(self) -> int:
        """Sequence of the oldest event kept; one more than `sequence` when there is none."""
        return self.sequence - len(self._ring) + 1

    def bookmark(self, sequence: int) -> str:
        """The bookmark that stands behind an event."""
        return f"{self.epoch}:{sequence}"

    def append(self, event: Event) -> int:
        """Number and keep an event, wake the watchers, return its number. The event must not change afterwards."""
        stamp(event.time)
        self._ring.append(event)
        self.sequence += 1
        self._wake()
        return self.sequence

    def close(self) -> None:
        """End every `follow` once it has yielded what there is."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def after(self, sequence: int) -> list[tuple[int, Event]]:
        """Events after a sequence. Raises FellBehind when some of them are gone."""
        if sequence + 1 < self.oldest:
            raise FellBehind(self.oldest)
        first = self.oldest
        return [(first + index, self._ring[index]) for index in range(sequence + 1 - first, len(self._ring))]

    async def follow(self, sequence: int, idle: float) -> AsyncIterator[tuple[int, Event | None]]:
        """Yield each event after `sequence` as it comes; (last sequence, None) after `idle` seconds without one.

        Ends after `close`. Raises FellBehind when the reader is slower than the ring is long.
        """
        while True:
            batch = self.after(sequence)
            for number, event in batch:
                if number < self.oldest:
                    raise FellBehind(self.oldest)
                yield number, event
                sequence = number
            if not batch:
                if self._closed:
                    return
                if not await self._arrival(idle):
                    yield sequence, None

    async def _arrival(self, seconds: float) -> bool:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(future)
        return True
