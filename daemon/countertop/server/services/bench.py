"""BenchService: hands on emulated devices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from countertop.bench.v1 import bench_pb2
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.services.base import Method, Service
from countertop.server.verbs import snake_case
from countertop.v1 import error_pb2

__all__ = ["Bench"]

UNIT_HANDS = ("unplug", "replug", "power_cycle")


class Bench(Service):
    """Every verb goes to the emulator's method of that name."""

    descriptor = bench_pb2.DESCRIPTOR.services_by_name["BenchService"]

    def method(self, descriptor: MethodDescriptor) -> Method:
        """A call of the emulator's method."""
        name = snake_case(descriptor.name)

        async def call(request: Any) -> Message:
            await self.terminal.emulated.wait()
            try:
                hands = [self._hand(device_id, name) for device_id in self._meant(request.device_id, name)]
                return [await hand(request) for hand in hands][-1]
            except ValueError as error:
                raise InvalidRequest({descriptor.name: str(error)}) from error

        return call

    def _meant(self, device_id: str, name: str) -> list[str]:
        """The emulated devices that a request means: the power of a whole unit can be taken away and given back."""
        units = self.terminal.units()
        if name not in UNIT_HANDS or device_id in self.terminal.runners or device_id not in units:
            return [device_id]
        return [item for item in units[device_id] if item in self.terminal.emulators] or units[device_id][:1]

    def _hand(self, device_id: str, name: str) -> Callable[[Any], Awaitable[Message]]:
        self.terminal.runner(device_id)
        emulator = self.terminal.emulators.get(device_id)
        if emulator is None:
            raise CountertopError(error_pb2.REASON_NOT_EMULATED, f"The device {device_id!r} is not emulated.")
        hand: Callable[[Any], Awaitable[Message]] | None = getattr(emulator, name, None)
        if hand is None:
            raise CountertopError(
                error_pb2.REASON_NOT_EMULATED,
                f"The emulator of {device_id!r} has no part for {name.replace('_', ' ')}.",
            )
        return hand
