"""What the browser door reads: messages in both codecs, whole requests, and the bytes of a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any, cast

from quality.fuzz.target import Run, Target

__all__ = ["DOORS"]

_KINDS = (
    b"application/json",
    b"application/proto",
    b"application/connect+json",
    b"application/connect+proto",
    b"application/grpc-web+proto",
    b"application/grpc-web+json",
    b"application/grpc-web-text",
    b"application/grpc",
    b"text/plain",
)
_PATHS = (
    "DeviceService/ListDevices",
    "DeviceService/WatchEvents",
    "DeviceService/CheckHealth",
    "ClaimService/AcquireClaim",
    "OperationService/ListOperations",
    "OperationService/ResolveOperation",
    "ReceiptPrinterService/Print",
    "IdReaderService/Read",
    "SignaturePadService/VerifySignature",
    "CardPrinterService/ExchangeApdus",
    "CameraService/WatchFrames",
    "NoService/NoMethod",
)
_FOREIGN, _REBOUND, _NO_TOKEN = 1, 2, 4
_TURNS = 200
"""Of the event loop, in which what a request begins must have begun; then its client is gone."""
_SECONDS = 5.0
_NEVER = {500, 502, 505}
"""A bug of ours, whatever was sent."""


def _codecs() -> Run:
    """A message with nearly every type of field."""
    from connectrpc.errors import ConnectError

    from countertop.server.doors.browser.codec import BinaryCodec, JsonCodec
    from countertop.v1.receipt_printer_pb2 import PrintRequest

    def run(data: bytes) -> None:
        for codec in (JsonCodec(), BinaryCodec()):
            said = ""
            try:
                codec.encode(codec.decode(data, PrintRequest))
            except ConnectError as error:
                said = error.message
            assert len(said) < 2000, "an error that long quotes the request"

    return run


def _requests() -> Run:
    """A call of a page: three bytes choose the method, the content type and what is wrong with it; then a line for each
    header, an empty line, and the body.
    """
    from quality.fuzz.door import ORIGIN, TOKEN, door

    asked = door()

    async def ask(data: bytes) -> None:
        method, kind, wrong = (data + bytes(3))[:3]
        head, _, body = data[3:].partition(b"\n\n")
        headers = [
            (b"host", b"attacker.example" if wrong & _REBOUND else b"127.0.0.1:7480"),
            (b"origin", b"https://attacker.example" if wrong & _FOREIGN else ORIGIN),
            (b"content-type", _KINDS[kind % len(_KINDS)]),
        ]
        if not wrong & _NO_TOKEN:
            headers.append((b"authorization", b"Bearer " + TOKEN))
        for line in head.split(b"\n"):
            name, colon, value = line.partition(b":")
            if colon and name.isascii() and name.lower() not in {key for key, _ in headers} | {b"authorization"}:
                headers.append((name.strip().lower(), value.strip()))
        answer = _Answer(body)
        scope = _scope("/countertop.v1." + _PATHS[method % len(_PATHS)], headers)
        task = asyncio.ensure_future(asked.app(scope, answer.receive, answer.send))
        for _ in range(_TURNS):
            await asyncio.sleep(0)
            if task.done():
                break
        answer.gone.set()
        await asyncio.wait_for(task, _SECONDS)
        assert answer.starts == 1 or not answer.starts, "two answers to one request"
        assert answer.status not in _NEVER, f"HTTP {answer.status}: {bytes(answer.body)[:200]!r}"
        if wrong & (_REBOUND | _FOREIGN | _NO_TOKEN):
            assert answer.status >= 400, f"HTTP {answer.status} to what must be refused"

    return lambda data: asked.run(ask(data))


def _connections() -> Run:
    """Bytes of a connection, parted where its first byte says."""
    from countertop.server.doors.browser.connections import Limits, bounded
    from quality.fuzz.door import Wire, door

    asked = door()
    make = bounded(Limits())

    async def talk(data: bytes) -> None:
        data, place = data[1:], data[:1]
        at = place[0] % (len(data) + 1) if place else 0
        protocol: Any = make(config=asked.config, server_state=asked.state, app_state={})  # type: ignore[call-arg]
        wire = Wire()
        protocol.connection_made(cast("asyncio.Transport", wire))
        for piece in (data[:at], data[at:]):
            if piece and not wire.closed:
                protocol.data_received(piece)
            for _ in range(_TURNS // 4):
                await asyncio.sleep(0)
        protocol.connection_lost(None)
        if asked.state.tasks:
            _, late = await asyncio.wait(set(asked.state.tasks), timeout=_SECONDS)
            assert not late, "a request goes on for a client that is gone"
        assert not wire.sent or wire.sent.startswith(b"HTTP/1.1 "), f"{bytes(wire.sent)[:100]!r}"
        assert b"HTTP/1.1 500" not in wire.sent, f"{bytes(wire.sent)[:300]!r}"

    return lambda data: asked.run(talk(data))


class _Answer:
    """The server's side of an ASGI request, with a body that comes in two pieces."""

    def __init__(self, body: bytes) -> None:
        half = len(body) // 2
        self._pieces = [body[:half], body[half:]]
        self.gone = asyncio.Event()
        self.starts = 0
        self.status = 0
        self.body = bytearray()

    async def receive(self) -> MutableMapping[str, Any]:
        if self._pieces:
            piece = self._pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self._pieces)}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.starts += 1
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")


def _scope(path: str, headers: list[tuple[bytes, bytes]]) -> MutableMapping[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 7480),
    }


_PRINT = json.dumps({"deviceId": "printer", "receipt": {"blocks": [{"text": {"text": "x"}}, {"cut": {}}]}}).encode()
_HTTP = (
    b"\x20POST /countertop.v1.DeviceService/ListDevices HTTP/1.1\r\nHost: 127.0.0.1:7480\r\n"
    b"Origin: https://teller.bank.example\r\nAuthorization: Bearer fuzz\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\n\r\n{}"
)

DOORS = (
    Target("browser-codecs", _codecs, (_PRINT, b"\x0a\x07printer\x12\x04\x0a\x02\x0a\x00")),
    Target("browser-requests", _requests, (b"\0\0\0connect-timeout-ms: 1000\n\n{}", b"\1\2\0\n\n\0\0\0\0\2{}")),
    Target("browser-connections", _connections, (_HTTP,)),
)
