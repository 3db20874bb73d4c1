"""The base of card printer drivers: a driver moves, encodes and prints one card; all else is done here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from countertop.sdk.device import Device, Options, Run, Settlement, Unsettled
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.sdk.links import LinkUrl
from countertop.v1 import card_pb2, card_printer_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import CardMovement, CardPlace, CardUnit, Coercivity, StripeData

if TYPE_CHECKING:
    from countertop.sdk.cards.chip import ChipLink
    from countertop.sdk.cards.planes import CardImage

__all__ = ["INSIDE", "CardPrinter", "CardSight", "OnePassCard"]

INSIDE = frozenset(
    {
        card_pb2.CARD_PLACE_PRINT,
        card_pb2.CARD_PLACE_CONTACT,
        card_pb2.CARD_PLACE_CONTACTLESS,
        card_pb2.CARD_PLACE_TRANSPORT,
    }
)
"""Places where a card can be moved on from."""


@dataclass(frozen=True, slots=True)
class CardSight:
    """What a driver sees of its device."""

    place: CardPlace
    """Where the card is; UNSPECIFIED when the device cannot tell."""
    conditions: tuple[device_pb2.Condition, ...] = ()
    """What stands: CARDS_OUT, COVER_OPEN, RIBBON_OUT, … with its severity. Without CARD_INSIDE and CARD_AT_EXIT."""
    consumables: tuple[device_pb2.Consumable, ...] = ()
    units: tuple[CardUnit, ...] = ()
    """Hoppers and bins, with what their sensors say."""
    fed: int | None = None
    """Cards that the device has ever taken from its supply; None when it does not count. Tells after a crash whether a
    blank was used."""


@dataclass(frozen=True, slots=True)
class OnePassCard:
    """A card for a device that does everything in one job."""

    image: CardImage | None
    stripe: StripeData | None
    coercivity: Coercivity


class CardPrinter(Device):
    """Base of card printer drivers.

    A driver gives the members below; checking requests, drawing, the order of the work, commit points, what becomes of
    cards that go wrong, waiting for the customer, events and the search for a card after a crash are done here.

    Every primitive raises DeviceFault with its reason: CARDS_OUT, CARD_JAMMED, COVER_OPEN, RIBBON_OUT, RIBBON_WRONG,
    RETAIN_BIN_FULL, OUTPUT_FULL, STRIPE_WRITE_FAILED, PRINTER_FAULT, … It leaves `effect` alone.
    """

    kind = device_pb2.DEVICE_KIND_CARD_PRINTER

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._card = card_pb2.CardStatus()
        self._said = device_pb2.DeviceStatus()
        self._held = False

    # --- what a driver gives ---------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def capabilities(self) -> device_pb2.CardPrinterCapabilities:
        """What it can do; known once connected."""

    @abstractmethod
    async def look(self) -> CardSight:
        """Ask its sensors and counters. Moves nothing."""

    def look_anew(self) -> None:
        """Called before a card is begun: what `look` remembers for a while must be asked for again."""
        return

    @abstractmethod
    async def feed(self, supply: str) -> None:
        """Take a blank from a supply ("" for any) to PRINT."""

    @abstractmethod
    async def move(self, place: CardPlace) -> None:
        """Move the card that is inside, or at EXIT, to PRINT, CONTACT, CONTACTLESS, EXIT, OUTPUT or RETAIN_BIN.

        Raises DeviceFault(NO_CARD_INSIDE) when there is none, CountertopError(NOT_SUPPORTED) for a place it lacks.
        """

    @abstractmethod
    async def accept(self) -> bool:
        """Take in, to PRINT, a card that a person holds into the exit; False when there is none. Does not wait."""

    @abstractmethod
    async def write_stripe(self, stripe: StripeData, coercivity: Coercivity) -> None:
        """Write the tracks that are given, without sentinels, to the card inside. Raises STRIPE_WRITE_FAILED."""

    @abstractmethod
    async def read_stripe_tracks(self, tracks: Collection[int]) -> card_printer_pb2.ReadStripeResult:
        """Read tracks of the card inside. A track that is blank or damaged is told in `states`, and is no error."""

    @abstractmethod
    async def print_card(self, image: CardImage) -> None:
        """Print one or both sides of the card inside, which stays inside, at PRINT."""

    async def make_in_one_pass(self, card: OnePassCard) -> None:
        """Of a device with `one_pass`: feed, write, print and put out one card. Returns when it is out."""
        raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, f"The driver {self.name} has no one-pass job.")

    async def clear(self) -> None:
        """Drop what a job that was cut off has left in the device, so that its card can be moved. Moves nothing."""
        return

    # --- what the daemon asks --------------------------------------------------------------------------------------

    async def status(self) -> device_pb2.DeviceStatus:
        """What stands, where the card is, what is left. A card that went while nobody moved it is noticed here."""
        sight = await self.look()
        self._notice(sight.place)
        status = device_pb2.DeviceStatus(
            conditions=[*sight.conditions, *self._card_conditions(sight.place)],
            consumables=sight.consumables,
            media=_MEDIA.get(sight.place, device_pb2.MEDIA_STATE_PRESENT),
            card_units=sight.units,
        )
        status.card.CopyFrom(self._card)
        self._said = status
        return status

    async def issue_card(
        self, request: card_printer_pb2.IssueCardRequest, run: Run
    ) -> card_printer_pb2.IssueCardResult:
        """Make one card and give it out. Emits CardMoved, ChipReady, ChipAnswered."""
        from countertop.sdk.cards.issuing import IssueSession  # draws; needed for a card only

        return await IssueSession(self, request, run).carry_out()

    async def encode_stripe(
        self, request: card_printer_pb2.EncodeStripeRequest, run: Run
    ) -> card_printer_pb2.EncodeStripeResult:
        """Write a stripe and read it back. Emits CardMoved."""
        from countertop.sdk.cards.encoding import EncodeSession

        return await EncodeSession(self, request, run).carry_out()

    async def read_stripe(
        self, request: card_printer_pb2.ReadStripeRequest, run: Run
    ) -> card_printer_pb2.ReadStripeResult:
        """Read the stripe of the card inside. Raises NO_CARD_INSIDE, NOT_SUPPORTED, STRIPE_READ_FAILED."""
        from countertop.sdk.cards.encoding import wanted_tracks

        tracks = wanted_tracks(request, self.capabilities)
        place = (await self.look()).place
        if place not in INSIDE:
            raise DeviceFault(error_pb2.REASON_NO_CARD_INSIDE, step="read stripe")
        if place != card_pb2.CARD_PLACE_PRINT:  # where stripes are read
            await self.move(card_pb2.CARD_PLACE_PRINT)
            self.moved(card_pb2.CARD_MOVEMENT_MOVED, card_pb2.CARD_PLACE_PRINT, run.operation_id)
        return await self.read_stripe_tracks(tracks)

    async def move_card(self, request: card_printer_pb2.MoveCardRequest, run: Run) -> card_printer_pb2.MoveCardResult:
        """Move a card. Emits CardMoved."""
        from countertop.sdk.cards.moving import MoveSession

        return await MoveSession(self, request, run).carry_out()

    async def exchange_apdus(
        self, request: card_printer_pb2.ExchangeApdusRequest, run: Run
    ) -> card_printer_pb2.ExchangeApdusResult:
        """Talk to the chip as the app says: takes ChipCommand, ResetChip and EndOfExchange as instructions. Emits
        ChipReady and ChipAnswered.
        """
        from countertop.sdk.cards.chip_step import exchange

        return await exchange(self, request.open, run)

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        """Look where the card is and what the counters say; a half-made card is put away."""
        from countertop.sdk.cards.recovery import settle

        return await settle(self, unsettled)

    async def reset(self, request: device_pb2.ResetDeviceRequest, run: Run) -> device_pb2.ResetDeviceResult:
        """Bring the device into its safe state: a card that is inside or at the exit is kept back."""
        await self.clear()
        place = (await self.look()).place
        if place in INSIDE or place == card_pb2.CARD_PLACE_EXIT:
            to = self.bin()
            await self.move(to)
            self.moved(card_pb2.CARD_MOVEMENT_RETAINED, to, run.operation_id)
        return device_pb2.ResetDeviceResult(status=await self.status())

    # --- what the sessions share -----------------------------------------------------------------------------------

    def bin(self) -> CardPlace:
        """Where cards go that must not be given out: the retain bin, where there is none the output hopper."""
        kinds = {unit.kind for unit in self.capabilities.units}
        retain = card_pb2.CARD_UNIT_KIND_RETAIN in kinds
        return card_pb2.CARD_PLACE_RETAIN_BIN if retain else card_pb2.CARD_PLACE_OUTPUT

    @property
    def has_output(self) -> bool:
        """It has an output hopper."""
        return any(unit.kind == card_pb2.CARD_UNIT_KIND_OUTPUT for unit in self.capabilities.units)

    async def open_chip(self, *, contactless: bool = False) -> ChipLink:
        """Open the reader at the station. Raises CountertopError(NOT_SUPPORTED) when none is configured."""
        from countertop.sdk.cards.chip import open_chip

        has = self.capabilities.contactless if contactless else self.capabilities.contact
        setting = "chip_contactless" if contactless else "chip"
        if not has or setting not in self.url.query:
            raise CountertopError(
                error_pb2.REASON_NOT_SUPPORTED,
                f"The device has no chip station of that sort, or its link lacks the setting `{setting}`.",
            )
        return await open_chip(self.url.query[setting])

    def hold(self, held: bool) -> None:
        """A card is kept inside on purpose, for another operation; CARD_INSIDE is then no condition."""
        self._held = held

    def moved(
        self, movement: CardMovement, place: CardPlace, operation_id: str, run: Run | None = None
    ) -> card_pb2.CardMoved:
        """Tell the daemon, and the operation's watchers, that a card moved."""
        self._card = card_pb2.CardStatus(place=place, movement=movement, operation_id=operation_id)
        self._said.card.CopyFrom(self._card)
        self._said.media = _MEDIA.get(place, device_pb2.MEDIA_STATE_PRESENT)
        said = device_pb2.DeviceStatus()
        said.CopyFrom(self._said)
        self.report(said)
        event = card_pb2.CardMoved(movement=movement, place=place, operation_id=operation_id)
        if run is not None:
            run.emit(event)
        return event

    def _notice(self, place: CardPlace) -> None:
        """A card that nobody moved is elsewhere: taken, pushed back, stuck, or taken out by staff."""
        before, operation_id = self._card.place, self._card.operation_id
        if before == card_pb2.CARD_PLACE_UNSPECIFIED:
            self._card.place = place
        elif place == card_pb2.CARD_PLACE_NONE:
            if before == card_pb2.CARD_PLACE_EXIT:
                self.moved(card_pb2.CARD_MOVEMENT_TAKEN, card_pb2.CARD_PLACE_TAKEN, operation_id)
            elif before in INSIDE or before == card_pb2.CARD_PLACE_JAMMED:
                self._held = False
                self.moved(card_pb2.CARD_MOVEMENT_REMOVED, place, operation_id)
        elif place == card_pb2.CARD_PLACE_EXIT and before not in INSIDE | {place, card_pb2.CARD_PLACE_JAMMED}:
            self.moved(card_pb2.CARD_MOVEMENT_INSERTED, place, "")
        elif place == card_pb2.CARD_PLACE_JAMMED != before:
            self.moved(card_pb2.CARD_MOVEMENT_JAMMED, place, operation_id)
        elif place not in (before, card_pb2.CARD_PLACE_UNSPECIFIED):
            self.moved(card_pb2.CARD_MOVEMENT_MOVED, place, operation_id)

    def _card_conditions(self, place: CardPlace) -> list[device_pb2.Condition]:
        """A card where none should be."""
        if place == card_pb2.CARD_PLACE_EXIT:
            return [condition(error_pb2.REASON_CARD_AT_EXIT, device_pb2.SEVERITY_WARNING)]
        if place in INSIDE and not self._held:
            return [condition(error_pb2.REASON_CARD_INSIDE, device_pb2.SEVERITY_WARNING)]
        return []


def condition(reason: error_pb2.Reason, severity: device_pb2.Severity) -> device_pb2.Condition:
    """A condition in the table's own words."""
    from countertop.sdk.errors import reason_info

    info = reason_info(reason)
    return device_pb2.Condition(reason=reason, severity=severity, fixed_by=info.fixed_by, action=info.app)


_MEDIA: dict[Any, device_pb2.MediaState] = {
    card_pb2.CARD_PLACE_UNSPECIFIED: device_pb2.MEDIA_STATE_UNSPECIFIED,
    card_pb2.CARD_PLACE_NONE: device_pb2.MEDIA_STATE_NOT_PRESENT,
    card_pb2.CARD_PLACE_TAKEN: device_pb2.MEDIA_STATE_NOT_PRESENT,
    card_pb2.CARD_PLACE_OUTPUT: device_pb2.MEDIA_STATE_NOT_PRESENT,
    card_pb2.CARD_PLACE_RETAIN_BIN: device_pb2.MEDIA_STATE_NOT_PRESENT,
    card_pb2.CARD_PLACE_JAMMED: device_pb2.MEDIA_STATE_JAMMED,
}
"""What a place is in the words of MediaState; any other is PRESENT."""
