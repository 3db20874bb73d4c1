"""The standard services beside ours: grpc.health.v1 and server reflection.

Their packages take a third of the daemon's start, so that they are imported at the first call that wants them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

__all__ = ["StandardServices"]

_PREFIXES = ("/grpc.health.v1.", "/grpc.reflection.v1alpha.")


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

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._handlers: list[grpc.GenericRpcHandler] | None = None
        self._health: Any = None
        self._draining = False

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method; None for methods of other services."""
        if not handler_call_details.method.startswith(_PREFIXES):
            return None
        if self._handlers is None:
            self._handlers = self._load()
        found = (handler.service(handler_call_details) for handler in self._handlers)
        return next((handler for handler in found if handler is not None), None)

    async def drain(self) -> None:
        """Tell health watchers that the daemon stops."""
        self._draining = True
        if self._health is not None:
            await self._health.enter_graceful_shutdown()

    def _load(self) -> list[grpc.GenericRpcHandler]:
        from grpc_health.v1 import health_pb2, health_pb2_grpc
        from grpc_health.v1.health import aio as health_aio  # pyright: ignore[reportAttributeAccessIssue]
        from grpc_reflection.v1alpha import reflection

        collector: Any = _Collector()
        serving = health_pb2.HealthCheckResponse.SERVING
        stopping = health_pb2.HealthCheckResponse.NOT_SERVING
        self._health = health_aio.HealthServicer()
        # the servicer's set() is a coroutine that only wakes watchers, of which there are none yet
        for name in ("", *self._names):
            self._health._server_status[name] = stopping if self._draining else serving
        health_pb2_grpc.add_HealthServicer_to_server(self._health, collector)
        names = (*self._names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, collector)
        handlers: list[grpc.GenericRpcHandler] = collector.handlers
        return handlers
