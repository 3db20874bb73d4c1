"""Magicard card printers."""

from __future__ import annotations

import asyncio
import time
from typing import cast

from countertop.drivers.magicard.job import Look, Side, TrackData, encode_only, job, too_many_holes
from countertop.drivers.magicard.masking import MagicardMasker
from countertop.drivers.magicard.models import MODELS, Model
from countertop.drivers.magicard.options import REASON_NAMES, MagicardOptions
from countertop.drivers.magicard.protocol import GOOD, NOT_FED, REASONS
from countertop.drivers.magicard.session import Port, Session
from countertop.sdk import ByteLink, DeviceFault, LinkUrl, NoAnswer, Options, Settlement, Unsettled
from countertop.sdk.cards import CardImage, CardSight, OnePassCard, OnePassPrinter, Planes
from countertop.sdk.cards.printer import condition
from countertop.sdk.links import TcpLink, UsbBulkLink, UsbIpBulkLink
from countertop.v1 import card_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import CardUnit, StripeData

__all__ = ["MagicardPrinter"]

DPI, LEVELS = 300, 64
POLL_SECONDS = 0.5
"""Between two looks while a card is made; the vendor's monitor looks every 2 s."""
SEND_SECONDS = 60.0
"""For a job of 4 MB; at USB full speed 2 MB took 2 s in the capture."""
_NOWHERE = card_pb2.CARD_PLACE_UNSPECIFIED


class MagicardPrinter(OnePassPrinter):
    """Makes each card by one job: drawn in, written, printed, put into the hopper. Where a card is it does not tell."""

    name = "magicard"
    links = (TcpLink, UsbBulkLink, UsbIpBulkLink)
    options_type = MagicardOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = given = cast("MagicardOptions", options)
        self._model: Model = MODELS[given.model]
        self._look = Look(
            width=given.width or self._model.width,
            height=given.height or self._model.height,
            head=given.head or self._model.head,
            position=given.head_position,
            language=given.language,
            icc=self._model.icc if given.icc is None else given.icc,
            power_color=given.power_color,
            power_black=given.power_black,
            power_overlay=given.power_overlay,
        )
        self._reasons = REASONS | {number: REASON_NAMES[name] for number, name in given.errors.items()}
        self._link: ByteLink | None = None
        self._open_session: Session | None = None

    @property
    def _session(self) -> Session:
        assert self._open_session is not None, "connected"
        return self._open_session

    @property
    def _duplex(self) -> bool:
        return self._model.duplex if self._options.duplex is None else self._options.duplex

    @property
    def capabilities(self) -> device_pb2.CardPrinterCapabilities:
        """By model and options; the printer is not known to tell."""
        ribbon = self._options.ribbon
        return device_pb2.CardPrinterCapabilities(
            width=self._look.width,
            height=self._look.height,
            dpi=DPI,
            color="Y" in ribbon,
            black="K" in ribbon,
            overlay="O" in ribbon,
            levels=LEVELS,
            duplex=self._duplex,
            tracks=(1, 2, 3) if self._options.stripe else (),
            stripe_verified=self._options.stripe and self._options.verify,
            one_pass=True,
            units=_units(),
        )

    def masker(self) -> MagicardMasker:
        """Whatever the model and the options are."""
        return MagicardMasker()

    async def connect(self) -> device_pb2.DeviceInfo:
        """Open the link, and end a job that a host before has left half-sent."""
        self._link = await self.open_link()
        self._open_session = Session(self._link, self._options.answer_seconds)
        await self._session.wake()
        return device_pb2.DeviceInfo(vendor="Magicard", model=self._model.name, card_printer=self.capabilities)

    async def disconnect(self) -> None:
        """Close the link."""
        if self._link is not None:
            await self._link.close()

    async def look(self) -> CardSight:
        """The error that stands. A printer that works is not asked."""
        port = await self._session.port()
        number = await self._session.error() if port in (Port.ERROR, Port.UNTOLD) else GOOD
        stands = number != GOOD or port is Port.ERROR
        found = (condition(self._reason(number), device_pb2.SEVERITY_BLOCKING),) if stands else ()
        return CardSight(_NOWHERE, conditions=found, units=tuple(_units(empty=number == NOT_FED)))

    async def clear(self) -> None:
        """Drop the job that an error holds up."""
        if await self._session.error() != GOOD:
            await self._session.tell("CAN")
            await self._session.error(self._options.print_seconds)

    def _reason(self, number: str) -> error_pb2.Reason:
        return self._reasons.get(number, error_pb2.REASON_PRINTER_FAULT)

    # --- a card ----------------------------------------------------------------------------------------------------

    async def make_in_one_pass(self, card: OnePassCard) -> None:
        """Send a job, and wait until the printer is ready again. An error's job is dropped, so that nothing is printed
        later, when it is mended.
        """
        data = await asyncio.to_thread(self._job, card)
        await self._session.send(data, "send the job", SEND_SECONDS)
        number = await self._finished()
        if number != GOOD:
            raise await self._failed(number)

    def _job(self, card: OnePassCard) -> bytes:
        """Raises DeviceFault(NOT_SUPPORTED) for an overlay with more than two holes, and for a card without work."""
        options, now = self._options, int(time.time())
        tracks = _tracks(card.stripe, high=card.coercivity != card_pb2.COERCIVITY_LOW)
        front, back = self._sides(card.image)
        if front is None and not tracks:
            raise _refused("The card has neither a picture nor a stripe, so that there is no job for the printer.")
        if front is None:
            return encode_only(self._look, tracks, verify=options.verify, now=now, counted=options.encode_only)
        if any(side is not None and too_many_holes(side) for side in (front, back)):
            raise _refused("The printer leaves at most two rectangles of a side without overlay.")
        return job(self._look, front, back, tracks, verify=options.verify, now=now, duplex=self._duplex)

    def _sides(self, image: CardImage | None) -> tuple[Side | None, Side | None]:
        if image is None or (image.front is None and image.back is None):
            return None, None
        front = Side() if image.front is None else _side(image.front, turned=self._options.turned)
        back = None if image.back is None else _side(image.back, turned=self._options.turned_back)
        return front, back

    async def _finished(self, *, begun: bool = False) -> str:
        """Wait until the printer has done what it was sent; the error that stands then. Raises NoAnswer.

        Over USB it is done when it is ready after it was busy; `begun` says that it was. An error that is gone when it
        is asked for was mended by somebody: the printer goes on.
        """
        options, now = self._options, asyncio.get_running_loop().time
        sent = now()
        while now() - sent < options.print_seconds:
            port = await self._session.port()
            if port in (Port.ERROR, Port.UNTOLD):
                number = await self._session.error(options.print_seconds)
                if number != GOOD or (port is Port.UNTOLD and now() - sent >= options.card_seconds):
                    return number
            elif port is Port.READY and (begun or now() - sent >= options.start_seconds):
                return GOOD
            begun = begun or port in (Port.BUSY, Port.ERROR)
            await asyncio.sleep(POLL_SECONDS)
        raise NoAnswer("print", options.print_seconds)

    async def _failed(self, number: str) -> DeviceFault:
        """Nothing has happened when the card was not drawn in and the job is gone; else it may lie anywhere."""
        gone = await self._drop()
        untouched = number == NOT_FED and gone
        effect = error_pb2.PHYSICAL_EFFECT_NONE if untouched else error_pb2.PHYSICAL_EFFECT_UNKNOWN
        return DeviceFault(self._reason(number), step="print", expected=GOOD, got=f"error {number}", effect=effect)

    async def _drop(self) -> bool:
        """Drop the job; False when the error still stands, so that the job may do so too."""
        await self._session.tell("CAN")
        return await self._session.error(self._options.print_seconds) == GOOD

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        """The printer remembers no job. An error that stands is the job's; its job is dropped. A card that was not
        drawn in is known; any other must be looked for.
        """
        number = await self._finished(begun=True)
        if number != GOOD:
            gone = await self._drop()
            if number == NOT_FED and gone and unsettled.verb == "issue_card":
                message = "The printer had not drawn in a card; its job was dropped."
                return Settlement(error_pb2.PHYSICAL_EFFECT_NONE, message)
        return await super().reconcile(unsettled)


def _refused(message: str) -> DeviceFault:
    """Nothing was sent."""
    effect = error_pb2.PHYSICAL_EFFECT_NONE
    return DeviceFault(error_pb2.REASON_NOT_SUPPORTED, message, step="draw", effect=effect)


def _units(*, empty: bool = False) -> list[CardUnit]:
    """A feeder, of which is known only that a card was not drawn in, and a hopper without a sensor."""
    sensed = card_pb2.CARD_UNIT_LEVEL_EMPTY if empty else card_pb2.CARD_UNIT_LEVEL_UNSPECIFIED
    return [
        CardUnit(name="feeder", kind=card_pb2.CARD_UNIT_KIND_SUPPLY, sensed=sensed),
        CardUnit(name="output", kind=card_pb2.CARD_UNIT_KIND_OUTPUT),
    ]


def _tracks(stripe: StripeData | None, *, high: bool) -> list[TrackData]:
    from countertop.sdk.cards.stripe import TRACKS, track_texts, with_sentinels

    texts = {} if stripe is None else track_texts(stripe)
    return [
        TrackData(number, TRACKS[number].bits_per_inch, TRACKS[number].bits, with_sentinels(number, text), high)
        for number, text in texts.items()
    ]


def _side(planes: Planes, *, turned: bool) -> Side:
    step = -1 if turned else 1
    given = (planes.rgb, planes.black, planes.overlay)
    return Side(*(None if plane is None else plane[::step, ::step] for plane in given))
