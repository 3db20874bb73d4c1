"""Made-up devices that do everything at once: what is left is the daemon's own time."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from countertop.sdk import DeviceFault, IdReader, Link, ReceiptPrinter, Run, TcpLink
from countertop.v1 import device_pb2, error_pb2, id_reader_pb2, identity_pb2, receipt_printer_pb2

__all__ = ["CrashingReader", "HangingReader", "InstantPrinter", "InstantReader"]


class _Instant:
    links: ClassVar[tuple[type[Link], ...]] = (TcpLink,)
    info: ClassVar[device_pb2.DeviceInfo]

    async def connect(self) -> device_pb2.DeviceInfo:
        """Is there at once."""
        return self.info

    async def disconnect(self) -> None:
        """Holds nothing."""

    async def status(self) -> device_pb2.DeviceStatus:
        """Is well."""
        return device_pb2.DeviceStatus(media=device_pb2.MEDIA_STATE_NOT_PRESENT)


class InstantReader(_Instant, IdReader):
    """Returns the same document at once."""

    name = "instant-reader"
    info = device_pb2.DeviceInfo(
        vendor="Invented",
        model="Instant reader",
        serial="0000001",
        firmware="1.0",
        id_reader=device_pb2.IdReaderCapabilities(document_types=[1, 2, 3], fingerprints=True, additional_address=True),
    )

    async def read(self, request: id_reader_pb2.ReadRequest, run: Run) -> id_reader_pb2.ReadResult:
        """The document."""
        return id_reader_pb2.ReadResult(
            document=identity_pb2.IdentityDocument(type=identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD)
        )


class HangingReader(InstantReader):
    """Never comes back from a read."""

    name = "hanging-reader"

    async def read(self, request: id_reader_pb2.ReadRequest, run: Run) -> id_reader_pb2.ReadResult:
        """Waits for ever."""
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


class CrashingReader(InstantReader):
    """Has a bug."""

    name = "crashing-reader"

    async def read(self, request: id_reader_pb2.ReadRequest, run: Run) -> id_reader_pb2.ReadResult:
        """Raises what no driver should."""
        raise ZeroDivisionError


class InstantPrinter(_Instant, ReceiptPrinter):
    """Takes a receipt at once."""

    name = "instant-printer"
    info = device_pb2.DeviceInfo(
        vendor="Invented",
        model="Instant printer",
        serial="0000002",
        firmware="1.0",
        receipt_printer=device_pb2.ReceiptPrinterCapabilities(width_dots=576, columns=48, dpi=203, cutter=True),
    )

    async def print(self, request: receipt_printer_pb2.PrintRequest, run: Run) -> receipt_printer_pb2.PrintResult:
        """Printed."""
        await run.commit_point("first byte")
        return receipt_printer_pb2.PrintResult(
            confirmation=receipt_printer_pb2.CONFIRMATION_WRITTEN, blocks=len(request.receipt.blocks)
        )

    async def open_drawer(
        self, request: receipt_printer_pb2.OpenDrawerRequest, run: Run
    ) -> receipt_printer_pb2.OpenDrawerResult:
        """Has none."""
        raise DeviceFault(error_pb2.REASON_NOT_SUPPORTED)
