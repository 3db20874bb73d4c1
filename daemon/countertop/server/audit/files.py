"""The audit's files: `audit-<first number>.jsonl`, only ever appended to, readable by the daemon's user alone."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from countertop.server.audit.record import MAX_LINE

__all__ = [
    "AppendFile",
    "AuditFile",
    "OpenFile",
    "Writable",
    "audit_files",
    "file_name",
    "lines",
    "lock",
    "sync_folder",
]

_NAME = re.compile(r"audit-(\d{9,15})\.jsonl")


class Writable(Protocol):
    """An open file at its end."""

    size: int
    """Bytes."""

    def write(self, data: bytes) -> None:
        """Append whole lines. Raises OSError; what whole lines could be written may have been."""
        ...

    def sync(self) -> None:
        """Put what was written on the disk. Raises OSError."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


OpenFile = Callable[[Path], Writable]


class AppendFile:
    """A file of the system. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = os.fstat(self._descriptor).st_size

    def write(self, data: bytes) -> None:
        """Append. Where the disk is full, half a line is taken back; whole lines stay."""
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, memoryview(data)[written:])
        except OSError:
            whole = data.rfind(b"\n", 0, written) + 1
            if whole < written:
                with suppress(OSError):  # a file that may only grow (chattr +a): the half line is then found as torn
                    os.ftruncate(self._descriptor, self.size + whole)
            raise
        self.size += written

    def sync(self) -> None:
        """Put it on the disk."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go."""
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True, order=True)
class AuditFile:
    """One file of a chain."""

    first: int
    """The number of its first record, as its name says."""
    path: Path


def audit_files(folder: Path) -> list[AuditFile]:
    """The files of a chain in their order; others are left out. Raises OSError."""
    found = ((_NAME.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted(AuditFile(int(match[1]), path) for match, path in found if match)


def file_name(first: int) -> str:
    """The name of the file that begins with a record."""
    return f"audit-{first:09}.jsonl"


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a file with their ends; one that is too long for a record comes in pieces. Raises OSError."""
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE + 2):
            yield line


def lock(folder: Path) -> int:
    """Hold a folder alone, until the descriptor is closed. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OSError(f"another daemon writes the audit in {folder}") from None
    return descriptor


def sync_folder(folder: Path) -> None:
    """Put names that came or went on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
