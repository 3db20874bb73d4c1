"""What a driver does to the process that it lives in: descriptors, tasks, the event loop's time, log records."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

__all__ = ["descriptors", "logged", "settled", "tasks", "threads", "ticking"]


def descriptors() -> int:
    """Open file descriptors of this process; 0 where that cannot be told."""
    folder = Path("/proc/self/fd")
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def tasks() -> set[str]:
    """Names of the tasks of the running loop."""
    return {task.get_name() for task in asyncio.all_tasks() if not task.done()}


def threads() -> int:
    """Threads of this process, without the event loop's own pool, which grows when there is more to do at once."""
    return sum(1 for thread in threading.enumerate() if not thread.name.startswith("asyncio_"))


async def settled(condition: Callable[[], bool]) -> None:
    """Give what is ending a second to end."""
    for _ in range(100):
        if condition():
            return
        await asyncio.sleep(0.01)


@asynccontextmanager
async def ticking() -> AsyncIterator[list[float]]:
    """The longest time, in seconds, for which nothing else had its turn on the loop."""
    loop, longest = asyncio.get_running_loop(), [0.0]

    async def tick() -> None:
        last = loop.time()
        while True:
            await asyncio.sleep(0.02)
            now = loop.time()
            longest[0], last = max(longest[0], now - last), now

    task = asyncio.create_task(tick())
    try:
        yield longest
    finally:
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})


@contextmanager
def logged() -> Iterator[list[logging.LogRecord]]:
    """Every log record meanwhile."""
    records: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    keeper, root = Keeper(level=logging.DEBUG), logging.getLogger()
    level = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        root.removeHandler(keeper)
        root.setLevel(level)
