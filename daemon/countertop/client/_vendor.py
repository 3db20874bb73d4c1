"""Commands of a vendor's own, by the vendor's own messages."""

from __future__ import annotations

from typing import Generic, TypeVar, Unpack

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message

from countertop.client._operation import CallOptions, OperationHandle, call_options
from countertop.client._stubs import Connection
from countertop.client.errors import CountertopError
from countertop.v1 import device_pb2
from countertop.v1.device_pb2 import VendorCommand
from countertop.v1.operation_pb2 import Operation
from countertop.v1.vendor_pb2 import CallRequest, CallResponse, CallResult

__all__ = ["Vendor", "VendorHandle"]

R = TypeVar("R", bound=Message)
E = TypeVar("E", bound=Message)


class VendorHandle(OperationHandle[CallResponse, R], Generic[R]):
    """A vendor's command that was begun: as every handle, its result is of the vendor's type."""

    def __init__(self, connection: Connection, request: CallRequest, result_type: type[R]) -> None:
        self._result_type = result_type
        super().__init__(connection, request)

    def _outcome(self, operation: Operation) -> R:
        super()._outcome(operation)  # raises for every end but SUCCEEDED with a result
        packed: CallResult = self._result
        return unpacked(packed.message, self._result_type, operation)


def unpacked(packed: AnyMessage, kind: type[E], operation: Operation | None = None) -> E:
    """What was packed, which must be of a type. Raises CountertopError that names both types."""
    message = kind()
    try:
        fits = packed.Unpack(message)
    except DecodeError:
        fits = False
    if not fits:
        expected, got = kind.DESCRIPTOR.full_name, packed.TypeName() or "nothing"
        raise CountertopError(f"Expected a {expected} of the device, got {got}.", operation=operation)
    return message


class Vendor:
    """The commands of a device's vendor."""

    def __init__(self, connection: Connection, device_id: str) -> None:
        self._connection = connection
        self._device_id = device_id

    async def commands(self) -> list[VendorCommand]:
        """What the device takes, as its driver declares it; empty before the device was first reached.

        Raises NotFound.
        """
        answer = await self._connection.ask(device_pb2.GetDeviceRequest(device_id=self._device_id))
        return list(answer.device.info.vendor_commands)

    async def call(self, command: Message, result_type: type[R], **options: Unpack[CallOptions]) -> R:
        """Carry out a command. Cancelled, it gives up one that READS, and hangs up on one that CONSUMES.

        Raises CountertopError: NOT_SUPPORTED when the device lists no such command, and where the result is of another
        type.
        """
        async with self.start_call(command, result_type, **options) as handle:
            return await handle.result()

    def start_call(self, command: Message, result_type: type[R], **options: Unpack[CallOptions]) -> VendorHandle[R]:
        """Begin a command; of its events, `update.event.message.Unpack(...)` gives the vendor's messages."""
        request = CallRequest(options=call_options(options), device_id=self._device_id)
        request.command.Pack(command, deterministic=True)
        return VendorHandle(self._connection, request, result_type)
