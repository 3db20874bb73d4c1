"""The buffers between a camera and its client: who holds which, in what order."""

from __future__ import annotations

import enum
import mmap
from collections import deque
from dataclasses import dataclass

__all__ = ["MAX_BUFFERS", "Buffer", "BufferQueue", "BufferState"]

MAX_BUFFERS = 32


class BufferState(enum.Enum):
    """Where a buffer is. Order: DEQUEUED, QUEUED, FILLING, DONE, DEQUEUED; from anywhere back to DEQUEUED by `stop`."""

    DEQUEUED = "with the client"
    QUEUED = "waits for a frame"
    FILLING = "the camera writes into it"
    DONE = "holds a frame"


@dataclass(slots=True)
class Buffer:
    """`offset` and `length` are bytes in the node's file; `timestamp` is in seconds."""

    index: int
    offset: int
    length: int
    state: BufferState = BufferState.DEQUEUED
    used: int = 0
    sequence: int = 0
    timestamp: float = 0.0


class BufferQueue:
    """Buffers go round in the order in which they were queued."""

    def __init__(self) -> None:
        self.buffers: list[Buffer] = []
        self._queued: deque[Buffer] = deque()
        self._done: deque[Buffer] = deque()

    def allocate(self, count: int, size: int) -> int:
        """Make anew, 0 to MAX_BUFFERS of `size` bytes at least; a larger count is cut. Returns how many were made."""
        self.stop()
        length = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE  # mmap wants its offsets at pages
        count = min(count, MAX_BUFFERS)
        self.buffers = [Buffer(index, index * length, length) for index in range(count)]
        return count

    @property
    def extent(self) -> int:
        """The bytes of all buffers together."""
        return sum(buffer.length for buffer in self.buffers)

    def get(self, index: int) -> Buffer | None:
        """None where there is no such buffer."""
        return self.buffers[index] if 0 <= index < len(self.buffers) else None

    def queue(self, buffer: Buffer) -> bool:
        """The client gives it. False, and nothing changes, unless the client holds it."""
        if buffer.state is not BufferState.DEQUEUED:
            return False
        buffer.state, buffer.used = BufferState.QUEUED, 0
        self._queued.append(buffer)
        return True

    def begin(self) -> Buffer | None:
        """The camera takes the oldest; None when the client has given none."""
        if not self._queued:
            return None
        buffer = self._queued.popleft()
        buffer.state = BufferState.FILLING
        return buffer

    def finish(self, buffer: Buffer, used: int, sequence: int, timestamp: float) -> None:
        """The camera has written `used` bytes into it."""
        assert buffer.state is BufferState.FILLING
        buffer.state = BufferState.DONE
        buffer.used, buffer.sequence, buffer.timestamp = used, sequence, timestamp
        self._done.append(buffer)

    def give_up(self, buffer: Buffer) -> None:
        """The camera could not fill it: it is the next one again."""
        assert buffer.state is BufferState.FILLING
        buffer.state = BufferState.QUEUED
        self._queued.appendleft(buffer)

    def dequeue(self) -> Buffer | None:
        """The client takes the oldest frame; None when there is none yet."""
        if not self._done:
            return None
        buffer = self._done.popleft()
        buffer.state = BufferState.DEQUEUED
        return buffer

    def stop(self) -> None:
        """All buffers go back to the client, frames or not."""
        self._queued.clear()
        self._done.clear()
        for buffer in self.buffers:
            buffer.state = BufferState.DEQUEUED
