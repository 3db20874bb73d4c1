"""The gRPC door: binds services to grpc.aio by their descriptors, and listens.

No generated service code is needed: a new service in a proto costs no line here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import status_pb2

from countertop.sdk.errors import CountertopError
from countertop.server.bounds import MAX_ANSWER_BYTES, MAX_MESSAGE_BYTES, check
from countertop.server.caller import CALLER, CALLER_KEY
from countertop.server.doors.standard import StandardServices
from countertop.server.faults import status_of, status_of_failure
from countertop.server.services.base import Method, Service

__all__ = ["GrpcDoor"]

_RECEIVE_BYTES = 4 * MAX_MESSAGE_BYTES
"""More than a request may have, so that one that is too large is told which field makes it so."""
BROKEN_SECONDS = 0.1
"""gRPC tells that a client is gone as the end of its messages first, as if it had half-closed its stream, and only then
as a cancellation. Who has died must not be taken for one that is done: for so long the cancellation is waited for.
"""
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
_OPTIONS = (
    ("grpc.max_receive_message_length", _RECEIVE_BYTES),
    ("grpc.max_send_message_length", MAX_ANSWER_BYTES),
    ("grpc.max_concurrent_streams", 256),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
)


async def _abort(context: grpc.aio.ServicerContext[Any, Any], status: status_pb2.Status) -> None:
    await context.abort(
        _STATUS_CODES[status.code],
        status.message,
        trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),),
    )


def _unary(method: Method) -> Any:
    async def handle(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        CALLER.set(_caller(context))
        try:
            check(request)
            response: Message = await method(request)  # type: ignore[misc]
        except CountertopError as error:
            await _abort(context, status_of(error, getattr(request, "device_id", "")))
            raise
        return response

    return handle


def _stream(method: Method) -> Any:
    async def handle(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Message]:
        def begin() -> Any:
            check(request)
            return method(request)

        async with aclosing(_responses(begin, context, getattr(request, "device_id", ""))) as responses:
            async for response in responses:
                yield response

    return handle


def _exchange(method: Method) -> Any:
    async def handle(
        requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Message]:
        async def checked() -> AsyncIterator[Message]:
            async for request in requests:
                check(request)
                yield request
            await asyncio.sleep(BROKEN_SECONDS)

        async with aclosing(_responses(lambda: method(checked()), context, "")) as responses:
            async for response in responses:
                yield response

    return handle


async def _responses(
    begin: Callable[[], Any], context: grpc.aio.ServicerContext[Any, Any], device_id: str
) -> AsyncGenerator[Message, None]:
    """What a streaming method answers; it ends with the status of its error, or of its operation's failure."""
    operation = None
    CALLER.set(_caller(context))
    try:
        async with aclosing(begin()) as updates:
            async for update in updates:
                operation = getattr(update, "operation", None)
                yield update
    except CountertopError as error:
        await _abort(context, status_of(error, device_id))
    if operation is not None and operation.HasField("failure"):
        await _abort(context, status_of_failure(operation.failure))


def _caller(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Who calls: as the client names itself, else by its connection."""
    for key, value in context.invocation_metadata() or ():
        if key == CALLER_KEY:
            return str(value)[:64]
    return str(context.peer())


def _serialise(response: Message | bytes) -> bytes:
    """A response that many get is serialised already."""
    return response if isinstance(response, bytes) else response.SerializeToString()


_SHAPES: dict[tuple[bool, bool], tuple[Any, Callable[[Method], Any]]] = {
    (False, False): (grpc.unary_unary_rpc_method_handler, _unary),
    (False, True): (grpc.unary_stream_rpc_method_handler, _stream),
    (True, True): (grpc.stream_stream_rpc_method_handler, _exchange),
}
"""How a method is bound, by whether the client and the server stream."""


def _handler(service: Service, method: MethodDescriptor) -> grpc.RpcMethodHandler[Any, Any]:
    implementation = service.method(method)
    make, wrap = _SHAPES[method.client_streaming, method.server_streaming]
    handler: grpc.RpcMethodHandler[Any, Any] = make(
        wrap(implementation),
        request_deserializer=message_factory.GetMessageClass(method.input_type).FromString,
        response_serializer=_serialise,
    )
    return handler


class GrpcDoor:
    """A grpc.aio server on unix sockets and TCP addresses."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        self._sockets: list[Path] = []
        for service in services:
            handlers = {method.name: _handler(service, method) for method in service.descriptor.methods}
            generic = grpc.method_handlers_generic_handler(service.descriptor.full_name, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self._standard = StandardServices([service.descriptor.full_name for service in services])
        self._server.add_generic_rpc_handlers((self._standard,))
        self.addresses: list[str] = []

    def listen(self, address: str) -> None:
        """Take an address: `unix:/PATH` or `HOST:PORT` (port 0 for a free one). Raises OSError that says why not."""
        if address.startswith("unix:"):
            self._prepare_socket(Path(address.removeprefix("unix:")))
        mask = os.umask(0o177)  # the socket is its owner's alone from its first moment
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {_why(address)}") from error
        finally:
            os.umask(mask)
        if not address.startswith("unix:"):
            address = f"{address.rpartition(':')[0]}:{port}"
        self.addresses.append(address)

    async def start(self) -> None:
        """Serve."""
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Take no more calls; cancel what still runs after `grace` seconds; free the sockets."""
        await self._standard.drain()
        await self._server.stop(grace)
        for path in self._sockets:
            path.unlink(missing_ok=True)

    def _prepare_socket(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.parent.stat().st_uid not in (os.geteuid(), 0):
            raise OSError(f"cannot listen on {path}: its directory belongs to another user")
        if path.exists():
            if not stat.S_ISSOCK(path.stat().st_mode):
                raise OSError(f"cannot listen on {path}: a file that is no socket lies there")
            if _answers(path):
                raise OSError(f"cannot listen on {path}: another daemon answers there; stop it first")
            path.unlink()
        self._sockets.append(path)


def _answers(path: Path) -> bool:
    """Somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _why(address: str) -> str:
    return "is the directory missing or not yours?" if address.startswith("unix:") else "is the port in use?"
