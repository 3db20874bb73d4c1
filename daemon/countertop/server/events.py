"""The terminal's one event stream: numbered without holes, kept in a bounded ring, and on the disk.

Watchers hold no queue of their own: each has only its place in the ring, so that a slow watcher costs nothing and
slows nobody. One that falls out of the ring is told so. An event is shown only when the journal has it, so that no
number is ever given twice, whatever becomes of the daemon. It is serialised once, for the disk and all watchers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from countertop.server.journal.journal import Journal
from countertop.server.times import stamp
from countertop.v1.device_pb2 import Event, WatchEventsResponse

__all__ = ["EventLog", "FellBehind"]

_PAGE = 500
_EVENT_TAG = bytes([WatchEventsResponse.EVENT_FIELD_NUMBER << 3 | 2])


class FellBehind(Exception):
    """The events after the wanted sequence are no longer in the ring."""

    def __init__(self, oldest: int) -> None:
        self.oldest = oldest
        super().__init__(f"The oldest event still kept is {oldest}.")


class _Entry:
    """An event in the ring, serialised; and the response that carries it, once somebody has watched it."""

    __slots__ = ("body", "response")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.response: bytes | None = None


class EventLog:
    """A ring of the last `capacity` events, numbered 1, 2, 3 … within the journal's epoch."""

    def __init__(self, journal: Journal, capacity: int = 10_000) -> None:
        self._journal = journal
        self._ring: deque[_Entry] = deque(maxlen=capacity)
        self._capacity = capacity
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False
        self.sequence = journal.last_event
        """The last event that happened."""
        self.published = self.sequence
        """The last event that is written, and shown."""
        journal.on_events = self._written

    @property
    def epoch(self) -> str:
        """What the numbers belong to."""
        return self._journal.epoch

    @property
    def oldest(self) -> int:
        """Sequence of the oldest event kept; one more than `sequence` when there is none."""
        in_memory = self.sequence - len(self._ring) + 1
        return max(min(self._journal.oldest_event, in_memory), self.sequence - self._capacity + 1)

    def bookmark(self, sequence: int) -> str:
        """The bookmark that stands behind an event."""
        return f"{self.epoch}:{sequence}"

    def append(self, event: Event) -> int:
        """Number and keep an event, and return its number; watchers have it when it is written."""
        stamp(event.time)
        self.sequence += 1
        body = event.SerializeToString()
        self._ring.append(_Entry(body))
        self._journal.put_event(self.sequence, body, hurry=bool(self._waiting))
        return self.sequence

    def close(self) -> None:
        """End every `follow` once it has yielded what there is."""
        self._closed = True
        self._wake()

    def _written(self, sequence: int) -> None:
        self.published = max(self.published, sequence)
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _response(self, sequence: int, body: bytes) -> bytes:
        """A serialised WatchEventsResponse."""
        head = WatchEventsResponse(sequence=sequence, bookmark=self.bookmark(sequence)).SerializeToString()
        return head + _EVENT_TAG + _varint(len(body)) + body

    def after(self, sequence: int) -> list[tuple[int, bytes]]:
        """Events after a sequence that are shown, as serialised WatchEventsResponses; at most some hundreds that only
        the disk has, then more at the next call. Raises FellBehind when some of them are gone.
        """
        if sequence + 1 < self.oldest:
            raise FellBehind(self.oldest)
        first = self.sequence - len(self._ring) + 1
        if sequence + 1 < first:
            found = self._journal.events(sequence, min(_PAGE, first - 1 - sequence))
            if not found or found[0][0] != sequence + 1:
                raise FellBehind(first)
            return [(number, self._response(number, body)) for number, body in found]
        places = range(sequence + 1 - first, self.published + 1 - first)
        return [(first + place, self._shown(first + place, self._ring[place])) for place in places]

    def _shown(self, sequence: int, entry: _Entry) -> bytes:
        """The response of an event, made for the first watcher."""
        if entry.response is None:
            entry.response = self._response(sequence, entry.body)
        return entry.response

    async def until(self, sequence: int) -> None:
        """Wait until an event is written."""
        while self.published < sequence and not self._closed:
            self._journal.hurry()
            await self._arrival(None)

    async def follow(self, sequence: int, idle: float) -> AsyncIterator[tuple[int, bytes | None]]:
        """Yield each event after `sequence` as it comes, as a serialised WatchEventsResponse; (last sequence, None)
        after `idle` seconds without one.

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
                if self.published < self.sequence:
                    self._journal.hurry()
                if not await self._arrival(idle):
                    yield sequence, None

    async def _arrival(self, seconds: float | None) -> bool:
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


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
