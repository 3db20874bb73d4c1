"""The chain's growing end: numbers records, links each to the line before, and finds the end again after a crash."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from countertop.server.audit.files import (
    AppendFile,
    AuditFile,
    OpenFile,
    Writable,
    audit_files,
    file_name,
    lock,
    sync_folder,
)
from countertop.server.audit.record import GENESIS, Entry, encode, line_hash, parse

__all__ = ["GROUP_BYTES", "MAX_TORN", "Chain", "Tail", "find_tail"]

GROUP_BYTES = 262_144
"""What is written and synced at once; more than that and one line no crash can tear."""
MAX_TORN = 2 * GROUP_BYTES
"""Bytes at the end of a file that are looked through for what a crash has torn."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a chain ends."""

    number: int = 0
    head: str = GENESIS
    torn: bytes = b""
    """What lies behind the last record in the last file: a crash came between."""
    last: dict[str, Any] | None = None
    """The last record."""
    bare: bool = False
    """It is whole, but for the end of its line."""


def find_tail(files: Sequence[AuditFile]) -> Tail:
    """The end of a chain. Raises OSError."""
    torn = b""
    for file in reversed(files):
        line, behind = _last_record(file.path)
        torn = behind if file is files[-1] else torn
        if line is not None:
            record = parse(line)
            return _whole(Tail(record["number"], line_hash(line), torn, record))
    return _whole(Tail(files[0].first - 1 if files else 0, GENESIS, torn))


def _whole(tail: Tail) -> Tail:
    """A last record that lacks nothing but the end of its line is not torn."""
    try:
        record = parse(tail.torn)
    except ValueError:
        return tail
    if (record["number"], record["prev"]) != (tail.number + 1, tail.head):
        return tail
    return Tail(record["number"], line_hash(tail.torn), b"", record, bare=True)


def _last_record(path: Path) -> tuple[bytes | None, bytes]:
    """The last good line of a file, if there is one, and the bytes behind it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - MAX_TORN)
        file.seek(start)
        data = file.read()
        skipped = data.find(b"\n") + 1 if start else 0
        good, end = _good(data[skipped:])
        if good is None and start:  # nothing sound in the last half megabyte: no crash does that
            file.seek(0)
            data, skipped = file.read(), 0
            good, end = _last_good(data)
    return good, data[skipped + end :]


def _good(data: bytes) -> tuple[bytes | None, int]:
    """The last line before the first bad one, and where it ends. Pages may reach the disk in any order, so that
    there may be good lines behind a torn one; they do not count. After an orderly end nothing needs to be looked for.
    """
    if data.endswith(b"\n"):
        before, _, line = data[:-1].rpartition(b"\n")
        if _is_record(line) and _is_stop(before.rpartition(b"\n")[2]):
            return line, len(data)
    good, at = None, 0
    while (end := data.find(b"\n", at)) >= 0 and _is_record(data[at:end]):
        good, at = data[at:end], end + 1
    return good, at


def _last_good(data: bytes) -> tuple[bytes | None, int]:
    end = data.rfind(b"\n")
    while end >= 0:
        start = data.rfind(b"\n", 0, end) + 1
        if _is_record(data[start:end]):
            return data[start:end], end + 1
        end = start - 1
    return None, 0


def _is_record(line: bytes) -> bool:
    try:
        parse(line)
    except ValueError:
        return False
    return True


def _is_stop(line: bytes) -> bool:
    try:
        return bool(parse(line)["what"] == "stop")
    except ValueError:
        return False


class Chain:
    """One daemon's end of the chain. After an OSError `close` and `open` it again: it finds out what was written."""

    def __init__(self, folder: Path, open_file: OpenFile = AppendFile) -> None:
        self.folder = folder
        self.number = 0
        """The last record's; 0 in an empty chain."""
        self.head = GENESIS
        """The last line's hash."""
        self.clean = True
        """When it was opened, it ended in good order."""
        self._open_file = open_file
        self._file: Writable | None = None
        self._lock: int | None = None
        self._found = False
        self._attempted: tuple[int, Sequence[Entry]] = (0, ())
        """The number before, and what an append that has not succeeded was given."""
        self._landed: list[Entry] = []

    @property
    def is_open(self) -> bool:
        """It may be appended to."""
        return self._file is not None

    @property
    def size(self) -> int:
        """Bytes of the present file."""
        return self._file.size if self._file is not None else 0

    def open(self) -> None:
        """Find the end, and set aside what is torn there. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = lock(self.folder)
        files = audit_files(self.folder)
        tail = find_tail(files)
        if not self._found:
            what = None if tail.last is None else tail.last["what"]
            self.clean = not tail.torn and what in (None, "stop", "checkpoint")
        self._found = True
        self.number, self.head = tail.number, tail.head
        before, attempted = self._attempted
        self._landed += attempted[: max(0, tail.number - before)]
        self._attempted = (0, ())
        self._file = self._opened(files[-1].path if files else self.folder / file_name(1))
        if tail.bare:
            self._file.write(b"\n")
        elif tail.torn:
            self._set_aside(tail.torn)
        self._file.sync()

    def landed(self) -> list[Entry]:
        """What of appends that failed is in the file nevertheless, as far as it was not asked for yet."""
        landed, self._landed = self._landed, []
        return landed

    def append(self, entries: Sequence[Entry]) -> int:
        """Write the first of these, as many as belong into one group, and return their number when they are on the
        disk. Raises OSError.
        """
        made, number, head, size = [], self.number, self.head, 0
        for item in entries:
            line = encode(item, number + 1, head)
            number, head, size = number + 1, line_hash(line), size + len(line) + 1
            made.append(line)
            if size >= GROUP_BYTES:
                break
        assert self._file is not None, "opened"
        self._attempted = (self.number, tuple(entries))
        self._file.write(b"\n".join([*made, b""]))
        self._file.sync()
        self._attempted = (0, ())
        self.number, self.head = number, head
        return len(made)

    def begin_file(self) -> None:
        """Go on in a new file. Raises OSError."""
        assert self._file is not None, "opened"
        new = self._opened(self.folder / file_name(self.number + 1))
        self._file.close()
        self._file = new

    def close(self) -> None:
        """Let go of the files."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _opened(self, path: Path) -> Writable:
        file = self._open_file(path)
        try:
            if not file.size:
                sync_folder(self.folder)
        except BaseException:
            file.close()
            raise
        return file

    def _set_aside(self, torn: bytes) -> None:
        """The torn bytes stay where they are, and a record says which they are."""
        details: dict[str, str | int | bool] = {"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}
        line = encode(Entry(time.time_ns(), "torn", details=details), self.number + 1, self.head)
        end = b"" if torn.endswith(b"\n") else b"\n"
        assert self._file is not None, "opened"
        self._file.write(end + line + b"\n")
        self.number, self.head = self.number + 1, line_hash(line)
