"""A record of the audit as one line of JSON: always the same bytes for the same record, of bounded length, ASCII alone.

Text from outside is cut to a limit when it is handed over; control characters and everything beyond ASCII are escaped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from countertop.server.caller import INSIDE, Caller

__all__ = ["GENESIS", "MAX_LINE", "Entry", "encode", "entry", "line_hash", "parse", "time_text", "whole"]

GENESIS = "0" * 64
"""What the very first record has for the hash of the line before."""
MAX_LINE = 16_384
"""Bytes of the longest line, without its end; details that would not fit are left out, and `cut` says so."""
_FIELDS = (
    "number",
    "time",
    "what",
    "door",
    "identity",
    "peer",
    "name",
    "roles",
    "method",
    "device_id",
    "operation_id",
    "outcome",
    "details",
    "prev",
)
"""In this order; one that is empty is left out."""
_TYPES: dict[str, type] = {"number": int, "roles": list, "details": dict}
"""Of the fields that are not text."""
_REQUIRED = {"number", "time", "what", "door", "prev"}
_WHAT, _IDENTITY, _NAME, _ID, _TEXT = 64, 256, 64, 256, 512
"""Characters that are kept."""
_MOST_ROLES = 16
_MOST_DETAILS = 24

_NOTHING: dict[str, Any] = {}
_MOST_SHAPES = 1_000
_shapes: set[tuple[object, ...]] = set()
"""Fields and their types that were looked at and are good: there are few, and looking takes longest."""

_json = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode


class Entry(NamedTuple):
    """A record that has no place in the chain yet."""

    time_ns: int
    """Unix time in nanoseconds."""
    what: str
    caller: Caller = INSIDE
    method: str = ""
    device_id: str = ""
    operation_id: str = ""
    outcome: str = ""
    details: Mapping[str, str | int | bool] = {}


def entry(
    time_ns: int,
    what: str,
    caller: Caller,
    method: str,
    device_id: str,
    operation_id: str,
    outcome: str,
    details: Mapping[str, str | int | bool],
) -> Entry:
    """An entry in which nothing is longer than its limit; what has been cut ends with an ellipsis."""
    return Entry(
        time_ns,
        _cut(what, _WHAT),
        caller,
        _cut(method, _ID),
        _cut(device_id, _ID),
        _cut(operation_id, _ID),
        _cut(outcome, _WHAT),
        _bounded(details) if details else details,
    )


def encode(item: Entry, number: int, prev: str) -> bytes:
    """The line of an entry at its place in the chain, without its end."""
    caller = item.caller
    record: dict[str, Any] = {"number": number, "time": time_text(item.time_ns), "what": item.what, "door": caller.door}
    if caller.identity:
        record["identity"] = _cut(caller.identity, _IDENTITY)
    if caller.peer:
        record["peer"] = _cut(caller.peer, _IDENTITY)
    if caller.name:
        record["name"] = _cut(caller.name, _NAME)
    if caller.roles:
        record["roles"] = [_cut(role, _WHAT) for role in sorted(caller.roles)[:_MOST_ROLES]]
    fields = zip(("method", "device_id", "operation_id", "outcome"), item[3:7], strict=True)
    record |= {field: value for field, value in fields if value}
    if item.details:
        record["details"] = dict(item.details)
    record["prev"] = prev
    line = _json(record).encode("ascii")
    if len(line) > MAX_LINE:
        record["details"] = {"cut": True}
        record["prev"] = record.pop("prev")  # last again
        line = _json(record).encode("ascii")
    return line


def parse(line: bytes) -> dict[str, Any]:
    """The fields of a line, those that are empty left out. Raises ValueError where it is not exactly what `encode`
    makes.
    """
    if len(line) > MAX_LINE:
        raise ValueError("it is too long")
    try:
        record = json.loads(line)
        same = _json(record).encode("ascii") == line
    except RecursionError:
        raise ValueError("it is not JSON of this kind") from None
    if not isinstance(record, dict) or not same:
        raise ValueError("it is not written as records are")
    shape = (*record, *map(type, record.values()))
    if shape not in _shapes:
        _check_shape(record)
        if len(_shapes) < _MOST_SHAPES:
            _shapes.add(shape)
    if not all(record.values()) or record["number"] < 0 or len(record["prev"]) != len(GENESIS):
        raise ValueError("a field has a value that no record has")
    if not all(isinstance(role, str) for role in record.get("roles", ())):
        raise ValueError("its roles are not text")
    if not all(isinstance(value, str | int) for value in record.get("details", _NOTHING).values()):
        raise ValueError("its details are not flat")
    return record


def whole(line: bytes) -> bytes:
    """A line without its end. Raises ValueError where it has none."""
    if not line.endswith(b"\n"):
        raise ValueError("it has no end")
    return line[:-1]


def line_hash(line: bytes) -> str:
    """SHA-256 of a line without its end, as 64 hexadecimal digits."""
    return hashlib.sha256(line).hexdigest()


def time_text(time_ns: int) -> str:
    """UTC, `2026-11-28T09:30:00.123456Z`: text sorts as time does."""
    seconds, nanos = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos // 1000:06}Z"


def _check_shape(record: dict[str, Any]) -> None:
    """Which fields there are, in which order, of which types. Raises ValueError."""
    if list(record) != [field for field in _FIELDS if field in record] or not record.keys() >= _REQUIRED:
        raise ValueError("it does not have the fields of a record")
    for field, value in record.items():
        if type(value) is not _TYPES.get(field, str):
            raise ValueError(f"its {field} is of another type")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _bounded(details: Mapping[str, str | int | bool]) -> dict[str, str | int | bool]:
    kept: dict[str, str | int | bool] = {}
    for key, value in details.items():
        if len(kept) == _MOST_DETAILS:
            kept["cut"] = True
            break
        small = isinstance(value, int) and value.bit_length() <= 63
        kept[_cut(key, _WHAT)] = value if small else _cut(str(value), _TEXT)
    return kept
