"""Reads the records of a chain, for people and programs that look something up; `verify` says whether they are true."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from countertop.server.audit.files import audit_files, lines
from countertop.server.audit.record import parse

__all__ = ["Found", "find"]


class Found(NamedTuple):
    """A record as it lies in the file."""

    line: bytes
    """Without its end."""
    record: dict[str, Any]


def find(folder: Path, *, since: str = "", until: str = "", what: Collection[str] = ()) -> Iterator[Found]:
    """Records from `since` on and before `until` (times as records have them), of some kinds or all, the oldest first.
    What is not a record is passed over. Raises OSError.
    """
    for file in audit_files(folder):
        for line in lines(file.path):
            bare = line.removesuffix(b"\n")
            try:
                record = parse(bare)
            except ValueError:
                continue
            if (
                (not what or record["what"] in what)
                and since <= record["time"]
                and (not until or record["time"] < until)
            ):
                yield Found(bare, record)
