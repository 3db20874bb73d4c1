"""Whole answers of the browser door: plain ones, and errors as Connect's clients read them."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import MessageToDict
from google.rpc import status_pb2

from countertop.server.doors.browser.rules import Header

__all__ = ["SAFE", "Receive", "Scope", "Send", "answer", "readable", "refuse"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SAFE: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""With every answer that is not a file. Whether another origin reads it is decided by CORS, token and ticket."""
_CONNECT = {
    1: ("canceled", 499),
    2: ("unknown", 500),
    3: ("invalid_argument", 400),
    4: ("deadline_exceeded", 504),
    5: ("not_found", 404),
    6: ("already_exists", 409),
    7: ("permission_denied", 403),
    8: ("resource_exhausted", 429),
    9: ("failed_precondition", 400),
    10: ("aborted", 409),
    11: ("out_of_range", 400),
    12: ("unimplemented", 501),
    13: ("internal", 500),
    14: ("unavailable", 503),
    15: ("data_loss", 500),
    16: ("unauthenticated", 401),
}
"""By gRPC's codes: Connect's word, and the HTTP status that goes with it."""


def readable(detail: AnyMessage) -> dict[str, Any]:
    """A detail of an error in JSON, for pages that have no protobuf: Connect's `debug`."""
    kind = descriptor_pool.Default().FindMessageTypeByName(detail.TypeName())
    message = message_factory.GetMessageClass(kind)()
    detail.Unpack(message)
    found: dict[str, Any] = MessageToDict(message)
    return found


async def answer(
    send: Send, status: int, body: bytes = b"", headers: Iterable[Header] = (), kind: bytes = b"text/plain"
) -> None:
    """Send a whole answer."""
    head = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *SAFE, *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: status_pb2.Status, headers: Iterable[Header] = ()) -> None:
    """Send an error with all its details, as Connect has it."""
    word, http = _CONNECT[status.code]
    details = [
        {
            "type": item.TypeName(),
            "value": base64.b64encode(item.value).decode().rstrip("="),
            "debug": readable(item),
        }
        for item in status.details
    ]
    body = json.dumps({"code": word, "message": status.message, "details": details}, ensure_ascii=False)
    await answer(send, http, body.encode(), headers, b"application/json")
