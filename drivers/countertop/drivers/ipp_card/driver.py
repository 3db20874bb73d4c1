"""Driverless card printers: a card is a job of two pages on a medium of the size of an ID-1 card."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from countertop.drivers.ipp_card.jobs import RASTER, Jobs
from countertop.drivers.ipp_card.link import IppLink
from countertop.drivers.ipp_card.options import IppCardOptions
from countertop.drivers.ipp_card.pages import card_document
from countertop.drivers.ipp_card.states import conditions, media_name, reason_words, ribbon, values
from countertop.sdk import DeviceFault, LinkUrl, Options, Run, Settlement, Unsettled
from countertop.sdk.cards import CardSight, OnePassCard, OnePassPrinter
from countertop.sdk.links import open_link
from countertop.v1 import card_pb2, card_printer_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import CardReport, CardUnit

__all__ = ["IppCardOptions", "IppCardPrinter"]

WIDTH_MM, HEIGHT_MM, MM_PER_INCH = 85.60, 53.98, 25.4
DPI_UNIT = 3
"""Of a resolution: dots per inch."""
_PRINTER = [
    "printer-make-and-model", "printer-name", "printer-info", "printer-uuid", "printer-firmware-string-version",
    "printer-state", "printer-state-reasons", "printer-is-accepting-jobs",
    "media-supported", "media-ready", "sides-supported", "color-supported", "document-format-supported",
    "pwg-raster-document-resolution-supported", "pwg-raster-document-sheet-back", "marker-names", "marker-levels",
]  # fmt: skip


class IppCardPrinter(OnePassPrinter):
    """Prints cards over IPP Everywhere: picture only, no stripe, no chip; the card lands in the output hopper."""

    name = "ipp-card"
    links = (IppLink,)
    options_type = IppCardOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = cast("IppCardOptions", options)
        self._open_link: IppLink | None = None
        self._printer: dict[str, Any] = {}
        self._job_name = ""

    @property
    def _link(self) -> IppLink:
        assert self._open_link is not None, "connected"
        return self._open_link

    @property
    def _dpi(self) -> int:
        found = [
            item[0]
            for item in _resolutions(self._printer)
            if len(item) == 3 and item[0] == item[1] and item[2] == DPI_UNIT
        ]
        return 300 if 300 in found or not found else min(found, key=lambda dpi: abs(dpi - 300))

    @property
    def capabilities(self) -> device_pb2.CardPrinterCapabilities:
        """As its attributes say."""
        color = self._printer.get("color-supported") is True
        return device_pb2.CardPrinterCapabilities(
            width=round(WIDTH_MM / MM_PER_INCH * self._dpi),
            height=round(HEIGHT_MM / MM_PER_INCH * self._dpi),
            dpi=self._dpi,
            color=color,
            black=not color,
            duplex="two-sided-long-edge" in values(self._printer, "sides-supported"),
            one_pass=True,
            units=[
                CardUnit(name="feeder", kind=card_pb2.CARD_UNIT_KIND_SUPPLY),
                CardUnit(name="output", kind=card_pb2.CARD_UNIT_KIND_OUTPUT),
            ],
        )

    async def connect(self) -> device_pb2.DeviceInfo:
        """Ask for its attributes. Raises DeviceFault(WRONG_DEVICE) for a printer that takes no cards."""
        self._open_link = await open_link(self.url, allowed=(IppLink,))
        await self._attributes()
        formats = [str(found) for found in values(self._printer, "document-format-supported")]
        if not media_name(self._printer):
            raise DeviceFault(
                error_pb2.REASON_WRONG_DEVICE,
                "The printer has no medium of the size of a card.",
                step="connect",
                expected="a medium of 53.98 x 85.6 mm",
                got=reason_words(values(self._printer, "media-supported")),
            )
        if RASTER not in formats:
            raise DeviceFault(
                error_pb2.REASON_WRONG_DEVICE, step="connect", expected=RASTER, got=", ".join(formats)[:200]
            )
        model = self._printer.get("printer-make-and-model") or self._printer.get("printer-name") or "IPP printer"
        return device_pb2.DeviceInfo(
            vendor="IPP Everywhere",
            model=str(model)[:128],
            serial=str(self._printer.get("printer-uuid", "")).removeprefix("urn:uuid:"),
            firmware=str(self._printer.get("printer-firmware-string-version", ""))[:64],
            card_printer=self.capabilities,
        )

    async def disconnect(self) -> None:
        """Close the link."""
        if self._open_link is not None:
            await self._open_link.close()

    async def look(self) -> CardSight:
        """State, reasons, markers. Where a card is it does not tell."""
        await self._attributes()
        units = self.capabilities.units
        words = values(self._printer, "printer-state-reasons")
        if any(str(word).startswith("media-empty") for word in words):
            units[0].sensed = card_pb2.CARD_UNIT_LEVEL_EMPTY
        return CardSight(
            card_pb2.CARD_PLACE_UNSPECIFIED, conditions(self._printer), ribbon(self._printer), tuple(units)
        )

    async def _attributes(self) -> dict[str, Any]:
        """Ask for them anew, and keep them."""
        from pyipp.enums import IppOperation

        answer = await self._link.ask(IppOperation.GET_PRINTER_ATTRIBUTES, {"requested-attributes": _PRINTER})
        self._printer = next(iter(answer["printers"]), {})
        return self._printer

    # --- a card ----------------------------------------------------------------------------------------------------

    async def issue_card(
        self, request: card_printer_pb2.IssueCardRequest, run: Run
    ) -> card_printer_pb2.IssueCardResult:
        """The job bears the operation's id, so that it is found after a crash."""
        self._job_name = _name(run.operation_id)
        return await super().issue_card(request, run)

    async def make_in_one_pass(self, card: OnePassCard) -> None:
        """Print a job of one or two pages, and wait for it."""
        image, printer = card.image, self._printer
        data = await asyncio.to_thread(card_document, image, printer, rotation=self._options.rotation, dpi=self._dpi)
        two_sided = image is not None and image.back is not None
        jobs = Jobs(self._link, self._attributes)
        job = await jobs.start(self._job_name, data, media=media_name(printer), two_sided=two_sided)
        await jobs.wait(job, self._options.print_seconds, self._options.mend_seconds)

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        """The printer remembers its jobs: look for the one that bears the operation's id."""
        jobs = Jobs(self._link, self._attributes)
        job = await jobs.find(_name(unsettled.operation.id))
        unknown = error_pb2.PHYSICAL_EFFECT_UNKNOWN
        if job is None:
            return Settlement(unknown, "The printer does not know the card's job; look in its output.")
        try:
            await jobs.wait(job, self._options.print_seconds, self._options.mend_seconds)
        except DeviceFault as fault:
            return Settlement(fault.effect or unknown, f"The card's job did not complete ({fault.got}).")
        report = CardReport(place=card_pb2.CARD_PLACE_OUTPUT, fed=True, front=card_pb2.CARD_WORK_DONE)
        self.moved(card_pb2.CARD_MOVEMENT_FED, card_pb2.CARD_PLACE_TRANSPORT, unsettled.operation.id)
        self.moved(card_pb2.CARD_MOVEMENT_EJECTED, card_pb2.CARD_PLACE_OUTPUT, unsettled.operation.id)
        result = card_printer_pb2.IssueCardResult(card=report)
        return Settlement(error_pb2.PHYSICAL_EFFECT_COMPLETE, "The printer has completed the job.", result, report)


def _name(operation_id: str) -> str:
    return f"countertop {operation_id}"


def _resolutions(printer: dict[str, Any]) -> list[tuple[int, ...]]:
    """One resolution comes as a tuple of numbers, several as a list of such."""
    found = printer.get("pwg-raster-document-resolution-supported")
    if isinstance(found, tuple):
        return [found]
    return [item for item in found if isinstance(item, tuple)] if isinstance(found, list) else []
