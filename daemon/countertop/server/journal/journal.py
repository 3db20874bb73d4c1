"""The journal as the daemon uses it, from its event loop."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from countertop.sdk.errors import CountertopError
from countertop.server.journal.batch import EVENTS_KEPT, Batch, OperationRow
from countertop.server.journal.file import JournalFile, JournalLocked, open_file
from countertop.server.journal.schema import NewerSchema
from countertop.server.journal.writer import Writer
from countertop.v1 import device_pb2, error_pb2

__all__ = ["Journal"]

log = logging.getLogger("countertop.journal")

RETRY_SECONDS = 5.0
CLOSE_SECONDS = 5.0
LINGER_SECONDS = 0.005
"""How long an event that nobody watches may wait, so that several are written together."""
OPERATION_DAYS = 30
"""How long an operation is kept whole."""
ID_DAYS = 400
"""How long its id is kept after that: it is refused, and never run again."""
POWER_LOSS_JUMP = 1_000_000
"""Event numbers left out after a power failure: events that watchers have seen may be lost then, and their numbers must
not be given to others."""
_DAY = 86_400.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Journal:
    """Keeps operations that consume, events and facts. Writes never block the loop; reads are by index.

    What cannot be written is kept and tried again; meanwhile `check` and `commit` raise JOURNAL_FAILED.
    """

    def __init__(self, directory: Path) -> None:
        """Opens the file. Raises JournalLocked. Any other trouble is told by `status`; the daemon serves without."""
        self.epoch = secrets.token_hex(6)
        self.last_event = 0
        self.oldest_event = 1
        self.on_events: Callable[[int], object] = lambda sequence: None
        """Called with the number of the last event that is written."""
        self.status = device_pb2.Journal(state=device_pb2.JOURNAL_STATE_OK, path=str(directory / "journal.db"))
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._gathering = Batch()
        self._file: JournalFile | None = None
        self._writer: Writer | None = None
        self._events_dropped = 0
        self._wake_at: tuple[float, asyncio.Handle] | None = None
        try:
            self._file = open_file(directory)
            self._begin(self._file)
        except JournalLocked:
            raise
        except (sqlite3.Error, NewerSchema, OSError) as error:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._failed(f"The journal cannot be opened: {error}.")
            return
        self._writer = Writer(self._file.writer, self._take, self._told, RETRY_SECONDS)

    # -- opening and closing --

    def _begin(self, file: JournalFile) -> None:
        if file.set_aside is not None:
            self.status.state = device_pb2.JOURNAL_STATE_SET_ASIDE
            self.status.detail = (
                f"The journal was damaged and has been set aside as {file.set_aside}; what was under way before is not "
                "known. Keep that file for an engineer, and look at the receipts of the last minutes."
            )
            log.error("%s", self.status.detail)
        with closing(file.writer.cursor()) as cursor:
            facts = dict(cursor.execute("SELECT key, value FROM facts WHERE key IN ('epoch', 'boot', 'clean')"))
            first, last = cursor.execute("SELECT min(sequence), max(sequence) FROM events").fetchone()
            self.epoch = facts.get("epoch", self.epoch)
            self.last_event = max(last or 0, int(self._fact(cursor, "last_event") or 0))
            self.oldest_event = first or self.last_event + 1
            boot = _boot_id()
            cursor.execute("BEGIN IMMEDIATE")
            if facts.get("clean") == "no" and facts.get("boot") != boot:
                log.warning("the machine went down under the daemon: events that were not on the disk are lost")
                self.last_event += POWER_LOSS_JUMP
                self.oldest_event = self.last_event + 1
                cursor.execute("DELETE FROM events")
            self._prune(cursor)
            values = {"epoch": self.epoch, "boot": boot, "clean": "no", "last_event": str(self.last_event)}
            cursor.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", values.items())
            cursor.execute("COMMIT")

    @staticmethod
    def _fact(cursor: sqlite3.Cursor, key: str) -> str | None:
        row = cursor.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    @staticmethod
    def _prune(cursor: sqlite3.Cursor) -> None:
        now = time.time()
        whole, ids = now - OPERATION_DAYS * _DAY, now - ID_DAYS * _DAY
        cursor.execute(
            "UPDATE operations SET body = NULL, result = NULL, evidence = NULL WHERE ended < ? AND body NOT NULL",
            (whole,),
        )
        cursor.execute("DELETE FROM operations WHERE ended < ?", (ids,))

    def close(self) -> None:
        """Write what is left, mark the file as closed in good order, and free it. Safe to call twice."""
        if self._wake_at is not None:
            self._wake_at[1].cancel()
            self._wake_at = None
        writer, self._writer = self._writer, None
        file, self._file = self._file, None
        if writer is None or file is None:
            return
        with self._lock:
            self._gathering.facts |= {"clean": "yes", "last_event": str(self.last_event)}
            self._gathering.durable = True
        if writer.close(CLOSE_SECONDS):
            file.close()
        else:
            log.error("the disk does not answer; the journal is left open")

    # -- writing --

    def put_event(self, sequence: int, body: bytes, *, hurry: bool = True) -> None:
        """Write the next event; `on_events` tells when it is written. Without `hurry` it may wait for others."""
        self.last_event = sequence
        with self._lock:
            batch = self._gathering
            batch.events.append((sequence, body))
            if len(batch.events) > EVENTS_KEPT:  # the disk stands still: only the newest will be kept anyway
                del batch.events[: EVENTS_KEPT // 2]
                batch.drop_events_to = batch.events[0][0] - 1
            elif sequence - self._events_dropped >= EVENTS_KEPT + 1000:
                self._events_dropped = batch.drop_events_to = sequence - EVENTS_KEPT
                self.oldest_event = max(self.oldest_event, sequence - EVENTS_KEPT + 1)
        self._wake(LINGER_SECONDS if not hurry else 0.0)

    def hurry(self) -> None:
        """Somebody waits for what was put."""
        self._wake()

    def put_operation(self, row: OperationRow) -> None:
        """Write an operation as it is now."""
        with self._lock:
            self._gathering.operations[row.id] = row
        self._wake()

    def put_fact(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        with self._lock:
            self._gathering.facts[key] = value
        self._wake()

    def drop_old_audit(self, number: int) -> None:
        """Forget rows of the old audit up to a number."""
        with self._lock:
            self._gathering.drop_audit_to = number
        self._wake()

    def check(self) -> None:
        """Raises CountertopError(JOURNAL_FAILED) while nothing can be written."""
        if self.status.state == device_pb2.JOURNAL_STATE_FAILED:
            raise CountertopError(error_pb2.REASON_JOURNAL_FAILED, self.status.detail)

    def saved(self, *, durable: bool) -> asyncio.Future[None]:
        """Done when everything put so far is written, with `durable` when it is on the disk.

        Its exception is CountertopError(JOURNAL_FAILED).
        """
        future = self._loop.create_future()
        if self._writer is None:
            future.set_exception(CountertopError(error_pb2.REASON_JOURNAL_FAILED, self.status.detail))
            return future
        with self._lock:
            self._gathering.waiters.append(future)
            self._gathering.durable |= durable
        self._writer.wake()
        return future

    def _wake(self, linger: float = 0.0) -> None:
        """Have it written at the end of this turn of the loop, or after `linger` seconds, with what else comes."""
        if self._writer is None:
            self._drop()
            return
        due = self._loop.time() + linger
        if self._wake_at is not None and self._wake_at[0] <= due:
            return
        if self._wake_at is not None:
            self._wake_at[1].cancel()
        handle = self._loop.call_later(linger, self._wake_now) if linger else self._loop.call_soon(self._wake_now)
        self._wake_at = (due, handle)

    def _wake_now(self) -> None:
        self._wake_at = None
        if self._writer is not None:
            self._writer.wake()

    def _drop(self) -> None:
        """Without a file nothing is kept, but watchers go on."""
        with self._lock:
            batch, self._gathering = self._gathering, Batch()
        if batch.events:
            self._loop.call_soon(self.on_events, batch.events[-1][0])

    # -- the writer's thread --

    def _take(self) -> Batch:
        with self._lock:
            batch, self._gathering = self._gathering, Batch()
        return batch

    def _told(self, batch: Batch, error: sqlite3.Error | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle, batch, error)
        except RuntimeError:  # the loop has ended: nobody waits any more
            return

    def _settle(self, batch: Batch, error: sqlite3.Error | None) -> None:
        waiters, batch.waiters = batch.waiters, []
        if error is not None:
            self._failed(f"The journal cannot be written: {error}. Free space on its disk, or call an engineer.")
        elif self.status.state == device_pb2.JOURNAL_STATE_FAILED:
            self.status.state, self.status.detail = device_pb2.JOURNAL_STATE_OK, ""
            log.info("the journal can be written again")
        for future in waiters:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(CountertopError(error_pb2.REASON_JOURNAL_FAILED, self.status.detail))
        if batch.events:
            self.on_events(batch.events[-1][0])

    def _failed(self, detail: str) -> None:
        if self.status.state != device_pb2.JOURNAL_STATE_FAILED:
            log.error("%s", detail)
        self.status.state, self.status.detail = device_pb2.JOURNAL_STATE_FAILED, detail

    # -- reading --

    def find(self, operation_id: str) -> OperationRow | None:
        """The operation of an id; its body is None when it ended so long ago that only the id is kept."""
        rows = list(self._rows("WHERE id = ?", (operation_id,)))
        return rows[0] if rows else None

    def unfinished(self) -> list[OperationRow]:
        """Operations that have not ended, the oldest first."""
        return list(self._rows("WHERE ended IS NULL ORDER BY number"))

    def newest_ended(self, limit: int) -> list[OperationRow]:
        """The newest of those that have ended and are kept whole, the oldest of them first."""
        where = "WHERE ended NOT NULL AND body NOT NULL ORDER BY number DESC LIMIT ?"
        return list(self._rows(where, (limit,)))[::-1]

    def unresolved(self, state: int) -> list[OperationRow]:
        """Operations in a state that are kept whole, whatever their age."""
        return list(self._rows("WHERE state = ? AND body NOT NULL ORDER BY number", (state,)))

    def events(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Events behind a sequence."""
        if self._file is None:
            return []
        query = "SELECT sequence, body FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?"
        return self._file.reader.execute(query, (after, limit)).fetchall()

    def fact(self, key: str) -> str | None:
        """A value as it was last written."""
        if self._file is None:
            return None
        with closing(self._file.reader.cursor()) as cursor:
            return self._fact(cursor, key)

    def old_audit(self, after: int, limit: int) -> list[tuple[int, float, str, str]]:
        """What an earlier version kept as its audit, behind a row: number, Unix time, kind, JSON of the rest."""
        if self._file is None:
            return []
        query = "SELECT number, time, kind, body FROM audit WHERE number > ? ORDER BY number LIMIT ?"
        return self._file.reader.execute(query, (after, limit)).fetchall()

    def _rows(self, where: str, parameters: tuple[object, ...] = ()) -> Iterator[OperationRow]:
        if self._file is None:
            return
        query = f"SELECT {_COLUMNS} FROM operations {where}"  # noqa: S608 - both are of this module
        for operation_id, digest, state, committed, *rest in self._file.reader.execute(query, parameters):
            yield OperationRow(operation_id, digest, state, bool(committed), *rest)


_COLUMNS = "id, digest, state, committed, queue_until, ended, body, result, evidence"


def _boot_id() -> str:
    """This start of the machine, where the system tells it."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
