"""The journal's tables, and how an older file becomes a newer one."""

from __future__ import annotations

import sqlite3

__all__ = ["SCHEMA_VERSION", "NewerSchema", "migrate"]

_MIGRATIONS = (
    """
    CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE operations (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        digest BLOB NOT NULL,       -- SHA-256 of verb and request
        state INTEGER NOT NULL,     -- countertop.v1.OperationState
        committed INTEGER NOT NULL, -- the commit point is passed
        queue_until REAL NOT NULL,  -- Unix time up to which it may wait
        ended REAL,                 -- Unix time
        body BLOB,                  -- countertop.v1.Operation; dropped when its retention is over
        result BLOB,                -- the verb's result, without what the protos mark debug_redact
        evidence TEXT               -- JSON of the driver's own, for reconciliation
    );
    CREATE INDEX operations_open ON operations (number) WHERE ended IS NULL;
    CREATE INDEX operations_ended ON operations (ended) WHERE ended IS NOT NULL;
    CREATE TABLE events (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE audit (number INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX audit_time ON audit (time);
    """,
)
"""One script per version; never changed once released. The audit has since moved into a chain of its own; its table is
emptied into that (`server/audit/carry.py`).
"""

SCHEMA_VERSION = len(_MIGRATIONS)


class NewerSchema(Exception):
    """The file was written by a newer version of the daemon."""

    def __init__(self, version: int) -> None:
        super().__init__(f"its schema is version {version}; this daemon knows up to {SCHEMA_VERSION}")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the present version, each step in a transaction of its own. Raises NewerSchema."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise NewerSchema(version)
    for step in range(version, SCHEMA_VERSION):
        script = f"BEGIN IMMEDIATE; {_MIGRATIONS[step]}; PRAGMA user_version = {step + 1}; COMMIT;"
        connection.executescript(script)
