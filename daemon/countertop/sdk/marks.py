"""What the protos mark `debug_redact`: customer data."""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

__all__ = ["holds_marked", "strip"]


def holds_marked(message: Message) -> bool:
    """A marked field is set, at any depth; or something is packed in it (`Any`), which cannot be looked into."""
    if isinstance(message, any_pb2.Any):
        return bool(message.value)
    return any(
        field.GetOptions().debug_redact or any(map(holds_marked, _messages(field, value)))
        for field, value in message.ListFields()
    )


def strip(message: Message) -> None:
    """Take out what is marked, at any depth, and what is packed (`Any`)."""
    if isinstance(message, any_pb2.Any):
        message.Clear()
        return
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            message.ClearField(field.name)
        else:
            for item in _messages(field, value):
                strip(item)


def _messages(field: FieldDescriptor, value: Any) -> list[Message]:
    if field.message_type is None:
        return []
    if field.message_type.GetOptions().map_entry:
        return [item for item in value.values() if isinstance(item, Message)]
    return list(value) if field.is_repeated else [value]
