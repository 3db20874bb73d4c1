"""The driver: shows Countertop the printer as a `CardPrinter`, by its primitives. What a card is lies in the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import cast

from countertop.sdk import CardPrinter, CardSight, CountertopError, LinkUrl, Options, SerialLink, TcpLink
from countertop.sdk.cards import CardImage
from countertop.sdk.trace import Masker
from countertop.v1 import card_pb2, card_printer_pb2, error_pb2
from countertop.v1.card_pb2 import CardPlace, Coercivity, StripeData
from countertop.v1.device_pb2 import CardPrinterCapabilities, DeviceInfo
from pydantic import Field

from acme.masking import FrameMasker
from acme.protocol import LONGEST, PLACES, REFUSALS, Command, Status, parse_identity, parse_track
from acme.session import Session
from acme.sight import to_sight, units

__all__ = ["AcmeCardPrinter", "AcmeOptions"]

LONGEST_COMMAND = 65536
HELLO_SECONDS = 3.0
"""A printer that is still busy with what a host before has asked for answers when that is done."""
_NUMBERS = {place: number for number, place in PLACES.items()}


class AcmeOptions(Options):
    """Options of the printer, checked when the configuration is read."""

    answer_seconds: float = Field(default=0.5, ge=0.05, le=10)
    """How long the printer may take for an answer."""
    move_seconds: float = Field(default=5.0, ge=0.5, le=60)
    """How long it may take to move a card, or to write or read a track."""
    print_seconds: float = Field(default=60.0, ge=5, le=600)
    """How long it may take to print a card."""


class AcmeCardPrinter(CardPrinter):
    """A printer with a feeder, a print head, an encoder, an exit and a bin."""

    name = "acme"
    links = (TcpLink, SerialLink)
    options_type = AcmeOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = cast("AcmeOptions", options)
        self._session: Session | None = None
        self._ribbon = ""

    @property
    def capabilities(self) -> CardPrinterCapabilities:
        """What it can do with the ribbon that is in it."""
        return CardPrinterCapabilities(
            width=1016,
            height=648,
            dpi=300,
            color=set("YMC") <= set(self._ribbon),
            black="K" in self._ribbon,
            overlay="O" in self._ribbon,
            levels=256,
            duplex=True,
            tracks=(1, 2, 3),
            stripe_verified=True,
            exit=True,
            accepts=True,
            locates=True,
            units=units(),
        )

    async def connect(self) -> DeviceInfo:
        """Open the link, ask who is there, and look at the ribbon. Raises LinkFault, NoAnswer, ProtocolFault."""
        link = await self.open_link(baud="115200")
        self._session = session = Session(link, LONGEST, REFUSALS, self._options.answer_seconds)
        try:
            session.forget()
            identity = parse_identity(await session.ask(Command.HELLO, seconds=HELLO_SECONDS))
            await self.look()
        except BaseException:
            await self.disconnect()
            raise
        return DeviceInfo(
            vendor="Acme",
            model=identity.model,
            serial=identity.serial,
            firmware=identity.firmware,
            card_printer=self.capabilities,
        )

    async def disconnect(self) -> None:
        """Close the link."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def look(self) -> CardSight:
        """Sensors and counters. Raises NoAnswer, LinkFault."""
        status = Status.parse(await self._open().ask(Command.STATUS))
        self._ribbon = status.ribbon
        return to_sight(status)

    async def clear(self) -> None:
        """Drop the panels that were loaded."""
        await self._open().ask(Command.CLEAR)

    async def feed(self, supply: str) -> None:
        """From the feeder to the print head."""
        await self._open().ask(Command.FEED, seconds=self._options.move_seconds)

    async def move(self, place: CardPlace) -> None:
        """To the print head, the exit or the bin; a card at the exit is taken in first."""
        if place not in (card_pb2.CARD_PLACE_PRINT, card_pb2.CARD_PLACE_EXIT, card_pb2.CARD_PLACE_RETAIN_BIN):
            name = CardPlace.Name(place).removeprefix("CARD_PLACE_")
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, f"The printer cannot move a card to {name}.")
        await self._open().ask(Command.MOVE, bytes([_NUMBERS[place]]), seconds=self._options.move_seconds)

    async def accept(self) -> bool:
        """From the exit to the print head."""
        return await self._open().ask(Command.TAKE_IN, seconds=self._options.move_seconds) == b"\x01"

    async def write_stripe(self, stripe: StripeData, coercivity: Coercivity) -> None:
        """Track by track; the printer adds sentinels and LRC."""
        low = coercivity == card_pb2.COERCIVITY_LOW
        for number, text in enumerate((stripe.track1, stripe.track2, stripe.track3), 1):
            if text:
                data = bytes([not low, number]) + text.encode("ascii")
                await self._open().ask(Command.WRITE_STRIPE, data, seconds=self._options.move_seconds)

    async def read_stripe_tracks(self, tracks: Collection[int]) -> card_printer_pb2.ReadStripeResult:
        """Track by track."""
        result = card_printer_pb2.ReadStripeResult(states=[card_printer_pb2.TRACK_STATE_UNSPECIFIED] * 3)
        for number in sorted(tracks):
            payload = await self._open().ask(Command.READ_STRIPE, bytes([number]), seconds=self._options.move_seconds)
            result.states[number - 1], text = parse_track(payload)
            setattr(result.stripe, f"track{number}", text)
        return result

    async def print_card(self, image: CardImage) -> None:
        """Load the panels, then print them."""
        from acme.panels import panel_commands  # numpy: needed for a card only

        session = self._open()
        await session.ask(Command.CLEAR)
        for payload in await asyncio.to_thread(panel_commands, image, self._ribbon):
            await session.ask(Command.PANEL, payload, seconds=self._options.move_seconds)
        await session.ask(Command.PRINT, seconds=self._options.print_seconds)

    def masker(self) -> Masker:
        """Stripes and pictures are kept out of recordings."""
        sent = Command.WRITE_STRIPE.value + Command.PANEL.value
        return FrameMasker(LONGEST_COMMAND, sent=sent, received=Command.READ_STRIPE.value)

    def _open(self) -> Session:
        assert self._session is not None, "connect comes first"
        return self._session
