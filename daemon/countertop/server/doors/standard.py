"""The standard services beside ours: grpc.health.v1 and server reflection.

Their packages take a third of the daemon's start, so that they are imported at the first call that wants them.

`Health/Check` answers whoever can connect, since it tells nothing but that the daemon is there, and what asks is often
a supervisor without a token. Everything else wants a caller who is known, as all our services do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import isasyncgenfunction
from typing import Any

import grpc
from google.rpc import status_pb2

from countertop.server.caller import Caller
from countertop.server.gate import Refused

__all__ = ["StandardServices", "abort"]

_PREFIXES = ("/grpc.health.v1.", "/grpc.reflection.v1alpha.")
_FOR_ALL = "/grpc.health.v1.Health/Check"
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}


async def abort(context: Any, status: status_pb2.Status) -> None:
    """End a call with a status and its details."""
    await context.abort(
        _STATUS_CODES[status.code],
        status.message,
        trailing_metadata=(("grpc-status-details-bin", status.SerializeToString()),),
    )


class _Collector:
    """Stands in for a server while the packages register their handlers."""

    def __init__(self) -> None:
        self.handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """As a server would."""
        self.handlers.extend(handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Any) -> None:
        """Newer generated code registers twice; the generic handlers are enough."""


class StandardServices(grpc.GenericRpcHandler):
    """Answers for health and reflection of the named services."""

    def __init__(self, names: Sequence[str], who: Callable[[Any, str], Caller]) -> None:
        self._names = tuple(names)
        self._who = who
        self._handlers: list[grpc.GenericRpcHandler] | None = None
        self._health: Any = None
        self._draining = False

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method; None for methods of other services."""
        method = handler_call_details.method
        if not method.startswith(_PREFIXES):
            return None
        if self._handlers is None:
            self._handlers = self._load()
        found = (handler.service(handler_call_details) for handler in self._handlers)
        handler = next((handler for handler in found if handler is not None), None)
        if handler is None or method == _FOR_ALL:
            return handler
        return self._guarded(handler, method.rpartition(".")[2].replace("/", "."))

    def _guarded(self, handler: Any, name: str) -> Any:
        """The same handler, for callers who are known; it answers with many, whether it yields or writes them."""
        inner = handler.stream_stream or handler.unary_stream
        make = grpc.stream_stream_rpc_method_handler if handler.stream_stream else grpc.unary_stream_rpc_method_handler

        async def known(context: Any) -> None:
            try:
                self._who(context, name)
            except Refused as refused:
                await abort(context, refused.status)

        async def yields(request: Any, context: Any) -> Any:
            await known(context)
            async for answer in inner(request, context):
                yield answer

        async def writes(request: Any, context: Any) -> None:
            await known(context)
            await inner(request, context)

        guarded: Any = yields if isasyncgenfunction(inner) else writes
        return make(guarded, handler.request_deserializer, handler.response_serializer)

    async def drain(self) -> None:
        """Tell health watchers that the daemon stops."""
        self._draining = True
        if self._health is not None:
            await self._health.enter_graceful_shutdown()

    def _load(self) -> list[grpc.GenericRpcHandler]:
        from grpc_health.v1 import health_pb2, health_pb2_grpc
        from grpc_health.v1.health import aio as health_aio  # pyright: ignore[reportAttributeAccessIssue]
        from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

        collector: Any = _Collector()
        serving = health_pb2.HealthCheckResponse.SERVING
        stopping = health_pb2.HealthCheckResponse.NOT_SERVING
        self._health = health_aio.HealthServicer()
        # the servicer's set() is a coroutine that only wakes watchers, of which there are none yet
        for name in ("", *self._names):
            self._health._server_status[name] = stopping if self._draining else serving
        health_pb2_grpc.add_HealthServicer_to_server(self._health, collector)
        names = (*self._names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
        reflecting = reflection.aio.ReflectionServicer(names)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflecting, collector)
        handlers: list[grpc.GenericRpcHandler] = collector.handlers
        return handlers
