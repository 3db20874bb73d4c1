"""The device verbs, read off the service descriptors: a new verb in a proto needs no line of transport code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from countertop.sdk.options import option
from countertop.v1 import device_pb2, options_pb2
from countertop.v1.device_pb2 import DeviceKind
from countertop.v1.operation_pb2 import Operation
from countertop.v1.options_pb2 import Effect

_METHODS = {"ResetDevice": "reset", "Call": "call_vendor"}
"""Where the driver's method is not called as the verb."""

__all__ = ["Verb", "snake_case", "verbs_of"]


def snake_case(name: str) -> str:
    """`OpenDrawer` as `open_drawer`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of a device: a method whose response begins with the operation."""

    name: str
    """Full method name: `countertop.v1.IdReaderService/Read`."""
    method: str
    """The driver's method: `read`."""
    kind: DeviceKind
    """The kind of device it needs; UNSPECIFIED for any."""
    effect: Effect
    response: type[Message]
    fields: dict[str, str]
    """Payload field by the full name of its message type."""
    default_timeout: float
    """Seconds on the device when the caller says nothing."""

    def update(self, operation: Operation, payload: Message | None = None) -> Message:
        """One message of the verb's stream."""
        if payload is None:
            return self.response(operation=operation)
        return self.response(operation=operation, **{self.field(payload): payload})

    def field(self, payload: Message) -> str:
        """The field that carries a payload. Raises TypeError when the verb has none for it: a driver's mistake."""
        try:
            return self.fields[payload.DESCRIPTOR.full_name]
        except KeyError:
            raise TypeError(f"{self.name} cannot carry a {payload.DESCRIPTOR.full_name}") from None

    @property
    def result_type(self) -> type[Message]:
        """The message of its result."""
        found = self.response.DESCRIPTOR.fields_by_name["result"].message_type
        assert found is not None, "a message"
        return message_factory.GetMessageClass(found)  # type: ignore[arg-type]

    @property
    def consumes(self) -> bool:
        """It uses something up in the world."""
        return self.effect == options_pb2.EFFECT_CONSUMES


def verbs_of(
    service: ServiceDescriptor, kind: DeviceKind, default_timeout: float = 60.0, timeouts: Mapping[str, float] = {}
) -> dict[str, Verb]:
    """The device verbs of a service by method name; `timeouts` has those that differ from the default."""
    effects: list[tuple[MethodDescriptor, Effect]] = [
        (method, option(method, options_pb2.effect)) for method in service.methods
    ]
    return {
        method.name: _verb(method, kind, effect, timeouts.get(method.name, default_timeout))
        for method, effect in effects
        if effect
    }


def _verb(method: MethodDescriptor, kind: DeviceKind, effect: Effect, default_timeout: float) -> Verb:
    payload = method.output_type.oneofs_by_name["payload"]
    return Verb(
        name=f"{method.containing_service.full_name}/{method.name}",
        method=_METHODS.get(method.name, snake_case(method.name)),
        kind=kind or device_pb2.DEVICE_KIND_UNSPECIFIED,
        effect=effect,
        response=message_factory.GetMessageClass(method.output_type),
        fields={field.message_type.full_name: field.name for field in payload.fields if field.message_type},
        default_timeout=default_timeout,
    )
