"""Messages and errors as data, and back."""

from __future__ import annotations

import importlib
import re
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from countertop.sdk.errors import CountertopError, DeviceFault, InvalidRequest, LinkFault, NoAnswer, ProtocolFault
from countertop.sdk.marks import place_of
from countertop.v1 import error_pb2
from countertop.v1.card_pb2 import CardReport

__all__ = ["error_from", "error_to", "message_from", "message_type"]

_MODULE = re.compile(r"countertop(\.[a-z0-9_]+)+_pb2")
_FAULTS: dict[str, type[DeviceFault]] = {
    kind.__name__: kind for kind in (DeviceFault, LinkFault, NoAnswer, ProtocolFault)
}


def message_type(message: Message) -> dict[str, str]:
    """What the other side needs to know of a message to read it."""
    file = message.DESCRIPTOR.file.name
    return {"type": message.DESCRIPTOR.full_name, "module": file.removesuffix(".proto").replace("/", ".") + "_pb2"}


def message_from(header: dict[str, Any], blob: bytes) -> Message:
    """A message. Raises ValueError for a type that is none of Countertop's."""
    module = str(header.get("module"))
    if not _MODULE.fullmatch(module):
        raise ValueError(f"expected a module of Countertop's messages, got {module!r}")
    importlib.import_module(module)
    descriptor = descriptor_pool.Default().FindMessageTypeByName(str(header.get("type")))
    message: Message = message_factory.GetMessageClass(descriptor)()
    message.ParseFromString(blob)
    return message


def error_to(error: BaseException) -> dict[str, Any]:
    """An error as data. Of a foreign one only type and place: its text may hold customer data."""
    if isinstance(error, InvalidRequest):
        return {"kind": "InvalidRequest", "violations": error.violations}
    if isinstance(error, DeviceFault):
        kind = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _FAULTS), "DeviceFault")
        fields = {name: getattr(error, name) for name in ("step", "expected", "got", "action")}
        return {
            "kind": kind,
            "reason": int(error.reason),
            "message": error.message,
            "effect": int(error.effect),
            "card": "" if error.card is None else error.card.SerializeToString().hex(),
            **fields,
        }
    if isinstance(error, CountertopError):
        return {"kind": "CountertopError", "reason": int(error.reason), "message": error.message}
    if isinstance(error, TimeoutError):
        return {"kind": "DeviceFault", "reason": int(error_pb2.REASON_NO_ANSWER), "message": ""}
    return {"kind": "foreign", "type": type(error).__name__, "place": place_of(error)}


def error_from(data: dict[str, Any], step: str) -> CountertopError:
    """The error again."""
    kind = data.get("kind")
    if kind == "InvalidRequest":
        return InvalidRequest({str(field): str(text) for field, text in data["violations"].items()})
    if kind == "foreign":
        return DeviceFault(
            error_pb2.REASON_DRIVER_FAILED,
            f"The driver failed in {step} ({data.get('type')} at {data.get('place')}).",
            step=step,
        )
    reason: Any = data["reason"]
    if kind not in _FAULTS:
        return CountertopError(reason, data["message"])
    fault = _FAULTS[kind].__new__(_FAULTS[kind])  # the kinds are made from other arguments, and hold the same
    DeviceFault.__init__(
        fault,
        reason,
        data["message"],
        step=data.get("step", step),
        expected=data.get("expected", ""),
        got=data.get("got", ""),
        action=data.get("action", ""),
        effect=data.get("effect", 0),
        card=CardReport.FromString(bytes.fromhex(data["card"])) if data.get("card") else None,
    )
    return fault
