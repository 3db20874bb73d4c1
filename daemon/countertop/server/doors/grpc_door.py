"""The gRPC door: binds services to grpc.aio by their descriptors, and listens.

No generated service code is needed: a new service in a proto costs no line here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2

from countertop.server.bounds import MAX_ANSWER_BYTES, MAX_MESSAGE_BYTES
from countertop.server.caller import CALLER_KEY, Caller
from countertop.server.doors.standard import StandardServices
from countertop.server.gate import Call, Gate, Refused

__all__ = ["GrpcDoor", "Who", "unproven"]

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Who = Callable[[Context], Caller]
"""Finds out who calls. Raises Refused."""

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


async def _abort(context: Context, status: status_pb2.Status) -> None:
    await context.abort(
        _STATUS_CODES[status.code],
        status.message,
        trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),),
    )


def _unary(gate: Gate, call: Call, who: Who) -> Any:
    async def handle(request: Message, context: Context) -> Message:
        try:
            return await gate.unary(call, request, who(context))
        except Refused as refused:
            await _abort(context, refused.status)
            raise

    return handle


def _stream(gate: Gate, call: Call, who: Who) -> Any:
    async def handle(request: Message, context: Context) -> AsyncIterator[Message | bytes]:
        async with aclosing(gate.stream(call, request, who(context))) as answers:
            try:
                async for answer in answers:
                    yield answer
            except Refused as refused:
                await _abort(context, refused.status)

    return handle


def _exchange(gate: Gate, call: Call, who: Who) -> Any:
    stream = _stream(gate, call, who)

    async def handle(requests: AsyncIterator[Message], context: Context) -> AsyncIterator[Message | bytes]:
        async def patient() -> AsyncIterator[Message]:
            async for request in requests:
                yield request
            await asyncio.sleep(BROKEN_SECONDS)

        async with aclosing(stream(patient(), context)) as answers:
            async for answer in answers:
                yield answer

    return handle


def unproven(context: Context) -> Caller:
    """A caller that is believed to be who owns the daemon."""
    name = next((str(value)[:64] for key, value in context.invocation_metadata() or () if key == CALLER_KEY), "")
    return Caller("inside", "owner", str(context.peer()), frozenset({"admin"}), name)


def _serialise(response: Message | bytes) -> bytes:
    """A response that many get is serialised already."""
    return response if isinstance(response, bytes) else response.SerializeToString()


_SHAPES: dict[tuple[bool, bool], tuple[Any, Callable[[Gate, Call, Who], Any]]] = {
    (False, False): (grpc.unary_unary_rpc_method_handler, _unary),
    (False, True): (grpc.unary_stream_rpc_method_handler, _stream),
    (True, True): (grpc.stream_stream_rpc_method_handler, _exchange),
}
"""How a method is bound, by whether the client and the server stream."""


def _handler(gate: Gate, call: Call, who: Who) -> grpc.RpcMethodHandler[Any, Any]:
    make, wrap = _SHAPES[call.descriptor.client_streaming, call.descriptor.server_streaming]
    handler: grpc.RpcMethodHandler[Any, Any] = make(
        wrap(gate, call, who), request_deserializer=call.input.FromString, response_serializer=_serialise
    )
    return handler


class GrpcDoor:
    """A grpc.aio server on unix sockets and TCP addresses."""

    def __init__(self, gate: Gate, who: Who) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        self._sockets: list[Path] = []
        names = [service.descriptor.full_name for service in gate.services]
        for name in names:
            calls = [call for call in gate.calls.values() if call.descriptor.containing_service.full_name == name]
            handlers = {call.descriptor.name: _handler(gate, call, who) for call in calls}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        self._standard = StandardServices(names)
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
