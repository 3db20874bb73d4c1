"""Customer data of answers and results: what holds some, and what is left without it."""

from __future__ import annotations

from google.protobuf.message import Message

from countertop.sdk.marks import holds_marked, strip
from countertop.v1.vendor_pb2 import CallResult

__all__ = ["holds_customer_data", "stripped"]


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
