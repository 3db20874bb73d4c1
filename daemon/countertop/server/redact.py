"""Masks customer data: what the protos mark `debug_redact` never reaches a log."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from countertop.sdk.marks import holds_marked, strip
from countertop.v1.vendor_pb2 import CallResult

__all__ = ["MASK", "holds_customer_data", "redacted", "stripped"]

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
    """A marked field is set, at any depth; of a vendor's result the driver's process says so, which knows its type."""
    return not message.plain if isinstance(message, CallResult) else holds_marked(message)


def stripped(message: Message) -> Message:
    """A copy without what is marked, at any depth, and without what is packed (`Any`); the message itself where there
    is nothing to take out.
    """
    if not holds_marked(message):
        return message
    bare = type(message)()
    bare.CopyFrom(message)
    strip(bare)
    return bare
