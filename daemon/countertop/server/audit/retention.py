"""Which files of a chain are older than they are kept, and the record that stands for them when they are gone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from countertop.server.audit.files import audit_files, lines
from countertop.server.audit.record import Entry, parse, time_text

__all__ = ["DELETED", "Doomed", "deleted", "doomed"]

DELETED = "deleted"
_DAY_NS = 86_400 * 1_000_000_000


class Doomed(NamedTuple):
    """The oldest files of a chain, as far as they are older than they are kept."""

    paths: Sequence[Path]
    first: int
    """The number of their first record."""
    last: int
    head: str
    """The last record's hash: what the next file's first record has as `prev`."""


def doomed(folder: Path, days: int, now_ns: int) -> Doomed | None:
    """A file goes when the one behind it began that long ago, so that every record of it is older. The present file
    stays. Raises OSError.
    """
    files = audit_files(folder)
    limit = time_text(now_ns - days * _DAY_NS)
    found: Doomed | None = None
    for index, behind in enumerate(files[1:]):
        first = next(lines(behind.path), b"")
        try:
            record = parse(first.removesuffix(b"\n"))
        except ValueError:
            break  # what cannot be told apart is kept
        if record["time"] >= limit:
            break
        paths = [item.path for item in files[: index + 1]]
        found = Doomed(paths, files[0].first, record["number"] - 1, record["prev"])
    return found


def deleted(what: Doomed) -> Entry:
    """The record that tells of it, written before they go."""
    details: dict[str, str | int | bool] = {
        "first": what.first,
        "last": what.last,
        "head": what.head,
        "files": len(what.paths),
    }
    return Entry(time.time_ns(), DELETED, details=details)
