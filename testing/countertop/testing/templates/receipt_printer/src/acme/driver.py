"""The driver: shows Countertop the printer as a `ReceiptPrinter`."""

from __future__ import annotations

import asyncio
from typing import cast

from countertop.sdk import (
    CountertopError,
    DeviceFault,
    LinkUrl,
    Options,
    ReceiptPrinter,
    Run,
    SerialLink,
    Settlement,
    TcpLink,
    Unsettled,
)
from countertop.sdk.receipt import lay_out
from countertop.sdk.trace import Masker
from countertop.v1 import device_pb2, error_pb2, receipt_printer_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceStatus
from countertop.v1.receipt_printer_pb2 import OpenDrawerRequest, OpenDrawerResult, PrintRequest, PrintResult
from pydantic import Field

from acme.job import PAPER, steps_of
from acme.masking import FrameMasker
from acme.printing import Printing
from acme.protocol import LONGEST, REFUSALS, Command, Status, parse_identity
from acme.session import Session
from acme.settling import settle_drawer, settle_print
from acme.status import blocking, to_status

__all__ = ["AcmeOptions", "AcmePrinter"]

LONGEST_COMMAND = 65536


class AcmeOptions(Options):
    """Options of the printer, checked when the configuration is read."""

    answer_seconds: float = Field(default=0.5, ge=0.05, le=10)
    """How long the printer may take for an answer."""
    step_seconds: float = Field(default=1.0, ge=0.5, le=60)
    """How long it may take to print a line or a strip of a picture, or to cut."""


class AcmePrinter(ReceiptPrinter):
    """A printer that confirms each line, and keeps count of what it has printed."""

    name = "acme"
    links = (TcpLink, SerialLink)
    options_type = AcmeOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = cast("AcmeOptions", options)
        self._session: Session | None = None

    async def connect(self) -> DeviceInfo:
        """Open the link and ask who is there. Raises LinkFault, NoAnswer, ProtocolFault."""
        link = await self.open_link(baud="115200")
        self._session = session = Session(link, LONGEST, REFUSALS, self._options.answer_seconds)
        try:
            session.forget()
            identity = parse_identity(await session.ask(Command.HELLO))
        except BaseException:
            await self.disconnect()
            raise
        return DeviceInfo(
            vendor="Acme",
            model=identity.model,
            serial=identity.serial,
            firmware=identity.firmware,
            receipt_printer=device_pb2.ReceiptPrinterCapabilities(
                width_dots=PAPER.width_dots,
                columns=PAPER.columns,
                dpi=PAPER.dpi,
                cutter=True,
                drawer=True,
                chinese_text=True,
                confirmation=receipt_printer_pb2.CONFIRMATION_PROCESS_ID,
            ),
        )

    async def disconnect(self) -> None:
        """Close the link."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def status(self) -> DeviceStatus:
        """What the printer says of itself. Raises NoAnswer, LinkFault."""
        return to_status((await self._ask_status()).bits)

    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        """Print a receipt, step by step. Emits BlocksPrinted.

        Raises DeviceFault with effect NONE when the printer is not ready, PARTIAL when it stops half-way (unless the
        app wants to wait: CONTINUE). InvalidRequest for a receipt that cannot be laid out; NOT_SUPPORTED for REPRINT.
        """
        if request.interruption == receipt_printer_pb2.INTERRUPTION_REPRINT:
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "This printer cannot reprint; use CONTINUE or VOID.")
        steps = await asyncio.to_thread(lambda: steps_of(lay_out(request.receipt, PAPER)))
        waits = request.interruption == receipt_printer_pb2.INTERRUPTION_CONTINUE
        before = await self._ready("print")
        printing = Printing(
            self._open(), steps, len(request.receipt.blocks), run, waits=waits, step_seconds=self._options.step_seconds
        )
        return await printing.carry_out(before.job + 1)

    async def open_drawer(self, request: OpenDrawerRequest, run: Run) -> OpenDrawerResult:
        """Give the pulse. The drawer has no switch, so that nothing is told of its opening."""
        before = await self._ready("open drawer")
        await run.commit_point("drawer pulse", {"pulses": before.pulses})
        await self._open().ask(Command.DRAWER, bytes([request.drawer or 1]))
        return OpenDrawerResult()

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        """Ask the printer's counters, and drop what it holds of a job that was cut off. Raises NoAnswer, LinkFault."""
        status = await self._ask_status()
        if unsettled.verb == "open_drawer":
            return settle_drawer(unsettled.evidence, status)
        await self._open().ask(Command.ABORT)
        return settle_print(unsettled.evidence, status)

    async def reset(self, request: device_pb2.ResetDeviceRequest, run: Run) -> device_pb2.ResetDeviceResult:
        """Drop what is left of a job, and ask how the printer is."""
        await self._open().ask(Command.ABORT)
        return await super().reset(request, run)

    def masker(self) -> Masker:
        """What is on a receipt is kept out of recordings."""
        return FrameMasker(LONGEST_COMMAND, sent=Command.TEXT.value + Command.GRAPHIC.value)

    async def _ready(self, step: str) -> Status:
        status = await self._ask_status()
        if reason := blocking(status.bits):
            raise DeviceFault(
                reason, step=step, expected="a printer that is ready", effect=error_pb2.PHYSICAL_EFFECT_NONE
            )
        return status

    async def _ask_status(self) -> Status:
        return Status.parse(await self._open().ask(Command.STATUS))

    def _open(self) -> Session:
        assert self._session is not None, "connect comes first"
        return self._session
