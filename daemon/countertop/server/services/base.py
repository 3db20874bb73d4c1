"""What a door binds: a service descriptor and a method for each of its methods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, ClassVar

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from countertop.server.terminal import Terminal
from countertop.server.verbs import Verb, snake_case, verbs_of
from countertop.v1 import device_pb2
from countertop.v1.device_pb2 import DeviceKind

__all__ = ["Method", "Service"]

Method = Callable[[Any], Awaitable[Message] | AsyncIterator[Message]]


class Service:
    """Base of all services.

    A device verb (a method with the `effect` option) needs no code: it runs on the device's driver. Every other
    method is a coroutine, or for a stream an async generator, named as the method in snake_case; it takes the request,
    or where the client streams an iterator of them, and raises CountertopError.
    """

    descriptor: ClassVar[ServiceDescriptor]
    kind: ClassVar[DeviceKind] = device_pb2.DEVICE_KIND_UNSPECIFIED
    default_timeout: ClassVar[float] = 60.0
    timeouts: ClassVar[Mapping[str, float]] = {}
    """Of verbs whose default differs."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.verbs: dict[str, Verb] = verbs_of(self.descriptor, self.kind, self.default_timeout, self.timeouts)

    def method(self, descriptor: MethodDescriptor) -> Method:
        """The implementation of a method of the service."""
        verb = self.verbs.get(descriptor.name)
        if verb is not None and not descriptor.client_streaming:
            return lambda request: self.terminal.perform(verb, self.prepare(request))
        found: Method = getattr(self, snake_case(descriptor.name))
        return found

    def prepare(self, request: Any) -> Any:
        """Check what bounds cannot say of a verb's request. Raises InvalidRequest."""
        return request
