"""The driver for receipt printers that speak ESC/POS."""

from __future__ import annotations

from typing import ClassVar, cast

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.connected import Connected
from countertop.drivers.escpos.drawer import open_drawer
from countertop.drivers.escpos.health import check_health
from countertop.drivers.escpos.masking import EscPosMasker
from countertop.drivers.escpos.options import EscPosOptions
from countertop.drivers.escpos.printing import Printing
from countertop.drivers.escpos.reconcile import settle
from countertop.sdk.device import Options, ReceiptPrinter, Run, Settlement, Unsettled
from countertop.sdk.links import LinkUrl, SerialLink, TcpLink, UsbBulkLink
from countertop.v1 import device_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceStatus
from countertop.v1.receipt_printer_pb2 import OpenDrawerRequest, OpenDrawerResult, PrintRequest, PrintResult

__all__ = ["EscPosPrinter"]


class EscPosPrinter(ReceiptPrinter):
    """A receipt printer that speaks ESC/POS, over a serial port, TCP or USB."""

    name = "escpos"
    links = (SerialLink, TcpLink, UsbBulkLink)
    options_type: ClassVar[type[Options]] = EscPosOptions

    def __init__(self, url: LinkUrl, options: Options):
        super().__init__(url, options)
        self._options = cast("EscPosOptions", options)
        self._connected: Connected | None = None
        self._open_printing: Printing | None = None

    @property
    def _printer(self) -> Connected:
        assert self._connected is not None, "connected"
        return self._connected

    @property
    def _printing(self) -> Printing:
        assert self._open_printing is not None, "connected"
        return self._open_printing

    def masker(self) -> EscPosMasker:
        """Whatever the printer, the link and the options are."""
        return EscPosMasker()

    async def connect(self) -> DeviceInfo:
        """Open the link and identify the printer. A printer that does not know GS I is taken for a generic one.

        Raises LinkFault(DEVICE_OFFLINE), and NoAnswer for a printer that answers nothing at all, unless `confirm` is
        "written".
        """
        link = await self.open_link()
        self._connected = Connected(link, self.url.text, self._options, lambda status: self.report(status))
        self._open_printing = Printing(self._connected)
        try:
            await self._connected.identify()
        except BaseException:
            await self.disconnect()
            raise
        return self._device_info()

    async def disconnect(self) -> None:
        """End the reader and close the link."""
        if self._connected is not None:
            await self._connected.session.close()

    def _device_info(self) -> DeviceInfo:
        identity = self._printer.identity
        profile = identity.profile
        capabilities = device_pb2.ReceiptPrinterCapabilities(
            width_dots=profile.width_dots,
            columns=profile.paper.columns,
            dpi=profile.dpi,
            cutter=profile.cutter != "none",
            drawer=profile.drawer,
            chinese_text=bool(profile.kanji),
            confirmation=self._printer.manner.confirmation,
            profile=profile.name,
        )
        return DeviceInfo(
            vendor=identity.vendor,
            model=identity.model,
            serial=identity.serial,
            firmware=identity.firmware,
            receipt_printer=capabilities,
        )

    async def status(self) -> DeviceStatus:
        """Ask with DLE EOT 1 to 4, one after the other. Raises NoAnswer, LinkFault."""
        return await self._printer.status()

    async def reset(self, request: device_pb2.ResetDeviceRequest, run: Run) -> device_pb2.ResetDeviceResult:
        """Drop what the printer holds, recover from a cutter error whose cause is gone, ask how it is."""
        printer = self._printer
        await printer.drop_rest()
        await printer.session.send(protocol.INITIALIZE + protocol.AUTOMATIC_STATUS_ON, self._options.answer_seconds)
        return device_pb2.ResetDeviceResult(status=await printer.status())

    async def check_health(self, request: device_pb2.CheckHealthRequest, run: Run) -> device_pb2.CheckHealthResult:
        """INTERNAL asks for the status; EXTERNAL prints a short test slip; INTERACTIVE has a person open and close the
        cover, and watches the sensor.
        """
        return await check_health(self._printer, self._printing, request, run)

    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        """Print a receipt.

        Raises DeviceFault with effect NONE when the printer is not ready; PARTIAL, naming the block reached, when it
        stops half-way; UNKNOWN when the link is lost or the printer cannot tell. InvalidRequest for a document that
        cannot be laid out.
        """
        return await self._printing.print(request, run)

    async def open_drawer(self, request: OpenDrawerRequest, run: Run) -> OpenDrawerResult:
        """Give the pulse, and look at the drawer's switch before and after."""
        return await open_drawer(self._printer, request, run)

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        """Ask the printer what became of a print. Raises NoAnswer, LinkFault while it is not ready to tell."""
        return await settle(self._printer, unsettled)
