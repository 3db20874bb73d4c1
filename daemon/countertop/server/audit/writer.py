"""The audit's thread: appends what gathered in groups, each on the disk before the next, and signs checkpoints.

While the disk cannot be written, records wait; what finds no room is counted, and the count is recorded later.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from countertop.sdk.errors import CountertopError
from countertop.sdk.marks import safe
from countertop.server.audit.chain import Chain
from countertop.server.audit.checkpoint import CHECKPOINT_RECORDS, CHECKPOINT_SECONDS, checkpoint
from countertop.server.audit.files import sync_folder
from countertop.server.audit.record import Entry, time_text
from countertop.server.audit.retention import deleted, doomed

if TYPE_CHECKING:
    from countertop.sdk.ink.signer import Signer

__all__ = ["ROTATE_BYTES", "WAITING", "Told", "Writer"]

WAITING = 5_000
"""Records that may wait for the disk."""
GROUP = 500
ROTATE_BYTES = 16 * 2**20
LINGER_SECONDS = 0.02
"""How long a record that nobody waits for may wait for others."""
RETRY_SECONDS = 5.0
SETTLE_SECONDS = 5.0
"""So long after its start the daemon has answered somebody; only then what signs is imported."""
SWEEP_SECONDS = 86_400.0

Told = Callable[[OSError | None], None]
"""Told, in the thread, whether all that was recorded before is on the disk."""

log = logging.getLogger("countertop.audit")


class Writer:
    """`put` and `wait` may be called in any thread."""

    def __init__(self, chain: Chain, signer: Callable[[], Signer], terminal_id: str, days: int) -> None:
        self._chain = chain
        self._signer = signer
        self._terminal_id = terminal_id
        self._days = days
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiters: list[Told] = []
        self._lost = (0, 0, 0)
        """How many found no room, and when the first and the last of them were."""
        self._urgent = threading.Event()
        self._closing = False
        self._ended = False
        self._held: list[Entry] = [Entry(time.time_ns(), "start", details={"terminal": terminal_id})]
        """Taken from the queue and not on the disk."""
        self._begun = False
        self._failing = False
        self._unsigned = 0
        self._sign_at = time.monotonic() + SETTLE_SECONDS
        self._sweep_at = self._sign_at
        self._cannot_sign = False
        self._thread = threading.Thread(target=self._work, name="audit", daemon=True)
        self._thread.start()

    def put(self, item: Entry) -> None:
        """Have it written; never waits."""
        if self._queue.qsize() < WAITING:
            self._queue.put(item)
            return
        with self._lock:
            count, since, _ = self._lost
            self._lost = (count + 1, since or item.time_ns, item.time_ns)

    def wait(self, told: Told) -> None:
        """Have all that was put so far written at once, and be told."""
        with self._lock:
            ended = self._ended
            if not ended:
                self._waiters.append(told)
        if ended:
            told(OSError("it is closed"))
        else:
            self._wake()

    def close(self, seconds: float) -> bool:
        """Write what there is and end; False when the thread hangs on the disk."""
        self._closing = True
        self._wake()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _wake(self) -> None:
        self._urgent.set()
        if self._queue.empty():  # else it will not rest, or sees that it is urgent before it does
            self._queue.put(None)

    # -- the thread --

    def _work(self) -> None:
        closing = False
        while not closing:
            self._rest()
            closing = self._closing
            with self._lock:
                waiters, self._waiters = self._waiters, []
                self._ended = closing
            error: OSError | None = None
            try:
                self._write()
                self._keep_up(closing=closing)
            except OSError as raised:
                error = raised
            except Exception as raised:  # a defect here must not leave anybody waiting
                log.error("the audit's writer failed: %s", safe(raised))
                error = OSError(f"a defect: {type(raised).__name__}")
            self._report(error)
            for told in waiters:
                told(error)
        if self._failing:
            log.error("the audit ends with %d records that are not written", len(self._held) + self._queue.qsize())
        self._chain.close()

    def _rest(self) -> None:
        """Until there is something to do, and a little longer, so that records are written together."""
        if not self._begun:
            self._begun = True
        elif self._failing:
            self._urgent.wait(RETRY_SECONDS)
        elif not self._urgent.is_set():  # else somebody came while the last records were written
            due = min(self._sign_at if self._unsigned else self._sweep_at, self._sweep_at)
            try:
                item = self._queue.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                return
            if item is not None:
                self._held.append(item)
            self._urgent.wait(LINGER_SECONDS)
        self._urgent.clear()

    def _write(self) -> None:
        """All that was put until now. Raises OSError."""
        if not self._chain.is_open:
            self._open()
        left = self._queue.qsize()
        while self._held or left:
            for _ in range(min(left, GROUP - len(self._held))):
                item = self._queue.get_nowait()
                left -= 1
                if item is not None:
                    self._held.append(item)
            if self._held:
                self._append_held()
        with self._lock:
            (count, since, until), self._lost = self._lost, (0, 0, 0)
        if count:
            details: dict[str, str | int | bool] = {"records": count}
            details |= {"since": time_text(since), "until": time_text(until)}
            self._held.append(Entry(time.time_ns(), "lost", details=details))
            self._append_held()

    def _open(self) -> None:
        self._chain.open()
        for item in self._chain.landed():
            if self._held and self._held[0] is item:
                del self._held[0]
        self._unsigned += 1  # what an earlier daemon left, or what was set aside
        if self._held and self._held[0].what == "start":
            self._held[0] = self._held[0]._replace(details={**self._held[0].details, "clean": self._chain.clean})

    def _append_held(self) -> None:
        written = self._chain.append(self._held)
        del self._held[:written]
        self._unsigned += written
        if self._unsigned >= CHECKPOINT_RECORDS:
            self._sign()

    def _keep_up(self, *, closing: bool) -> None:
        """What is due beside records: checkpoints, another file, deleting old ones. Raises OSError."""
        now = time.monotonic()
        if closing:
            self._chain.append([Entry(time.time_ns(), "stop")])
            self._sign()
        elif self._unsigned and now >= self._sign_at:
            self._sign()
        if self._chain.size >= ROTATE_BYTES and not closing:
            self._rotate()
        elif now >= self._sweep_at and not closing:
            self._sweep()

    def _sign(self) -> None:
        """Add a checkpoint, where the terminal can sign. Raises OSError."""
        self._unsigned = 0
        self._sign_at = time.monotonic() + CHECKPOINT_SECONDS
        try:
            signer = self._signer()
            item = checkpoint(signer, self._terminal_id, self._chain.number, self._chain.head, time.time_ns())
        except CountertopError as error:
            if not self._cannot_sign:
                log.warning("the audit goes on without signed checkpoints: %s", error.message)
            self._cannot_sign = True
            return
        self._cannot_sign = False
        self._chain.append([item])
        log.info("audit checkpoint %d:%s", self._chain.number, self._chain.head)

    def _rotate(self) -> None:
        if self._unsigned:
            self._sign()
        self._chain.begin_file()
        self._chain.append([Entry(time.time_ns(), "rotated")])
        self._unsigned += 1
        self._sweep()

    def _sweep(self) -> None:
        self._sweep_at = time.monotonic() + SWEEP_SECONDS
        old = doomed(self._chain.folder, self._days, time.time_ns())
        if old is None:
            return
        self._chain.append([deleted(old)])
        self._sign()
        for path in old.paths:
            path.unlink()
        sync_folder(self._chain.folder)

    def _report(self, error: OSError | None) -> None:
        if error is not None:
            self._chain.close()
            if not self._failing:
                log.error("the audit cannot be written: %s; records wait in memory", error.strerror or error.args[0])
        elif self._failing:
            log.info("the audit can be written again")
        self._failing = error is not None
