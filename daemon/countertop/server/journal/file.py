"""Opens the journal's file: locked against a second daemon, checked, set aside when damaged."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from countertop.server.journal.schema import migrate

__all__ = ["JournalFile", "JournalLocked", "open_file"]

FILE_NAME = "journal.db"
_SIDE_FILES = ("", "-wal", "-shm")
_BUSY_SECONDS = 5.0


class JournalLocked(OSError):
    """Another daemon uses the state directory."""


@dataclass(slots=True)
class JournalFile:
    """The opened file: `writer` belongs to the writer's thread, `reader` to the event loop."""

    path: Path
    writer: sqlite3.Connection
    reader: sqlite3.Connection
    lock: int
    set_aside: Path | None
    """Where the damaged file went, if there was one."""

    def close(self) -> None:
        """Close both connections and free the lock."""
        self.reader.close()
        self.writer.close()
        os.close(self.lock)


def open_file(directory: Path) -> JournalFile:
    """Open or make the journal of a state directory.

    Raises JournalLocked; NewerSchema; OSError or sqlite3.Error when the directory or the file cannot be used.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / FILE_NAME
    lock = os.open(directory / f"{FILE_NAME}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(lock, directory)
        set_aside = None
        if path.exists() and not _is_sound(path):
            set_aside = _set_aside(path)
        writer, reader = _connect(path)
    except BaseException:
        os.close(lock)
        raise
    return JournalFile(path, writer, reader, lock, set_aside)


def _lock(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise JournalLocked(
            f"another daemon uses the state directory {directory}; stop it, or give this one its own with "
            "[terminal] state_dir or XDG_STATE_HOME"
        ) from None


def _is_sound(path: Path) -> bool:
    """SQLite's own quick check. A file that is busy or cannot be read is not called damaged: it raises."""
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            findings = connection.execute("PRAGMA quick_check(1)").fetchone()
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.DatabaseError as error:
        if _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return False
        raise
    return bool(findings == ("ok",))


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _set_aside(path: Path) -> Path:
    """Rename the file, with what SQLite has beside it, to a name that is not taken."""
    stamp = time.strftime("%Y%m%dT%H%M%S")
    number = 0
    while True:
        target = path.with_name(f"{path.name}.damaged-{stamp}{f'-{number}' if number else ''}")
        if not target.exists():
            break
        number += 1
    for suffix in _SIDE_FILES:
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(target.with_name(target.name + suffix))
    return target


def _connect(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    old_mask = os.umask(0o077)
    try:
        writer = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    finally:
        os.umask(old_mask)
    try:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA synchronous = FULL")
        migrate(writer)
        reader = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        reader.execute("PRAGMA query_only = ON")
    except BaseException:
        writer.close()
        raise
    path.chmod(0o600)
    return writer, reader
