"""The faces of the device kinds: one method for each verb, and `start_` with its handle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, Unpack, cast

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
from countertop.v1.signature_pad_pb2 import (
    CaptureSignatureRequest,
    CaptureSignatureResponse,
    CaptureSignatureResult,
    GetSigningKeyRequest,
    GetSigningKeyResponse,
    PadButton,
    PressButtonRequest,
    SignDocument,
    VerifySignatureRequest,
    VerifySignatureResponse,
)

__all__ = ["DeviceFace", "IdReader", "ReceiptPrinter", "SignaturePad", "find_device"]

ReadHandle: TypeAlias = OperationHandle[ReadResponse, ReadResult]
PrintHandle: TypeAlias = OperationHandle[PrintResponse, PrintResult]
SignatureHandle: TypeAlias = OperationHandle[CaptureSignatureResponse, CaptureSignatureResult]
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


class DeviceFace:
    """What the faces of all kinds have in common."""

    kind: DeviceKind

    def __init__(self, connection: Connection, device_id: str | None) -> None:
        self._connection = connection
        self._device_id = device_id or ""

    async def device_id(self) -> str:
        """The device's id; where none was given, that of the only device of the kind, looked up once."""
        if not self._device_id:
            self._device_id = await find_device(self._connection, self.kind)
        return self._device_id


class IdReader(DeviceFace):
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


class ReceiptPrinter(DeviceFace):
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


class CaptureOptions(CallOptions, total=False):
    """What can be said of a capture, beside what every call takes."""

    prompt: str
    """A line that asks the signer to sign; at most 80 characters."""
    start_within: float
    """Seconds for the pen to touch the pad, 0.1 to 600."""
    accept_after_pause: float
    """Seconds of lifted pen after which the ink is accepted by itself, 0.1 to 600; for pads without buttons."""
    live_ink: bool
    """Tell the ink while it is written."""
    svg: bool
    png: bool
    iso_19794_7: bool
    """Pictures and records to return beside the ink."""
    unbound: bool
    """No signature file."""


class SignaturePad(DeviceFace):
    """Lets people sign."""

    kind = device_pb2.DEVICE_KIND_SIGNATURE_PAD

    async def capture(self, document: SignDocument | str, **options: Unpack[CaptureOptions]) -> CaptureSignatureResult:
        """Show a document (or a text), and wait for accepted ink. Cancelled, it gives up. Raises CountertopError."""
        async with self.start_capture(document, **options) as handle:
            return await handle.result()

    def start_capture(self, document: SignDocument | str, **options: Unpack[CaptureOptions]) -> SignatureHandle:
        """Begin a capture; the handle tells prompts and live ink, `press` presses buttons for it."""
        calls = {name: value for name, value in options.items() if name in CallOptions.__annotations__}
        request = CaptureSignatureRequest(
            options=call_options(cast("CallOptions", calls)),
            device_id=self._device_id,
            document=SignDocument(text=document) if isinstance(document, str) else document,
        )
        for name in options.keys() - calls.keys():
            value = options[name]  # type: ignore[literal-required]
            if name in ("start_within", "accept_after_pause"):
                getattr(request, name).FromNanoseconds(round(value * 1e9))
            else:
                setattr(request, name, value)
        return OperationHandle(self._connection, request, self.device_id)

    async def press(self, operation_id: str, button: PadButton) -> None:
        """Press accept, clear or cancel for a capture, as the signer could on the pad. Raises CountertopError."""
        await self._connection.ask(PressButtonRequest(operation_id=operation_id, button=button))

    async def signing_key(self) -> GetSigningKeyResponse:
        """The public key of the terminal's signature files. Needs no pad."""
        answer: GetSigningKeyResponse = await self._connection.ask(GetSigningKeyRequest())
        return answer

    async def verify(
        self, file: bytes, *, public_key: bytes = b"", document_sha256: bytes = b""
    ) -> VerifySignatureResponse:
        """Check a signature file. Needs no pad."""
        answer: VerifySignatureResponse = await self._connection.ask(
            VerifySignatureRequest(file=file, public_key=public_key, document_sha256=document_sha256)
        )
        return answer
