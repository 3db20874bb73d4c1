"""The journal's thread: writes one batch after the other, while the next one gathers.

Batches commit together whatever came while the disk was busy, so that a slow disk costs latency, not throughput.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

from countertop.server.journal.batch import Batch

__all__ = ["Writer"]


class Writer:
    """`take` hands over the gathered batch (called in the thread), `tell` is given each batch and the error that it
    met, if any (called in the thread too). `wake` says that there is something to take.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        take: Callable[[], Batch],
        tell: Callable[[Batch, sqlite3.Error | None], None],
        retry_seconds: float,
    ) -> None:
        self._connection = connection
        self._take = take
        self._tell = tell
        self._retry_seconds = retry_seconds
        self._ready = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to write."""
        self._ready.set()

    def close(self, seconds: float) -> bool:
        """Write what there is, and end; False when the thread hangs on the disk."""
        self._closing = True
        self._ready.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        failed: Batch | None = None
        while True:
            self._ready.wait(self._retry_seconds if failed else None)
            self._ready.clear()
            closing = self._closing
            batch = self._take()
            if failed is not None:
                batch.take_up(failed)
            error: sqlite3.Error | None = None
            if not batch.empty:
                try:
                    batch.write(self._connection)
                except sqlite3.Error as raised:
                    error = raised
                self._tell(batch, error)
            failed = batch if error is not None else None
            if closing:
                return
