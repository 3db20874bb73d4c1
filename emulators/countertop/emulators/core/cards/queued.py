"""A device that does what it was sent one thing after the other, each in its time."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from countertop.emulators.core.faults import FaultBoard

__all__ = ["QueuedPeer"]

ItemT = TypeVar("ItemT")


class QueuedPeer(ABC, Generic[ItemT]):
    """A Peer. An answer goes only to the connection that asked; what is under way is finished without it.

    A device gives what is marked abstract. The board must have the fault `power-cycle`.
    """

    def __init__(self, board: FaultBoard, *, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._board = board
        self._pause, self._resume = pause, resume
        self._queue: deque[tuple[int, ItemT]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._write: Callable[[bytes], None] | None = None
        self._connection = 0
        self._paused = False
        self._powered = True
        self._idle = asyncio.Event()
        self._idle.set()
        board.subscribe(self._fault_changed)

    # --- what a device gives ---------------------------------------------------------------------------------------

    @abstractmethod
    def _take(self, data: bytes) -> None:
        """Put what is complete now into the queue, with `self._connection`."""

    @abstractmethod
    def _is_full(self) -> bool:
        """No more may be taken in."""

    @abstractmethod
    async def _do(self, connection: int, item: ItemT) -> None:
        """Carry out one thing."""

    @abstractmethod
    def _forget_received(self) -> None:
        """Forget what has come in part, and what waits beside the queue."""

    @abstractmethod
    def _lose_memory(self) -> None:
        """The power fails: what moves stops, settings and errors are gone."""

    def _next(self) -> tuple[int, ItemT] | None:
        """What is to be done now; None when nothing can be."""
        return self._queue.popleft() if self._queue else None

    # --- the link --------------------------------------------------------------------------------------------------

    def connected(self, write: Callable[[bytes], None]) -> None:
        """See Peer."""
        self._connection += 1
        self._write = write

    def disconnected(self) -> None:
        """See Peer. What was cut off still waits for the rest of its bytes."""
        self._write = None

    def received(self, data: bytes) -> None:
        """See Peer."""
        if self._powered:
            self._take(data)
            self.go_on()

    def go_on(self) -> None:
        """Do what waits; also when somebody has been at the device."""
        self._flow()
        if self._queue and self._task is None and self._powered:
            self._idle.clear()
            self._task = asyncio.get_running_loop().create_task(self._work())

    def soft_reset(self) -> None:
        """The USB printer class's SOFT_RESET: what was received and not begun is forgotten."""
        self._forget_received()
        self._queue.clear()
        self._flow()

    @property
    def busy(self) -> bool:
        """Something is carried out."""
        return self._task is not None

    async def wait_idle(self) -> None:
        """Wait until all that was received is done, or held up by an error."""
        await self._idle.wait()

    def _say(self, connection: int, data: bytes) -> None:
        if connection == self._connection and self._write is not None:
            self._write(data)

    # --- power -----------------------------------------------------------------------------------------------------

    def power_off(self) -> None:
        """Memory is lost; a card that moves stays where it is."""
        self._powered = False
        self._lose_memory()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self._forget_received()
        self._queue.clear()
        self._idle.set()
        self._flow()

    def power_on(self) -> None:
        """Begin anew. Nothing moves."""
        self._powered = True

    def power_cycle(self) -> None:
        """Off and on."""
        self.power_off()
        self.power_on()

    def _fault_changed(self, name: str, began: bool) -> None:
        if name == "power-cycle" and began:
            self.power_cycle()
            self._board.clear(name)

    # --- work ------------------------------------------------------------------------------------------------------

    def _flow(self) -> None:
        """Take in no more while too much waits."""
        full = self._is_full()
        if full and not self._paused:
            self._paused = True
            self._pause()
        elif self._paused and not full:
            self._paused = False
            self._resume()

    async def _work(self) -> None:
        while (found := self._next()) is not None:
            self._flow()
            await self._do(*found)
            self._flow()
        self._task = None
        self._idle.set()
