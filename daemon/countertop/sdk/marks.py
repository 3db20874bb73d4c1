"""What the protos mark `debug_redact` is customer data: found, taken out, masked. And errors as text that holds none.

Whatever is written down or shown passes through here: `masked` for messages, `safe` for exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import any_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from countertop.sdk.errors import CountertopError

__all__ = ["MASK", "holds_marked", "masked", "place_of", "safe", "strip"]

MASK = "[redacted]"


def holds_marked(message: Message) -> bool:
    """A marked field is set, at any depth; or something that cannot be looked into: what is packed (`Any`), or fields
    that this version does not know.
    """
    if isinstance(message, any_pb2.Any):
        return bool(message.value)
    return bool(len(UnknownFieldSet(message))) or any(
        field.GetOptions().debug_redact or any(map(holds_marked, _messages(field, value)))
        for field, value in message.ListFields()
    )


def strip(message: Message) -> None:
    """Take out what is marked, at any depth, what is packed (`Any`), and fields that this version does not know."""
    if isinstance(message, any_pb2.Any):
        message.Clear()
        return
    message.DiscardUnknownFields()  # type: ignore[no-untyped-call, unused-ignore]
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            message.ClearField(field.name)
        else:
            for item in _messages(field, value):
                strip(item)


def masked(message: Message) -> dict[str, Any]:
    """A message as plain data: every marked field masked, at any depth, what is packed (`Any`) masked whole, of other
    bytes their number; fields that this version does not know are left out.
    """
    if isinstance(message, any_pb2.Any):
        return {"type": message.TypeName(), "value": MASK} if message.value else {}
    return {field.name: _value(field, value) for field, value in message.ListFields()}


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.GetOptions().debug_redact:
        return MASK
    if isinstance(value, Mapping):
        return {str(key): _item(item) for key, item in value.items()}
    return [_item(item) for item in value] if field.is_repeated else _item(value)


def _item(value: Any) -> Any:
    if isinstance(value, Message):
        return masked(value)
    return f"{len(value)} bytes" if isinstance(value, bytes) else value


def safe(error: BaseException) -> str:
    """An exception as text without customer data. One of ours says what it says, since no text of ours holds any; of a
    foreign one its type, where it was raised, and the same of those in a group and of its cause.
    """
    if isinstance(error, CountertopError):
        return f"{type(error).__name__}: {error}"
    text = f"{type(error).__name__} at {place_of(error)}"
    if isinstance(error, BaseExceptionGroup):
        text += f" ({'; '.join(map(safe, error.exceptions))})"
    if error.__cause__ is not None and error.__cause__ is not error:
        text += f", because of {safe(error.__cause__)}"
    return text


def place_of(error: BaseException) -> str:
    """Where an exception was raised: `/path/of/file.py:42`; `?` for one that never was."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    return f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where is not None else "?"


def _messages(field: FieldDescriptor, value: Any) -> list[Message]:
    if field.message_type is None:
        return []
    if field.message_type.GetOptions().map_entry:
        return [item for item in value.values() if isinstance(item, Message)]
    return list(value) if field.is_repeated else [value]
