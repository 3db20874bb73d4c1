"""What is written together: one transaction, synced to the disk when somebody waits for that."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field

__all__ = ["EVENTS_KEPT", "Batch", "OperationRow"]

EVENTS_KEPT = 10_000
"""Length of the event ring."""


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An operation as the journal keeps it."""

    id: str
    digest: bytes
    """SHA-256 of verb and request."""
    state: int
    committed: bool
    queue_until: float
    """Unix time."""
    ended: float | None
    """Unix time."""
    body: bytes | None
    """A serialised Operation; None when its retention is over."""
    result: bytes | None = None
    evidence: str | None = None


@dataclass(slots=True)
class Batch:
    """What gathered while the batch before it was written; later states of an operation replace earlier ones."""

    operations: dict[str, OperationRow] = field(default_factory=dict)
    events: list[tuple[int, bytes]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    drop_events_to: int = 0
    drop_audit_to: int = 0
    """Of the table that an earlier version kept."""
    durable: bool = False
    """Somebody waits for it to be on the disk."""
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """There is nothing to write and nobody waits."""
        return not (self.operations or self.events or self.facts or self.drop_audit_to or self.waiters)

    def take_up(self, failed: Batch) -> None:
        """Take along what an earlier batch could not write; what is newer here wins. Its waiters have been told."""
        self.operations = failed.operations | self.operations
        self.facts = failed.facts | self.facts
        self.events = failed.events + self.events
        self.drop_events_to = max(failed.drop_events_to, self.drop_events_to)
        self.drop_audit_to = max(failed.drop_audit_to, self.drop_audit_to)
        if len(self.events) > EVENTS_KEPT:
            del self.events[:-EVENTS_KEPT]
            self.drop_events_to = self.events[0][0] - 1

    def write(self, connection: sqlite3.Connection) -> None:
        """One transaction; returns when it is on the disk if `durable`, else when the system has it. Raises
        sqlite3.Error.
        """
        connection.execute(f"PRAGMA synchronous = {'FULL' if self.durable else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(_PUT_OPERATION, map(_columns, self.operations.values()))
            connection.executemany("INSERT OR REPLACE INTO events VALUES (?, ?)", self.events)
            connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", self.facts.items())
            if self.drop_events_to:
                connection.execute("DELETE FROM events WHERE sequence <= ?", (self.drop_events_to,))
            if self.drop_audit_to:
                connection.execute("DELETE FROM audit WHERE number <= ?", (self.drop_audit_to,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


_PUT_OPERATION = """
    INSERT INTO operations (id, digest, state, committed, queue_until, ended, body, result, evidence)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, committed = excluded.committed, ended = excluded.ended,
        queue_until = excluded.queue_until, body = excluded.body, result = excluded.result, evidence = excluded.evidence
"""


def _columns(row: OperationRow) -> tuple[object, ...]:
    return (
        row.id,
        row.digest,
        row.state,
        row.committed,
        row.queue_until,
        row.ended,
        row.body,
        row.result,
        row.evidence,
    )
