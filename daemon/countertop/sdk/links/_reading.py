"""A thread that reads where nothing can be waited for in the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

__all__ = ["WAIT_MS", "ReadingThread"]

WAIT_MS = 200
"""How long a read may wait for the device, so that stopping takes no longer."""


class ReadingThread:
    """Calls `read` again and again, and in the event loop `put` with what it gave, or `end` with what it raised.

    `read` waits at most WAIT_MS and gives b"" when there was nothing; OSError and ValueError end it. While `full` says
    so, nothing is read until `resume`.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[], bytes],
        put: Callable[[bytes], None],
        end: Callable[[BaseException | None], None],
        full: Callable[[], bool],
    ) -> None:
        self.stopped = False
        self._read, self._put, self._end, self._full = read, put, end, full
        self._room = threading.Event()
        self._room.set()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        """It reads."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def resume(self) -> None:
        """There is room again."""
        self._room.set()

    def stop(self) -> None:
        """Read no more. Does not wait."""
        self.stopped = True
        self._room.set()

    def join(self) -> None:
        """Wait until it has ended; blocks."""
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self.stopped:
            if not self._room.wait(WAIT_MS / 1000):
                continue
            try:
                data = self._read()
            except (OSError, ValueError) as error:
                self._tell(self._end, None if self.stopped else error)
                return
            if data:
                self._tell(self._deliver, data)

    def _deliver(self, data: bytes) -> None:
        self._put(data)
        if self._full():
            self._room.clear()

    def _tell(self, call: Callable[..., None], argument: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call, argument)
