"""Evolis card printers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, cast

from countertop.drivers.evolis.bitmaps import panels_of_sides
from countertop.drivers.evolis.masking import EvolisMasker
from countertop.drivers.evolis.models import UNKNOWN, Model, model_of
from countertop.drivers.evolis.options import EvolisOptions
from countertop.drivers.evolis.panels import panels_of
from countertop.drivers.evolis.protocol import reason_of
from countertop.drivers.evolis.session import MOVE, Session
from countertop.drivers.evolis.status import Ribbon, Watcher, units_of
from countertop.drivers.evolis.stripe import read_tracks, write_tracks
from countertop.drivers.evolis.waking import HOST_MODE, wake
from countertop.sdk import ByteLink, CountertopError, DeviceFault, LinkUrl, Options
from countertop.sdk.cards import CardImage, CardPrinter, CardSight
from countertop.sdk.links import TcpLink, UsbBulkLink, UsbIpBulkLink
from countertop.v1 import card_pb2, card_printer_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import CardPlace, Coercivity, StripeData

__all__ = ["EvolisOptions", "EvolisPrinter"]

WIDTH, HEIGHT, DPI = 1016, 648, 300
_KIOSK = (("Psmgr", 2), ("Pcim", "F"), ("Pcem", "I"), ("Pneab", "E"), ("Pcrm", "D"), ("Pbc", "A", "D"))
"""What a bank's issuer sends when it starts: anti-jam, feed from the feeder, eject to the bezel, do not eject after
printing, reject tray, bezel."""
_DESKTOP = (("Pcim", "F"), ("Pneab", "E"), ("Pcrm", "D"))


class EvolisPrinter(CardPrinter):
    """Prints, encodes and moves cards by escape commands in host error mode."""

    name = "evolis"
    links = (TcpLink, UsbBulkLink, UsbIpBulkLink)
    options_type = EvolisOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = cast("EvolisOptions", options)
        self._model: Model = UNKNOWN
        self._ribbon = Ribbon("", None, None, absent=True)
        self._link: ByteLink | None = None
        self._open_session: Session | None = None
        self._watcher: Watcher | None = None

    @property
    def _session(self) -> Session:
        assert self._open_session is not None, "connected"
        return self._open_session

    @property
    def _eyes(self) -> Watcher:
        assert self._watcher is not None, "connected"
        return self._watcher

    @property
    def capabilities(self) -> device_pb2.CardPrinterCapabilities:
        """By model, ribbon and link."""
        model, panels = self._model, self._ribbon.panels
        return device_pb2.CardPrinterCapabilities(
            width=WIDTH,
            height=HEIGHT,
            dpi=DPI,
            color=set("ymc") <= set(panels),
            black="k" in panels,
            overlay="o" in panels,
            levels=self._options.levels,
            duplex=model.duplex,
            tracks=model.tracks,
            stripe_verified=True,
            contact=model.contact and "chip" in self.url.query,
            contactless=model.contactless and "chip_contactless" in self.url.query,
            exit=model.exit,
            accepts=model.exit,
            locates=True,
            units=units_of(model),
        )

    def masker(self) -> EvolisMasker:
        """Whatever the model and the options are."""
        return EvolisMasker()

    async def connect(self) -> device_pb2.DeviceInfo:
        """Open the link, end what a host before left half-said, and ask the printer who it is."""
        self._link = await self.open_link()
        self._open_session = session = Session(self._link)
        await wake(self._link, session)
        firmware, serial, model = [await session.ask(name) for name in ("Rfv", "Rsn", "Rtp")]
        self._model = self._chosen(model_of(model))
        self._watcher = Watcher(session, self._model, self._options.fed_counter)
        await self._prepare()
        self._ribbon = await self._eyes.ribbon()
        return device_pb2.DeviceInfo(
            vendor="Evolis", model=model, serial=serial, firmware=firmware, card_printer=self.capabilities
        )

    def _chosen(self, model: Model) -> Model:
        given = self._options
        return Model(
            model.name,
            exit=model.exit if given.exit is None else given.exit,
            duplex=model.duplex if given.duplex is None else given.duplex,
            contact=model.contact if given.contact is None else given.contact,
            contactless=model.contactless if given.contactless is None else given.contactless,
            tracks=model.tracks,
        )

    async def _prepare(self) -> None:
        """The settings of a start; one that the firmware does not know is not missed."""
        for name, *parameters in _KIOSK if self._model.exit else _DESKTOP:
            reply = await self._session.ask(str(name), *parameters)
            if reason_of(reply) not in (None, error_pb2.REASON_NOT_SUPPORTED):
                self._session.check(reply, str(name))

    async def disconnect(self) -> None:
        """Close the link."""
        if self._link is not None:
            await self._link.close()

    async def look(self) -> CardSight:
        """Sensors and counters."""
        await self._keep_mode()
        sight = await self._eyes.look()
        self._ribbon = self._eyes.last_ribbon
        return sight

    def look_anew(self) -> None:
        """Ask for ribbon and levels too."""
        self._eyes.forget()

    async def _keep_mode(self) -> None:
        """A printer that was switched off and on has forgotten its settings, and does not answer commands."""
        mode = await self._session.ask("Rem")
        if reason_of(mode) is None and not mode.startswith(str(HOST_MODE)):
            await self._session.do("Pem", HOST_MODE)
            await self._prepare()

    async def clear(self) -> None:
        """Drop bitmaps and the status line of a job that was cut off."""
        await self._keep_mode()
        await self._session.ask("Scs")
        await self._session.ask("Ss")
        await self._session.ask("Wcb", "k")
        self._eyes.forget()

    # --- moving ----------------------------------------------------------------------------------------------------

    async def feed(self, supply: str) -> None:
        """From the feeder to the print head."""
        await self._session.do("Si", seconds=MOVE)

    async def move(self, place: CardPlace) -> None:
        """By what the reference says of each way; a card at the bezel is taken in first."""
        at = (await self._eyes.look()).place
        if at == card_pb2.CARD_PLACE_NONE:
            raise DeviceFault(error_pb2.REASON_NO_CARD_INSIDE, step="move")
        if at == card_pb2.CARD_PLACE_EXIT:
            await self._take_in()
        ways: dict[CardPlace, Any] = {
            card_pb2.CARD_PLACE_PRINT: lambda: self._session.do("Si", seconds=MOVE),
            card_pb2.CARD_PLACE_CONTACT: lambda: self._session.do("Sis", seconds=MOVE),
            card_pb2.CARD_PLACE_CONTACTLESS: lambda: self._session.do("Sic", seconds=MOVE),
            card_pb2.CARD_PLACE_RETAIN_BIN: self._retain,
        }
        ways[card_pb2.CARD_PLACE_EXIT if self._model.exit else card_pb2.CARD_PLACE_OUTPUT] = self._put_out
        if place not in ways:
            name = CardPlace.Name(place).removeprefix("CARD_PLACE_")
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, f"The printer cannot move a card to {name}.")
        if at != card_pb2.CARD_PLACE_EXIT or place != card_pb2.CARD_PLACE_PRINT:
            await ways[place]()

    async def _put_out(self) -> None:
        """To the bezel, or into the output hopper."""
        await self._session.do("Ss")
        await self._session.do("Pneab", "A", 1)
        await self._session.do("Se", seconds=MOVE)
        await self._session.do("Pneab", "E")

    async def _retain(self) -> None:
        """Into the reject bin."""
        await self._session.do("Pneab", "A", 1)
        await self._session.do("Pcrm", "D")
        reply = await self._session.ask("Ser", seconds=MOVE)
        if reason_of(reply) == error_pb2.REASON_OUTPUT_FULL:  # here it is the bin that is meant
            raise DeviceFault(error_pb2.REASON_RETAIN_BIN_FULL, step="Ser", expected="OK", got=reply)
        self._session.check(reply, "Ser")
        await self._session.do("Pneab", "E")

    async def accept(self) -> bool:
        """From the bezel to the print head."""
        if (await self._eyes.look()).place != card_pb2.CARD_PLACE_EXIT:
            return False
        await self._take_in()
        return True

    async def _take_in(self) -> None:
        """From the bezel; the customer may be quicker."""
        reply = await self._session.ask("Sib", seconds=MOVE)
        if reason_of(reply) is not None and (await self._eyes.look()).place == card_pb2.CARD_PLACE_NONE:
            raise DeviceFault(error_pb2.REASON_NO_CARD_INSIDE, step="Sib", expected="OK", got=reply)
        self._session.check(reply, "Sib")

    # --- stripe ----------------------------------------------------------------------------------------------------

    async def write_stripe(self, stripe: StripeData, coercivity: Coercivity) -> None:
        """Load the tracks, then write them all."""
        await write_tracks(self._session, stripe, coercivity, sentinels=self._options.sentinels)

    async def read_stripe_tracks(self, tracks: Collection[int]) -> card_printer_pb2.ReadStripeResult:
        """One track after the other."""
        return await read_tracks(self._session, tracks)

    # --- printing --------------------------------------------------------------------------------------------------

    async def print_card(self, image: CardImage) -> None:
        """The panels of the front, then of the back."""
        drawn_for, self._ribbon = self._ribbon.panels, await self._eyes.ribbon()
        if self._ribbon.panels != drawn_for and not self._ribbon.absent:
            self._eyes.forget()
            raise DeviceFault(
                error_pb2.REASON_RIBBON_WRONG,
                step="print",
                expected=f"the ribbon {drawn_for.upper() or 'none'}, for which the card was drawn",
                got=self._ribbon.panels.upper(),
            )
        front, back = panels_of_sides(self._ribbon.panels)
        fronts = await asyncio.to_thread(panels_of, image.front, front, self._options.levels)
        backs = await asyncio.to_thread(panels_of, image.back, back, self._options.levels)
        if not fronts and not backs:
            return
        await self._session.do("Pr", self._ribbon.panels or "k")
        await self._session.do("Pneab", "E")
        await self._session.do("Ss")
        if fronts:
            await self._session.do("Sr", seconds=MOVE)
            await self._send(fronts)
        if backs:
            await self._session.do("Sv", seconds=self._options.print_seconds)
            await self._send(backs)
        await self._session.do("Se", seconds=self._options.print_seconds)
        self._eyes.forget()

    async def _send(self, bitmaps: list[bytes]) -> None:
        for data in bitmaps:
            self._session.check(await self._session.send(data, "bitmap", self._options.print_seconds), "bitmap")
