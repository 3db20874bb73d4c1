"""The faces of the device kinds: one method for each verb, and `start_` with its handle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, Unpack

from countertop.client._operation import CallOptions, OperationHandle, call_options
from countertop.client._stubs import Connection
from countertop.client.errors import InvalidRequest, NotFound, refusal
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.device_pb2 import DeviceKind
from countertop.v1.id_reader_pb2 import ReadRequest, ReadResponse, ReadResult
from countertop.v1.identity_pb2 import DocumentType
from countertop.v1.receipt_pb2 import Receipt
from countertop.v1.receipt_printer_pb2 import (
    INTERRUPTION_UNSPECIFIED,
    Interruption,
    OpenDrawerRequest,
    OpenDrawerResponse,
    OpenDrawerResult,
    PreviewRequest,
    PreviewResponse,
    PrintRequest,
    PrintResponse,
    PrintResult,
)

__all__ = ["IdReader", "ReceiptPrinter", "find_device"]

ReadHandle: TypeAlias = OperationHandle[ReadResponse, ReadResult]
PrintHandle: TypeAlias = OperationHandle[PrintResponse, PrintResult]
OpenDrawerHandle: TypeAlias = OperationHandle[OpenDrawerResponse, OpenDrawerResult]


async def find_device(connection: Connection, kind: DeviceKind, *, emulated: bool = False) -> str:
    """The id of the only (emulated) device of a kind.

    Raises NotFound when there is none, InvalidRequest when there are several, with their ids.
    """
    answer = await connection.ask(device_pb2.ListDevicesRequest(kind=kind))
    found = [device.id for device in answer.devices if device.emulated or not emulated]
    if len(found) == 1:
        return str(found[0])
    wanted = ("emulated " if emulated else "") + DeviceKind.Name(kind).removeprefix("DEVICE_KIND_")
    if not found:
        raise refusal(NotFound, error_pb2.REASON_DEVICE_NOT_FOUND, f"This terminal has no device of kind {wanted}.")
    raise refusal(
        InvalidRequest,
        error_pb2.REASON_INVALID_REQUEST,
        f"This terminal has several devices of kind {wanted}; name one: {', '.join(found)}.",
        violations={"device_id": f"expected one of: {', '.join(found)}"},
    )


class _Face:
    kind: DeviceKind

    def __init__(self, connection: Connection, device_id: str | None) -> None:
        self._connection = connection
        self._device_id = device_id or ""

    async def device_id(self) -> str:
        """The device's id; where none was given, that of the only device of the kind, looked up once."""
        if not self._device_id:
            self._device_id = await find_device(self._connection, self.kind)
        return self._device_id


class IdReader(_Face):
    """Reads identity documents."""

    kind = device_pb2.DEVICE_KIND_ID_READER

    async def read(
        self,
        *,
        photo: bool = False,
        fingerprints: bool = False,
        additional_address: bool = False,
        wait_for_removal: bool = False,
        types: Iterable[DocumentType] = (),
        **options: Unpack[CallOptions],
    ) -> ReadResult:
        """Wait for a document and read it. Cancelled, it gives up the reading. Raises CountertopError."""
        handle = self.start_read(
            photo=photo,
            fingerprints=fingerprints,
            additional_address=additional_address,
            wait_for_removal=wait_for_removal,
            types=types,
            **options,
        )
        async with handle:
            return await handle.result()

    def start_read(
        self,
        *,
        photo: bool = False,
        fingerprints: bool = False,
        additional_address: bool = False,
        wait_for_removal: bool = False,
        types: Iterable[DocumentType] = (),
        **options: Unpack[CallOptions],
    ) -> ReadHandle:
        """Begin to read; the handle tells prompts and events."""
        request = ReadRequest(
            options=call_options(options),
            device_id=self._device_id,
            photo=photo,
            fingerprints=fingerprints,
            additional_address=additional_address,
            wait_for_removal=wait_for_removal,
            types=types,
        )
        return OperationHandle(self._connection, request, self.device_id)


class ReceiptPrinter(_Face):
    """Prints receipts."""

    kind = device_pb2.DEVICE_KIND_RECEIPT_PRINTER

    async def print(
        self,
        receipt: Receipt,
        *,
        interruption: Interruption = INTERRUPTION_UNSPECIFIED,
        **options: Unpack[CallOptions],
    ) -> PrintResult:
        """Print a receipt. Cancelled, it only hangs up: the print goes on. Raises CountertopError.

        `interruption` says what becomes of it when the printer stops in the middle; by default it is void.
        """
        async with self.start_print(receipt, interruption=interruption, **options) as handle:
            return await handle.result()

    def start_print(
        self,
        receipt: Receipt,
        *,
        interruption: Interruption = INTERRUPTION_UNSPECIFIED,
        **options: Unpack[CallOptions],
    ) -> PrintHandle:
        """Begin to print; the handle tells how far the paper is."""
        request = PrintRequest(
            options=call_options(options), device_id=self._device_id, receipt=receipt, interruption=interruption
        )
        return OperationHandle(self._connection, request, self.device_id)

    async def preview(self, receipt: Receipt, width_dots: int = 0) -> PreviewResponse:
        """The receipt as it would be printed, as PNG and text; uses no paper.

        With `width_dots` (128 to 1024) and no device id, no printer is needed.
        """
        device_id = self._device_id if width_dots else await self.device_id()
        response: PreviewResponse = await self._connection.ask(
            PreviewRequest(device_id=device_id, receipt=receipt, width_dots=width_dots)
        )
        return response

    async def open_drawer(self, drawer: int = 1, **options: Unpack[CallOptions]) -> OpenDrawerResult:
        """Open cash drawer 1 or 2. Raises CountertopError."""
        async with self.start_open_drawer(drawer, **options) as handle:
            return await handle.result()

    def start_open_drawer(self, drawer: int = 1, **options: Unpack[CallOptions]) -> OpenDrawerHandle:
        """Begin to open a drawer."""
        request = OpenDrawerRequest(options=call_options(options), device_id=self._device_id, drawer=drawer)
        return OperationHandle(self._connection, request, self.device_id)
