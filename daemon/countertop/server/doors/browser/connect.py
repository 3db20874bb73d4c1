"""Binds the gate's calls to Connect and gRPC-Web by their descriptors: no generated service code is used.

What a browser's HTTP/1.1 cannot do, a stream from the client, ends with UNIMPLEMENTED and what to use instead.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError, ErrorDetail
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.server import ConnectASGIApplication, Endpoint
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import status_pb2
from protobuf.wkt import Any as WireAny
from protobuf.wkt import Struct

from countertop.server.caller import CALLER
from countertop.server.doors.browser.answers import readable
from countertop.server.doors.browser.codec import BinaryCodec, Encoded, JsonCodec
from countertop.server.gate import Call, Gate, Refused

__all__ = ["ConnectApp", "error_of"]

READ_BYTES = 4 * 1024 * 1024
"""As the gRPC door takes: more than a request may have, so that a field can be named that is too large."""
_INSTEAD = {
    "CameraService.WatchFrames": "Use GET /cameras/ID/stream instead.",
    "CardPrinterService.ExchangeApdus": "Use the terminal's gRPC door for it.",
}
_REACHED: ContextVar[list[str]] = ContextVar("countertop browser call")
"""Where the call that is being served is put down once its request has been read."""
_CODES = (Code.CANCELED, Code.UNKNOWN, Code.INVALID_ARGUMENT, Code.DEADLINE_EXCEEDED, Code.NOT_FOUND,
          Code.ALREADY_EXISTS, Code.PERMISSION_DENIED, Code.RESOURCE_EXHAUSTED, Code.FAILED_PRECONDITION, Code.ABORTED,
          Code.OUT_OF_RANGE, Code.UNIMPLEMENTED, Code.INTERNAL, Code.UNAVAILABLE, Code.DATA_LOSS,
          Code.UNAUTHENTICATED)  # fmt: skip
"""By gRPC's numbers, from 1."""


class _Detail(ErrorDetail):
    """A detail that connectrpc can write in JSON, although it knows nothing of google.protobuf's messages."""

    def __init__(self, item: AnyMessage) -> None:
        super().__init__(WireAny(type_url=item.type_url, value=item.value))
        self._readable = readable(item)

    def value(self, kind: Any = None, /) -> Any:
        """What is written as `debug`."""
        return Struct.from_python(self._readable)


def error_of(status: status_pb2.Status) -> ConnectError:
    """A status as Connect has it, with all its details."""
    return ConnectError(_CODES[status.code - 1], status.message, map(_Detail, status.details))


def _unary(gate: Gate, call: Call) -> Callable[[Message, Any], Any]:
    async def handle(request: Message, context: Any) -> Message:
        _REACHED.get().append(call.name)
        try:
            return await gate.unary(call, request, CALLER.get())
        except Refused as refused:
            raise error_of(refused.status) from None

    return handle


def _stream(gate: Gate, call: Call) -> Callable[[Message, Any], AsyncIterator[Message | Encoded]]:
    async def handle(request: Message, context: Any) -> AsyncIterator[Message | Encoded]:
        _REACHED.get().append(call.name)
        try:
            async with aclosing(gate.stream(call, request, CALLER.get())) as answers:
                async for answer in answers:
                    yield Encoded(answer, call.output) if isinstance(answer, bytes) else answer
        except Refused as refused:
            raise error_of(refused.status) from None

    return handle


def _refusing(call: Call) -> Callable[[AsyncIterator[Message], Any], AsyncIterator[Message]]:
    async def handle(requests: AsyncIterator[Message], context: Any) -> AsyncIterator[Message]:
        instead = _INSTEAD.get(call.name, "Use the terminal's gRPC door for it.")
        raise ConnectError(Code.UNIMPLEMENTED, f"A page cannot stream to {call.name}. {instead}")
        yield

    return handle


def _endpoint(gate: Gate, call: Call) -> Endpoint[Any, Any]:
    streams = call.descriptor.server_streaming
    kind = StreamType.SERVER_STREAM if streams else StreamType.UNARY
    info: MethodInfo[Any, Any] = MethodInfo(
        name=call.descriptor.name,
        service_name=call.descriptor.containing_service.full_name,
        input=call.input,
        output=call.output,
        idempotency_level=IdempotencyLevel.UNKNOWN,  # so that no call may come by GET, which pages can make unasked
        stream_type=StreamType.BIDI_STREAM if call.descriptor.client_streaming else kind,
    )
    if call.descriptor.client_streaming:
        return Endpoint.bidi_stream(info, _refusing(call))
    if streams:
        return Endpoint.server_stream(info, _stream(gate, call))
    return Endpoint.unary(info, _unary(gate, call))


class ConnectApp(ConnectASGIApplication[Gate]):
    """An ASGI application with every call of a gate; who calls is in CALLER."""

    def __init__(self, gate: Gate) -> None:
        def endpoints(served: Gate) -> Mapping[str, Any]:
            return {path: _endpoint(served, call) for path, call in served.calls.items()}

        codecs: Any = [BinaryCodec(), JsonCodec()]
        super().__init__(service=gate, endpoints=endpoints, read_max_bytes=READ_BYTES, compressions=(), codecs=codecs)

    async def carry_out(self, scope: Any, receive: Any, send: Any) -> bool:
        """Serve one request. False: no call was reached; what came is none, cannot be read, or did not come whole."""
        reached: list[str] = []
        _REACHED.set(reached)
        await self(scope, receive, send)
        return bool(reached)

    @property
    def path(self) -> str:
        """Where it is mounted."""
        return "/"
