"""Reads plain data (from JSON or YAML) into a protobuf message, and names every mistake by its path.

`google.protobuf.json_format` stops at the first mistake, does not always say where it is, and quotes what it found,
which may be customer data. Here a path and what was expected are told, never the value.
"""

from __future__ import annotations

import binascii
import difflib
import math
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

__all__ = ["FormError", "to_message"]

M = TypeVar("M", bound=Message)


class FormError(ValueError):
    """The data is not of the message's form; `problems` maps each path to what is wrong there."""

    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in problems.items()))


def to_message(data: Any, message: M) -> M:
    """Fill a message from its JSON form. Raises FormError."""
    problems = dict(_message_problems(data, message.DESCRIPTOR, ""))
    if problems:
        raise FormError(problems)
    try:
        return json_format.ParseDict(data, message)
    except json_format.ParseError:
        raise FormError({message.DESCRIPTOR.name: "is not in the JSON form of protobuf"}) from None


def _message_problems(data: Any, descriptor: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(data, dict):
        hint = "; write {} for one without settings" if data is None else ""
        yield path or descriptor.name, f"expected a mapping with {_names(descriptor)}, got {_kind(data)}{hint}"
        return
    fields = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    chosen: dict[str, str] = {}
    for key, value in data.items():
        here = f"{path}.{key}" if path else str(key)
        field = fields.get(key)
        if field is None:
            yield here, _unknown(str(key), descriptor)
        else:
            if field.containing_oneof is not None:
                other = chosen.setdefault(field.containing_oneof.name, field.name)
                if other != field.name:
                    yield here, f"stands beside {other}; expected one of them"
            yield from _field_problems(value, field, here)


def _field_problems(value: Any, field: FieldDescriptor, path: str) -> Iterator[tuple[str, str]]:
    if not field.is_repeated:
        yield from _value_problems(value, field, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value_problems(item, field, f"{path}[{index}]")
    else:
        yield path, f"expected a list, got {_kind(value)}"


def _value_problems(value: Any, field: FieldDescriptor, path: str) -> Iterator[tuple[str, str]]:
    if field.message_type is not None:
        yield from _message_problems(value, field.message_type, path)
    elif field.enum_type is not None:
        if not _is_enum(value, field.enum_type):
            yield path, f"expected one of {', '.join(item.name for item in field.enum_type.values)}"
    else:
        fits, expected = _SCALARS[field.type]
        if not fits(value):
            yield path, f"expected {expected}, got {_kind(value)}"


def _is_enum(value: Any, enum: EnumDescriptor) -> bool:
    if isinstance(value, str):
        return value in enum.values_by_name
    return type(value) is int and value in enum.values_by_number


def _is_count(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) < 10
    return type(value) is int and 0 <= value < 2**32


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(b64decode(value, validate=True))
    except binascii.Error:
        return False


_SCALARS: dict[int, tuple[Callable[[Any], bool], str]] = {
    FieldDescriptor.TYPE_STRING: (lambda value: isinstance(value, str), "text in quotes"),
    FieldDescriptor.TYPE_BOOL: (lambda value: isinstance(value, bool), "true or false"),
    FieldDescriptor.TYPE_UINT32: (_is_count, "a whole number, 0 or more"),
    FieldDescriptor.TYPE_DOUBLE: (_is_number, "a number"),
    FieldDescriptor.TYPE_BYTES: (_is_base64, "a file's content as base64"),
}
"""What a receipt is made of; other types of scalar do not occur in it."""

_KINDS = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number" if isinstance(value, (int, float)) else "something else")


def _names(descriptor: Any) -> str:
    return ", ".join(field.name for field in descriptor.fields) or "nothing in it"


def _unknown(key: str, descriptor: Any) -> str:
    close = difflib.get_close_matches(key, [field.name for field in descriptor.fields], n=1)
    return f"there is no such field; did you mean {close[0]}?" if close else f"expected one of {_names(descriptor)}"
