"""Driverless card printers: a card is a job of two pages on a medium of the size of an ID-1 card."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Literal, cast

from pydantic import Field

from countertop.drivers.ipp_card.link import IppLink
from countertop.drivers.ipp_card.raster import document
from countertop.drivers.ipp_card.states import blocking, conditions, likely, media_name, reason_words, ribbon, values
from countertop.sdk import CountertopError, DeviceFault, LinkUrl, Options, Run, Settlement, Unsettled
from countertop.sdk.cards import CardImage, CardPrinter, CardSight, OnePassCard, Planes
from countertop.sdk.links import open_link
from countertop.v1 import card_pb2, card_printer_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import CardPlace, CardReport, CardUnit, Coercivity, StripeData

__all__ = ["IppCardOptions", "IppCardPrinter"]

WIDTH_MM, HEIGHT_MM, MM_PER_INCH = 85.60, 53.98, 25.4
RASTER = "image/pwg-raster"
LOOK_SECONDS = 0.5
DPI_UNIT = 3
"""Of a resolution: dots per inch."""
PROCESSING, STOPPED, CANCELED, ABORTED, COMPLETED = 5, 6, 7, 8, 9
_PRINTER = [
    "printer-make-and-model", "printer-name", "printer-info", "printer-uuid", "printer-firmware-string-version",
    "printer-state", "printer-state-reasons", "printer-is-accepting-jobs",
    "media-supported", "media-ready", "sides-supported", "color-supported", "document-format-supported",
    "pwg-raster-document-resolution-supported", "pwg-raster-document-sheet-back", "marker-names", "marker-levels",
]  # fmt: skip
_JOB = ["job-id", "job-name", "job-state", "job-state-reasons", "job-impressions-completed"]


class IppCardOptions(Options):
    """Options of a driverless printer."""

    rotation: Literal[90, 270] = 90
    """By which the card, which we draw lying, is turned clockwise into the page, which stands."""
    print_seconds: float = Field(default=120.0, ge=5, le=600)
    """How long a card may take."""
    mend_seconds: float = Field(default=10.0, ge=0, le=600)
    """How long a job that is held up (no cards, a jam) may wait for somebody before it is cancelled."""


class IppCardPrinter(CardPrinter):
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
        self._printer = await self._attributes()
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
        self._printer = await self._attributes()
        units = self.capabilities.units
        words = values(self._printer, "printer-state-reasons")
        if any(str(word).startswith("media-empty") for word in words):
            units[0].sensed = card_pb2.CARD_UNIT_LEVEL_EMPTY
        return CardSight(
            card_pb2.CARD_PLACE_UNSPECIFIED, conditions(self._printer), ribbon(self._printer), tuple(units)
        )

    async def _attributes(self) -> dict[str, Any]:
        from pyipp.enums import IppOperation

        answer = await self._link.ask(IppOperation.GET_PRINTER_ATTRIBUTES, {"requested-attributes": _PRINTER})
        return next(iter(answer["printers"]), {})

    # --- a card ----------------------------------------------------------------------------------------------------

    async def issue_card(
        self, request: card_printer_pb2.IssueCardRequest, run: Run
    ) -> card_printer_pb2.IssueCardResult:
        """The job bears the operation's id, so that it is found after a crash."""
        self._job_name = _name(run.operation_id)
        return await super().issue_card(request, run)

    async def make_in_one_pass(self, card: OnePassCard) -> None:
        """Print a job of one or two pages, and wait for it."""
        from pyipp.enums import IppOperation

        data = await asyncio.to_thread(self._document, card.image)
        two_sided = card.image is not None and card.image.back is not None
        answer = await self._link.ask(
            IppOperation.PRINT_JOB,
            {"job-name": self._job_name, "document-format": RASTER},
            {
                "media": media_name(self._printer),
                "sides": "two-sided-long-edge" if two_sided else "one-sided",
            },
            data,
        )
        await self._wait(next(iter(answer["jobs"]), {}))

    def _document(self, image: CardImage | None) -> bytes:
        import numpy as np

        turns = -self._options.rotation // 90
        sides = [image.front, image.back] if image is not None else []
        pages = [np.ascontiguousarray(np.rot90(_flat(side), turns)) for side in sides if side is not None]
        if sides and sides[0] is None:
            pages.insert(0, np.full_like(pages[0], 255))
        if len(pages) == 2:
            pages[1] = _for_back(pages[1], str(self._printer.get("pwg-raster-document-sheet-back", "normal")))
        return document(pages, dpi=self._dpi, two_sided=len(pages) == 2, size_name=media_name(self._printer))

    async def _wait(self, job: dict[str, Any]) -> None:
        """Until the job has ended; one that is held up is cancelled after a while. Raises DeviceFault."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._options.print_seconds
        held_since: float | None = None
        while job.get("job-state") not in (CANCELED, ABORTED, COMPLETED):
            await asyncio.sleep(LOOK_SECONDS)
            job = await self._job(job["job-id"])
            self._printer = await self._attributes()
            words = [*values(job, "job-state-reasons"), *values(self._printer, "printer-state-reasons")]
            held = blocking(words) is not None or job.get("job-state") == STOPPED
            held_since = (held_since or loop.time()) if held else None
            too_long = held_since is not None and loop.time() - held_since > self._options.mend_seconds
            if too_long or loop.time() > until:
                await self._cancel(job)
                raise self._failed(job, likely(words) or error_pb2.REASON_DEVICE_TIMEOUT, words)
        if job["job-state"] != COMPLETED:
            words = values(job, "job-state-reasons")
            raise self._failed(job, likely(words) or error_pb2.REASON_PRINTER_FAULT, words)

    @staticmethod
    def _failed(job: dict[str, Any], reason: error_pb2.Reason, words: list[Any]) -> DeviceFault:
        """A card that was never fed has done nothing; any other may lie anywhere in the printer."""
        printed = job.get("job-impressions-completed")
        untouched = reason == error_pb2.REASON_CARDS_OUT and not printed
        effect = error_pb2.PHYSICAL_EFFECT_NONE if untouched else error_pb2.PHYSICAL_EFFECT_UNKNOWN
        return DeviceFault(reason, step="print-job", expected="completed", got=reason_words(words), effect=effect)

    async def _job(self, job_id: int) -> dict[str, Any]:
        from pyipp.enums import IppOperation

        answer = await self._link.ask(IppOperation.GET_JOB_ATTRIBUTES, {"job-id": job_id, "requested-attributes": _JOB})
        return next(iter(answer["jobs"]), {}) | {"job-id": job_id}

    async def _cancel(self, job: dict[str, Any]) -> None:
        """So that nothing is printed when it is mended. A job that ends at that moment is as it is."""
        from pyipp.enums import IppOperation

        try:
            await self._link.ask(IppOperation.CANCEL_JOB, {"job-id": job["job-id"]})
        except DeviceFault as fault:
            if fault.reason != error_pb2.REASON_PRINTER_FAULT:
                raise

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        """The printer remembers its jobs: look for the one that bears the operation's id."""
        job = await self._find(_name(unsettled.operation.id))
        unknown = error_pb2.PHYSICAL_EFFECT_UNKNOWN
        if job is None:
            return Settlement(unknown, "The printer does not know the card's job; look in its output.")
        try:
            await self._wait(job)
        except DeviceFault as fault:
            return Settlement(fault.effect or unknown, f"The card's job did not complete ({fault.got}).")
        report = CardReport(place=card_pb2.CARD_PLACE_OUTPUT, fed=True, front=card_pb2.CARD_WORK_DONE)
        self.moved(card_pb2.CARD_MOVEMENT_FED, card_pb2.CARD_PLACE_TRANSPORT, unsettled.operation.id)
        self.moved(card_pb2.CARD_MOVEMENT_EJECTED, card_pb2.CARD_PLACE_OUTPUT, unsettled.operation.id)
        result = card_printer_pb2.IssueCardResult(card=report)
        return Settlement(error_pb2.PHYSICAL_EFFECT_COMPLETE, "The printer has completed the job.", result, report)

    async def _find(self, name: str) -> dict[str, Any] | None:
        from pyipp.enums import IppOperation

        for which in ("not-completed", "completed"):
            answer = await self._link.ask(
                IppOperation.GET_JOBS, {"which-jobs": which, "limit": 100, "requested-attributes": _JOB}
            )
            for job in answer["jobs"]:
                if job.get("job-name") == name:
                    return dict(job)
        return None

    # --- what it cannot do -----------------------------------------------------------------------------------------

    async def feed(self, supply: str) -> None:
        """Not over IPP."""
        raise _not_over_ipp("feed a card by itself")

    async def move(self, place: CardPlace) -> None:
        """Not over IPP."""
        raise _not_over_ipp("move a card")

    async def accept(self) -> bool:
        """Not over IPP."""
        raise _not_over_ipp("take a card in")

    async def write_stripe(self, stripe: StripeData, coercivity: Coercivity) -> None:
        """Not over IPP."""
        raise _not_over_ipp("write a stripe")

    async def read_stripe_tracks(self, tracks: Collection[int]) -> card_printer_pb2.ReadStripeResult:
        """Not over IPP."""
        raise _not_over_ipp("read a stripe")

    async def print_card(self, image: CardImage) -> None:
        """Not by itself."""
        raise _not_over_ipp("print a card that is inside")


def _not_over_ipp(what: str) -> CountertopError:
    return CountertopError(error_pb2.REASON_NOT_SUPPORTED, f"An IPP printer cannot {what}.")


def _name(operation_id: str) -> str:
    return f"countertop {operation_id}"


def _resolutions(printer: dict[str, Any]) -> list[tuple[int, ...]]:
    """One resolution comes as a tuple of numbers, several as a list of such."""
    found = printer.get("pwg-raster-document-resolution-supported")
    if isinstance(found, tuple):
        return [found]
    return [item for item in found if isinstance(item, tuple)] if isinstance(found, list) else []


def _flat(planes: Planes) -> Any:
    """The planes as one picture: colours with black on top, or grey."""
    import numpy as np

    if planes.rgb is None:
        assert planes.black is not None, "drawn for this printer"
        return np.where(planes.black, 0, 255).astype(np.uint8)
    flat = planes.rgb.copy()
    if planes.black is not None:
        flat[planes.black] = 0
    return flat


def _for_back(page: Any, sheet_back: str) -> Any:
    """The back as the printer wants it (PWG 5102.4, table 5; two-sided, long edge)."""
    import numpy as np

    if sheet_back == "rotated":
        return np.ascontiguousarray(page[::-1, ::-1])
    return np.ascontiguousarray(page[::-1]) if sheet_back == "flipped" else page
