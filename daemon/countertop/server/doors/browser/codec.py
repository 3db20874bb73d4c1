"""Messages on the browser's wire: binary and JSON. What is serialised already, as events are, is passed on as it is."""

from __future__ import annotations

import re
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

__all__ = ["BinaryCodec", "Encoded", "JsonCodec"]


class Encoded:
    """A message that is serialised already, with its type."""

    __slots__ = ("data", "kind")

    def __init__(self, data: bytes, kind: type[Message]) -> None:
        self.data = data
        self.kind = kind


class BinaryCodec:
    """Protocol buffers as they are."""

    def name(self) -> str:
        """As content types have it."""
        return "proto"

    def encode(self, message: Message | Encoded) -> bytes:
        """Bytes of a message."""
        return message.data if isinstance(message, Encoded) else message.SerializeToString()

    def decode(self, data: bytes | bytearray, message_class: type[Any]) -> Any:
        """A message. Raises ConnectError(INVALID_ARGUMENT)."""
        try:
            return message_class.FromString(bytes(data))
        except DecodeError:
            raise _unreadable(message_class) from None


class JsonCodec:
    """Protocol buffers' JSON form."""

    def name(self) -> str:
        """As content types have it."""
        return "json"

    def encode(self, message: Message | Encoded) -> bytes:
        """JSON of a message, in UTF-8."""
        if isinstance(message, Encoded):
            message = message.kind.FromString(message.data)
        return json_format.MessageToJson(message, indent=None, ensure_ascii=False).encode()

    def decode(self, data: bytes | bytearray, message_class: type[Any]) -> Any:
        """A message. Raises ConnectError(INVALID_ARGUMENT) that names the field; never what was in it."""
        try:
            return json_format.Parse(bytes(data), message_class(), max_recursion_depth=32)
        except json_format.ParseError as error:
            raise _unreadable(message_class, _place(str(error), message_class)) from None
        except (UnicodeDecodeError, RecursionError, ValueError):
            raise _unreadable(message_class) from None


def _place(text: str, kind: type[Message]) -> str:
    """Of the parser's sentence what is no data: it may quote what a person entered, and a key may be that too."""
    names = [field.json_name for field in kind.DESCRIPTOR.fields]
    if "has no field named" in text:
        return f": it has a field that is unknown there; known are {', '.join(names) or 'none'}"
    failed = re.match(r"Failed to parse (\w+)", text)
    return f": its field {failed[1]} cannot be read" if failed and failed[1] in names else ""


def _unreadable(kind: type[Message], place: str = "") -> ConnectError:
    return ConnectError(Code.INVALID_ARGUMENT, f"The request is no {kind.DESCRIPTOR.name}{place}.")
