"""One event loop for all emulated terminals of a process, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["LoopThread", "shared_loop"]

Result = TypeVar("Result")


class LoopThread:
    """An event loop on a thread; it ends with the process, for grpc.aio is happiest with few loops."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="countertop-terminal", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Wait for a coroutine that runs there. Interrupted (Ctrl-C), it is cancelled, and its end is waited for."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            if future.cancel():
                ended = threading.Event()
                self._loop.call_soon_threadsafe(self._loop.call_soon, ended.set)
                ended.wait(10)
            raise


_lock = threading.Lock()
_shared: LoopThread | None = None


def shared_loop() -> LoopThread:
    """The process's own; made when it is first asked for."""
    global _shared
    with _lock:
        if _shared is None:
            _shared = LoopThread()
        return _shared
