"""Masks customer data: what the protos mark `debug_redact` never reaches a log."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

__all__ = ["MASK", "holds_customer_data", "redacted"]

MASK = "[redacted]"


def redacted(message: Message) -> dict[str, Any]:
    """A message as plain data, with every marked field masked, at any depth."""
    return {field.name: _value(field, value) for field, value in message.ListFields()}


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.GetOptions().debug_redact:
        return MASK
    if field.message_type is None:
        return list(value) if field.is_repeated else _bytes(value)
    if field.message_type.GetOptions().map_entry:
        return {str(key): redacted(item) if isinstance(item, Message) else item for key, item in value.items()}
    if field.is_repeated:
        return [redacted(item) for item in value]
    return redacted(value)


def _bytes(value: Any) -> Any:
    return f"{len(value)} bytes" if isinstance(value, bytes) else value


def holds_customer_data(message: Message) -> bool:
    """A marked field is set, at any depth."""
    return any(
        field.GetOptions().debug_redact or any(map(holds_customer_data, _messages(field, value)))
        for field, value in message.ListFields()
    )


def _messages(field: FieldDescriptor, value: Any) -> list[Message]:
    if field.message_type is None:
        return []
    if field.message_type.GetOptions().map_entry:
        return [item for item in value.values() if isinstance(item, Message)]
    return list(value) if field.is_repeated else [value]
