"""The connection to one daemon, with callables of every method made from the descriptors.

No generated service code is needed: a new service costs one line here.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message

from countertop.bench.v1 import bench_pb2
from countertop.client._access import Access
from countertop.client.errors import ConnectionLost, CountertopError, InvalidRequest, refusal, translate
from countertop.v1 import (
    camera_pb2,
    card_printer_pb2,
    claim_pb2,
    device_pb2,
    error_pb2,
    id_reader_pb2,
    operation_pb2,
    options_pb2,
    receipt_printer_pb2,
    signature_pad_pb2,
    vendor_pb2,
)

__all__ = ["Connection", "Outage", "consumes", "method_of"]

MAX_MESSAGE_BYTES = 1024 * 1024
"""Of a request, as the daemon has it."""
MAX_ANSWER_BYTES = 4 * MAX_MESSAGE_BYTES
SEND_BYTES = 4 * MAX_MESSAGE_BYTES
"""What may be sent: up to here the daemon tells which field makes a request too large."""
FIRST_DELAY, LAST_DELAY = 0.1, 2.0
"""Seconds between two attempts to reach the daemon: doubled each time."""

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    ("grpc.max_send_message_length", SEND_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", int(FIRST_DELAY * 1000)),
    ("grpc.max_reconnect_backoff_ms", int(LAST_DELAY * 1000)),
    ("grpc.enable_retries", 0),  # the client itself knows what may be repeated
    ("grpc.use_local_subchannel_pool", 1),  # another counter's broken connection is none of ours
    ("grpc.enable_http_proxy", 0),  # the daemon is on this machine
)
_Connectivity = grpc.ChannelConnectivity
_FILES: tuple[FileDescriptor, ...] = tuple(
    module.DESCRIPTOR
    for module in (
        claim_pb2,
        device_pb2,
        operation_pb2,
        id_reader_pb2,
        receipt_printer_pb2,
        signature_pad_pb2,
        card_printer_pb2,
        camera_pb2,
        vendor_pb2,
        bench_pb2,
    )
)
_METHODS: dict[type[Any], MethodDescriptor] = {
    message_factory.GetMessageClass(method.input_type): method
    for file in _FILES
    for service in file.services_by_name.values()
    for method in service.methods
}


class Connection:
    """A channel to one daemon. Every request type belongs to exactly one method, which is found by it.

    `patience` is how long, in seconds, a daemon that was lost is waited for.
    """

    def __init__(self, access: Access, patience: float) -> None:
        self.address = access.address
        self.patience = patience
        self._access = access
        self._name = (("countertop-client", uuid.uuid4().hex),)
        """The daemon serves clients in turn, and tells them apart by this."""
        self._made: grpc.aio.Channel | None = None
        self._callables: dict[type[Any], Any] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reached = False
        self._closed = False

    async def close(self) -> None:
        """Cancel what runs and free the sockets."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._made is not None:
            await self._made.close()

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Keep a task until it ends; it ends with the connection at the latest."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reach(self) -> None:
        """Return at once after the first time. Raises ConnectionLost when the daemon is not there the first time."""
        while not self._reached:
            state = self._channel.get_state(try_to_connect=True)
            if state is _Connectivity.READY:
                self._reached = True
            elif state in (_Connectivity.TRANSIENT_FAILURE, _Connectivity.SHUTDOWN):
                raise ConnectionLost(
                    f"No daemon answers at {self.address}; {self._access.advice}",
                    code=grpc.StatusCode.UNAVAILABLE,
                )
            else:
                await self._channel.wait_for_state_change(state)

    async def ask(self, request: Message) -> Any:
        """The response to a request of a unary method. Raises CountertopError."""
        await self.reach()
        call = self._call(request)
        try:
            return await call
        except grpc.RpcError as error:
            raise translate(error) from None
        except asyncio.CancelledError:
            self._explain_cancel()
            raise
        finally:
            call.cancel()

    async def stream(self, request: Message) -> AsyncGenerator[Any, None]:
        """The responses to a request of a streaming method; close it in the end, which hangs up.

        Raises CountertopError, with the operation that the responses carried last; ConnectionLost where it broke.
        """
        await self.reach()
        operation = None
        call = self._call(request)
        try:
            async for response in call:
                operation = getattr(response, "operation", None)
                yield response
        except grpc.RpcError as error:
            raise translate(error, operation) from None
        except asyncio.CancelledError:
            self._explain_cancel()
            raise
        finally:
            call.cancel()  # gRPC does not, when a call is merely dropped

    def exchange(self, kind: type[Any]) -> Any:
        """The call of a method with streams both ways, by the type of its requests."""
        return self._callable(kind)(metadata=self._metadata())

    @property
    def _channel(self) -> grpc.aio.Channel:
        """Made at the first call: a channel belongs to the event loop that runs then."""
        if self._closed:
            raise _closed()
        if self._made is None:
            target, credentials = self._access.target, self._access.credentials()
            self._made = (
                grpc.aio.insecure_channel(target, options=_OPTIONS)
                if credentials is None
                else grpc.aio.secure_channel(target, credentials, options=_OPTIONS)
            )
        return self._made

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return self._name + self._access.metadata()

    def _call(self, request: Message) -> Any:
        size = request.ByteSize()
        if size > SEND_BYTES:
            sentence = f"The request has {size} bytes; the daemon takes {MAX_MESSAGE_BYTES} at most."
            raise refusal(InvalidRequest, error_pb2.REASON_INVALID_REQUEST, sentence)
        return self._callable(type(request))(request, metadata=self._metadata())

    def _callable(self, kind: type[Any]) -> Any:
        channel = self._channel
        if kind not in self._callables:
            method = _METHODS[kind]
            make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
            if method.client_streaming:
                make = channel.stream_stream
            self._callables[kind] = make(
                f"/{method.containing_service.full_name}/{method.name}",
                request_serializer=kind.SerializeToString,
                response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
            )
        return self._callables[kind]

    def _explain_cancel(self) -> None:
        """Closing the channel cancels its calls; that must not look as if somebody had cancelled the task."""
        task = asyncio.current_task()
        if self._closed and task is not None and not task.cancelling():
            raise _closed() from None


class Outage:
    """The time since a daemon was last heard of, with growing pauses: 0.1 s, 0.2 s, … 2 s."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: float | None = None
        self._delay = FIRST_DELAY

    def over(self) -> None:
        """The daemon was heard of."""
        self._since = None
        self._delay = FIRST_DELAY

    async def pause(self, error: CountertopError) -> None:
        """Wait before the next attempt. Raises `error` when patience is at its end."""
        now = asyncio.get_running_loop().time()
        if self._since is None:
            self._since = now
        left = self._since + self._patience - now
        if left <= 0:
            raise error
        await asyncio.sleep(min(self._delay, left))
        self._delay = min(self._delay * 2, LAST_DELAY)


def method_of(request: Message) -> MethodDescriptor:
    """The method that takes a request."""
    return _METHODS[type(request)]


def consumes(request: Message) -> bool:
    """The method uses something up, so that it must not be repeated unasked."""
    extensions: Any = method_of(request).GetOptions().Extensions  # protoc's type stubs do not know that these index
    return bool(extensions[options_pb2.effect] == options_pb2.EFFECT_CONSUMES)


def _closed() -> CountertopError:
    return CountertopError("The counter is closed.", code=grpc.StatusCode.CANCELLED)
