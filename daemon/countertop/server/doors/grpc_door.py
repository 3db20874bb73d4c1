"""The gRPC door: binds services to grpc.aio by their descriptors, and listens.

No generated service code is needed: a new service in a proto costs no line here.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError, Message

from countertop.sdk.errors import CountertopError
from countertop.server.access.revoked import RevokedCertificates
from countertop.server.access.tokens import TokenStore
from countertop.server.bounds import MAX_ANSWER_BYTES, MAX_MESSAGE_BYTES
from countertop.server.caller import Caller
from countertop.server.config import ListenConfig
from countertop.server.doors.addresses import Address, address_problems, is_loopback, parse_address
from countertop.server.doors.identify import Identify, RolesOf
from countertop.server.doors.listener import Limits, Listener
from countertop.server.doors.loopback_token import LoopbackTokens
from countertop.server.doors.private import PrivateSocket
from countertop.server.doors.sockets import inherited, listen_tcp, listen_unix, name_of, unlink
from countertop.server.doors.standard import StandardServices, abort
from countertop.server.doors.tls import TlsFiles
from countertop.server.faults import status_of
from countertop.server.gate import UNREADABLE, Call, Gate, Refused
from countertop.v1 import error_pb2

__all__ = ["GrpcDoor", "Who"]

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Who = Callable[[Context, str], Caller]
"""Finds out who calls a method, `ReceiptPrinterService.Print`. Raises Refused."""

_RECEIVE_BYTES = 4 * MAX_MESSAGE_BYTES
"""More than a request may have, so that one that is too large is told which field makes it so."""
BROKEN_SECONDS = 0.1
"""gRPC tells that a client is gone as the end of its messages first, as if it had half-closed its stream, and only then
as a cancellation. Who has died must not be taken for one that is done: for so long the cancellation is waited for.
"""
FLUSH_SECONDS = 1.0
"""How long clients may take to read what was sent to them before the daemon hangs up."""
_OPTIONS = (
    ("grpc.max_receive_message_length", _RECEIVE_BYTES),
    ("grpc.max_send_message_length", MAX_ANSWER_BYTES),
    ("grpc.max_concurrent_streams", 256),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
)


def _read(gate: Gate, call: Call, request: bytes, caller: Caller) -> Message:
    """The message. gRPC itself would tell nobody which one it could not read, and the client that the fault is here."""
    try:
        return call.input.FromString(request)
    except DecodeError:
        gate.audit_refusal(caller, UNREADABLE, method=call.name)
        sentence = f"The request is no {call.input.DESCRIPTOR.name}."
        raise Refused(status_of(CountertopError(error_pb2.REASON_INVALID_REQUEST, sentence))) from None


def _unary(gate: Gate, call: Call, who: Who) -> Any:
    async def handle(request: bytes, context: Context) -> Message:
        try:
            caller = who(context, call.name)
            return await gate.unary(call, _read(gate, call, request, caller), caller)
        except Refused as refused:
            await abort(context, refused.status)
            raise

    return handle


def _stream(gate: Gate, call: Call, who: Who) -> Any:
    async def handle(request: bytes | AsyncIterator[bytes], context: Context) -> AsyncIterator[Message | bytes]:
        try:
            caller = who(context, call.name)
            if isinstance(request, bytes):
                messages: Any = _read(gate, call, request, caller)
            else:
                messages = (_read(gate, call, one, caller) async for one in request)
            async with aclosing(gate.stream(call, messages, caller)) as answers:
                async for answer in answers:
                    yield answer
        except Refused as refused:
            await abort(context, refused.status)

    return handle


def _exchange(gate: Gate, call: Call, who: Who) -> Any:
    stream = _stream(gate, call, who)

    async def handle(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[Message | bytes]:
        async def patient() -> AsyncIterator[bytes]:
            async for request in requests:
                yield request
            await asyncio.sleep(BROKEN_SECONDS)

        async with aclosing(stream(patient(), context)) as answers:
            async for answer in answers:
                yield answer

    return handle


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
        wrap(gate, call, who), request_deserializer=None, response_serializer=_serialise
    )
    return handler


class GrpcDoor:
    """A grpc.aio server behind a listener, which accepts on unix sockets, on TCP addresses, and on inherited sockets.

    `roles` says who gets which roles, `owner` is the role of the daemon's own user.
    """

    def __init__(
        self,
        gate: Gate,
        config: ListenConfig,
        roles: RolesOf,
        tokens: TokenStore,
        revoked: RevokedCertificates,
        *,
        owner: str = "",
        limits: Limits | None = None,
    ) -> None:
        self._config = config
        self._server = grpc.aio.server(options=_OPTIONS)
        self._listener = Listener(limits, lambda peer, why: gate.audit_refusal(peer.stranger, why))
        who = Identify(self._listener.peer, roles, tokens, revoked, gate.audit_refusal)
        names = [service.descriptor.full_name for service in gate.services]
        for name in names:
            calls = [call for call in gate.calls.values() if call.descriptor.containing_service.full_name == name]
            handlers = {call.descriptor.name: _handler(gate, call, who) for call in calls}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        self._standard = StandardServices(names, who)
        self._server.add_generic_rpc_handlers((self._standard,))
        self._tokens = LoopbackTokens(tokens, owner)
        self._private: dict[bool, PrivateSocket] = {}
        self._listening: list[tuple[socket.socket, PrivateSocket]] = []
        self._sockets: list[socket.socket] = []
        self._own: list[socket.socket] = []
        """Those of them that the daemon has made, and whose files it takes away."""
        self.addresses: list[str] = []

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._listener.connections

    def listen(self) -> None:
        """Take the configured addresses and what systemd passed. Raises OSError that says why not, and ValueError for
        an address beyond loopback without certificates.
        """
        problems = address_problems(self._config.addresses, tls=bool(self._config.tls.certificate))
        if problems:
            raise ValueError("\n".join(problems))
        wanted = [parse_address(text) for text in self._config.addresses]
        try:
            self._inherit(wanted)
            for address in wanted:
                if str(address) not in self.addresses:
                    self._open(address)
        except BaseException:
            self._free()
            raise

    async def start(self) -> None:
        """Serve."""
        await self._server.start()
        for listening, private in self._listening:
            self._listener.accept_on(listening, private)

    async def stop(self, grace: float) -> None:
        """Take no more calls; cancel what still runs after `grace` seconds; free the sockets."""
        await self._standard.drain()
        self._free()
        await self._server.stop(grace)
        await self._listener.close(FLUSH_SECONDS)
        for private in self._private.values():
            private.close()

    def _inherit(self, wanted: list[Address]) -> None:
        """Whoever started the daemon with a socket wants it served there, whether the configuration names it or not."""
        passed = inherited()
        self._sockets += [taken for sockets in passed.values() for taken in sockets]
        named = {address.target: address.tls for address in wanted if address.kind == "systemd"}
        missing = next((name for name in named if name not in passed), None)
        if missing is not None:
            raise OSError(f"systemd has passed no socket of the name {missing!r} (FileDescriptorName=)")
        for name, sockets in passed.items():
            for taken in sockets:
                beyond = taken.family != socket.AF_UNIX and not is_loopback(taken.getsockname()[0])
                self._take(taken, beyond or named.get(name, False))

    def _open(self, address: Address) -> None:
        made: list[socket.socket] = []
        if address.kind == "unix":
            made = [listen_unix(Path(address.target), int(self._config.mode, 8), self._config.group)]
        elif address.kind == "tcp":
            host, _, port = address.target.rpartition(":")
            made = listen_tcp(host, int(port))
        self._sockets += made
        self._own += made
        for taken in made:
            self._take(taken, address.tls)

    def _take(self, listening: socket.socket, tls: bool) -> None:
        self._listening.append((listening, self._private_socket(tls)))
        address = name_of(listening)
        self.addresses.append(f"tls:{address}" if tls else address)
        if not tls and listening.family != socket.AF_UNIX:
            self._tokens.offer(address)

    def _private_socket(self, tls: bool) -> PrivateSocket:
        if tls not in self._private:
            if tls:
                if not self._config.tls.certificate:
                    raise ValueError(
                        "expected [listen.tls]: beyond loopback mutual TLS is spoken, also on inherited sockets"
                    )
                credentials = TlsFiles(self._config.tls).credentials()
                self._private[tls] = PrivateSocket(lambda at: self._server.add_secure_port(at, credentials), tls=True)
            else:
                self._private[tls] = PrivateSocket(self._server.add_insecure_port, tls=False)
        return self._private[tls]

    def _free(self) -> None:
        """Listen no more."""
        self._tokens.withdraw()
        for listening in self._own:
            unlink(listening)
        self._own.clear()
        self._listener.stop_accepting()
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()
        self._listening.clear()
