"""Checks a request against the bounds that its proto states, before any service sees it.

The rules of a message type are compiled once; a request without rules costs a dictionary look-up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from countertop.sdk.errors import InvalidRequest
from countertop.sdk.options import option
from countertop.v1 import options_pb2

__all__ = ["MAX_ANSWER_BYTES", "MAX_MESSAGE_BYTES", "check"]

MAX_MESSAGE_BYTES = 1024 * 1024
"""Of a request."""
_LARGE = {"countertop.v1.ComposeDocumentRequest": 3 * 1024 * 1024}
"""Requests that may be larger."""
MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""Of an update: as much as gRPC clients take when nobody tells them otherwise."""
MAX_KEY = 64
"""Characters of a map's key that an error quotes."""
_NUMBERS = (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_INT64,
            FieldDescriptor.CPPTYPE_UINT64, FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rule:
    """What one field of a message type must keep."""

    field: FieldDescriptor
    bounds: options_pb2.Bounds
    pattern: re.Pattern[str] | None
    nested: tuple[_Rule, ...]
    enum: EnumDescriptor | None

    @property
    def matters(self) -> bool:
        """There is something to check."""
        return bool(self.bounds.ByteSize() or self.nested or self.enum)


@cache
def _rules(descriptor: Descriptor) -> tuple[_Rule, ...]:
    return tuple(rule for rule in map(_rule, descriptor.fields) if rule.matters)


def _rule(field: FieldDescriptor) -> _Rule:
    bounds: options_pb2.Bounds = option(field, options_pb2.bounds)
    own = field.message_type is not None and field.message_type.full_name.startswith("countertop.")
    return _Rule(
        field=field,
        bounds=bounds,
        pattern=re.compile(bounds.pattern) if bounds.pattern else None,
        nested=_rules(field.message_type) if own else (),
        enum=field.enum_type,
    )


def check(request: Message) -> None:
    """Raises InvalidRequest that names every field out of bounds, by its path, and what was expected."""
    size = request.ByteSize()
    if size > MAX_MESSAGE_BYTES and size > (most := _LARGE.get(request.DESCRIPTOR.full_name, MAX_MESSAGE_BYTES)):
        largest = max(request.ListFields(), key=lambda item: _size(item[1]))[0].name
        raise InvalidRequest({largest: f"expected a request of at most {most} bytes, got {size}"})
    rules = _rules(request.DESCRIPTOR)
    if rules:
        violations = dict(_violations(request, rules, ""))
        if violations:
            raise InvalidRequest(violations)


def _size(value: Any) -> int:
    if isinstance(value, Message):
        return value.ByteSize()
    return len(value) if hasattr(value, "__len__") else 0


def _violations(message: Message, rules: tuple[_Rule, ...], prefix: str) -> Iterator[tuple[str, str]]:
    for rule in rules:
        field, path = rule.field, f"{prefix}{rule.field.name}"
        present = field.has_presence and message.HasField(field.name)
        value = getattr(message, field.name)
        if not present and (field.has_presence or not value):
            if rule.bounds.required:
                yield path, "required"
            continue
        if field.is_repeated:
            yield from _check_items(rule, path, value)
        else:
            yield from _check_value(rule, path, value)


def _check_items(rule: _Rule, path: str, items: Any) -> Iterator[tuple[str, str]]:
    limit = rule.bounds.max_items
    if limit and len(items) > limit:
        yield path, f"expected at most {limit} items, got {len(items)}"
        return
    if _is_map(rule.field):
        yield from _check_entries(rule.nested, path, items)
        return
    for index, item in enumerate(items):
        yield from _check_value(rule, f"{path}[{index}]", item)


def _check_entries(rules: tuple[_Rule, ...], path: str, entries: Any) -> Iterator[tuple[str, str]]:
    """A map's entries, by their keys: these are names of fields, no data."""
    for rule in rules:
        for key, value in entries.items():
            checked = key if rule.field.name == "key" else value
            yield from _check_value(rule, f"{path}[{str(key)[:MAX_KEY]}]", checked)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _check_value(rule: _Rule, path: str, value: Any) -> Iterator[tuple[str, str]]:
    bounds = rule.bounds
    if rule.nested:
        yield from _violations(value, rule.nested, f"{path}.")
    elif rule.enum is not None:
        if value not in rule.enum.values_by_number:
            names = ", ".join(item.name for item in rule.enum.values if item.number)
            yield path, f"expected one of {names}"
    elif isinstance(value, (str, bytes)):
        unit = "characters" if isinstance(value, str) else "bytes"
        if bounds.max_length and len(value) > bounds.max_length:
            yield path, f"expected at most {bounds.max_length} {unit}, got {len(value)}"
        elif rule.pattern and isinstance(value, str) and not rule.pattern.fullmatch(value):
            yield path, f"expected text that matches {bounds.pattern}"
    elif rule.field.cpp_type in _NUMBERS and (bounds.min or bounds.max) and not bounds.min <= value <= bounds.max:
        yield path, f"expected {bounds.min:g} to {bounds.max:g}, got {value:g}"
