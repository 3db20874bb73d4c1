"""Whole answers of the browser door: plain ones, and errors as Connect's clients read them."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from google.rpc import status_pb2

from countertop.server.doors.browser.rules import Header

__all__ = ["Receive", "Scope", "Send", "answer", "refuse"]

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
    3: ("invalid_argument", 400),
    5: ("not_found", 404),
    7: ("permission_denied", 403),
    8: ("resource_exhausted", 429),
    9: ("failed_precondition", 400),
    12: ("unimplemented", 501),
    14: ("unavailable", 503),
    16: ("unauthenticated", 401),
}
"""By gRPC's codes: Connect's word, and the HTTP status that goes with it."""


async def answer(
    send: Send, status: int, body: bytes = b"", headers: Iterable[Header] = (), kind: bytes = b"text/plain"
) -> None:
    """Send a whole answer."""
    head = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *SAFE, *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: status_pb2.Status, headers: Iterable[Header] = ()) -> None:
    """Send an error with all its details, as Connect has it."""
    word, http = _CONNECT.get(status.code, ("internal", 500))
    details = [
        {"type": item.type_url.rpartition("/")[2], "value": base64.b64encode(item.value).decode().rstrip("=")}
        for item in status.details
    ]
    body = json.dumps({"code": word, "message": status.message, "details": details}, ensure_ascii=False)
    await answer(send, http, body.encode(), headers, b"application/json")
