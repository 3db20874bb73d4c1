"""The face of card printers: issue, encode, move, count, and talk to chips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias, Unpack, cast

from countertop.client._chip import ChipSession
from countertop.client._devices import DeviceFace
from countertop.client._operation import CallOptions, OperationHandle, call_options
from countertop.v1 import device_pb2
from countertop.v1.card_design_pb2 import CardArtwork, CardDesign, CardValue
from countertop.v1.card_pb2 import COERCIVITY_UNSPECIFIED, Coercivity, StripeData
from countertop.v1.card_printer_pb2 import (
    BeginCardExchangeRequest,
    BlankCheck,
    CardDelivery,
    CardInventory,
    CardMove,
    CardSource,
    ChipStep,
    EncodeStripeRequest,
    EncodeStripeResponse,
    EncodeStripeResult,
    EndCardExchangeRequest,
    GetCardInventoryRequest,
    IssueCardRequest,
    IssueCardResponse,
    IssueCardResult,
    MoveCardRequest,
    MoveCardResponse,
    MoveCardResult,
    NotTaken,
    PreviewCardRequest,
    PreviewCardResponse,
    ReadStripeRequest,
    ReadStripeResponse,
    ReadStripeResult,
    UnitCount,
)

__all__ = ["CardPrinter", "IssueOptions", "artwork_of"]

IssueHandle: TypeAlias = OperationHandle[IssueCardResponse, IssueCardResult]
EncodeHandle: TypeAlias = OperationHandle[EncodeStripeResponse, EncodeStripeResult]
ReadStripeHandle: TypeAlias = OperationHandle[ReadStripeResponse, ReadStripeResult]
MoveHandle: TypeAlias = OperationHandle[MoveCardResponse, MoveCardResult]


class IssueOptions(CallOptions, total=False):
    """What can be said of a card, beside what every call takes."""

    source: CardSource
    """Where the blank comes from. Default: the supply."""
    supply: str
    """Which supply, where there are several."""
    blank: BlankCheck
    """What the blank must be before anything is written."""
    stripe: StripeData
    """What is written to the stripe."""
    coercivity: Coercivity
    chip: ChipStep
    """What is done to the chip."""
    delivery: CardDelivery
    """Where the card goes. Default: to the customer, where there is an exit."""
    take_within: float
    """Seconds for the customer to take it, 1 to 600; default 30."""
    if_not_taken: NotTaken
    """Default: it is kept back."""


def artwork_of(design: CardDesign, data: Mapping[str, str | bytes | CardValue]) -> CardArtwork:
    """A design with its data: text, the bytes of a picture's file, or a CardValue, by the field's name."""
    artwork = CardArtwork(design=design)
    for name, value in data.items():
        if isinstance(value, str):
            artwork.data[name].text = value
        elif isinstance(value, CardValue):
            artwork.data[name].CopyFrom(value)
        else:
            artwork.data[name].picture = value
    return artwork


class CardPrinter(DeviceFace):
    """Makes cards."""

    kind = device_pb2.DEVICE_KIND_CARD_PRINTER

    async def issue(
        self,
        design: CardDesign | None = None,
        data: Mapping[str, str | bytes | CardValue] | None = None,
        **options: Unpack[IssueOptions],
    ) -> IssueCardResult:
        """Make one card and give it out. Cancelled, it only hangs up: the card goes its way.

        Raises CountertopError; `error.device_fault.card` says where a card is that went wrong.
        """
        async with self.start_issue(design, data, **options) as handle:
            return await handle.result()

    def start_issue(
        self,
        design: CardDesign | None = None,
        data: Mapping[str, str | bytes | CardValue] | None = None,
        **options: Unpack[IssueOptions],
    ) -> IssueHandle:
        """Begin to make a card; the handle tells its movements and prompts."""
        calls = {name: value for name, value in options.items() if name in CallOptions.__annotations__}
        request = IssueCardRequest(
            options=call_options(cast("CallOptions", calls)),
            device_id=self._device_id,
            artwork=None if design is None else artwork_of(design, data or {}),
        )
        for name in options.keys() - calls.keys():
            value = options[name]  # type: ignore[literal-required]
            if name == "take_within":
                request.take_within.FromNanoseconds(round(value * 1e9))
            elif name in ("blank", "stripe", "chip"):
                getattr(request, name).CopyFrom(value)
            else:
                setattr(request, name, value)
        return OperationHandle(self._connection, request, self.device_id)

    async def encode_stripe(
        self,
        stripe: StripeData,
        *,
        coercivity: Coercivity = COERCIVITY_UNSPECIFIED,
        source: CardSource | None = None,
        delivery: CardDelivery | None = None,
        **options: Unpack[CallOptions],
    ) -> EncodeStripeResult:
        """Write a stripe and read it back; by default of the card inside, which stays there. Raises CountertopError."""
        request = EncodeStripeRequest(
            options=call_options(options),
            device_id=self._device_id,
            stripe=stripe,
            coercivity=coercivity,
            source=source,
            delivery=delivery,
        )
        handle: EncodeHandle = OperationHandle(self._connection, request, self.device_id)
        async with handle:
            return await handle.result()

    async def read_stripe(self, tracks: Iterable[int] = (), **options: Unpack[CallOptions]) -> ReadStripeResult:
        """Read tracks, 1 to 3, of the card inside; by default all that the device reads. Raises CountertopError."""
        request = ReadStripeRequest(options=call_options(options), device_id=self._device_id, tracks=tracks)
        handle: ReadStripeHandle = OperationHandle(self._connection, request, self.device_id)
        async with handle:
            return await handle.result()

    async def move(
        self,
        move: CardMove,
        *,
        supply: str = "",
        take_within: float | None = None,
        if_not_taken: NotTaken | None = None,
        **options: Unpack[CallOptions],
    ) -> MoveCardResult:
        """Move a card; with PRESENT and `take_within`, wait until it is taken. Raises CountertopError."""
        request = MoveCardRequest(
            options=call_options(options),
            device_id=self._device_id,
            move=move,
            supply=supply,
            if_not_taken=if_not_taken,
        )
        if take_within is not None:
            request.take_within.FromNanoseconds(round(take_within * 1e9))
        handle: MoveHandle = OperationHandle(self._connection, request, self.device_id)
        async with handle:
            return await handle.result()

    def chip(
        self,
        *,
        issue: str = "",
        contactless: bool = False,
        protocols: Iterable[int] = (),
        **options: Unpack[CallOptions],
    ) -> ChipSession:
        """Talk to the chip of the card inside, for `async with`.

        `issue` is the id of an operation that issues a card and waits at its chip step: its chip is meant then.
        """
        return ChipSession(
            self._connection,
            self.device_id,
            call_options(options),
            issue=issue,
            contactless=contactless,
            protocols=protocols,
        )

    async def inventory(self) -> CardInventory:
        """What is in hoppers, bins and ribbon, and what became of the cards."""
        answer = await self._connection.ask(GetCardInventoryRequest(device_id=await self.device_id()))
        inventory: CardInventory = answer.inventory
        return inventory

    async def begin_exchange(self, *, by: str = "", drain: float | None = None) -> CardInventory:
        """Take the device out of use so that a person may fill and empty it; what it has is finished first, for `drain`
        seconds at most.
        """
        request = BeginCardExchangeRequest(device_id=await self.device_id(), by=by)
        if drain is not None:
            request.drain.FromNanoseconds(round(drain * 1e9))
        inventory: CardInventory = (await self._connection.ask(request)).inventory
        return inventory

    async def end_exchange(
        self, counts: Mapping[str, int], *, thresholds: Mapping[str, int] | None = None, by: str = ""
    ) -> CardInventory:
        """Say how many cards are in which unit now, and take the device back into use.

        Raises ValueError for a threshold of a unit without a count.
        """
        limits = thresholds or {}
        lacking = sorted(limits.keys() - counts.keys())
        if lacking:
            raise ValueError(f"thresholds: expected a count too for {', '.join(lacking)}")
        request = EndCardExchangeRequest(
            device_id=await self.device_id(),
            counts=[
                UnitCount(unit=unit, count=count, threshold=limits.get(unit)) for unit, count in sorted(counts.items())
            ],
            by=by,
        )
        inventory: CardInventory = (await self._connection.ask(request)).inventory
        return inventory

    async def preview(
        self,
        design: CardDesign,
        data: Mapping[str, str | bytes | CardValue] | None = None,
        *,
        mono: bool = False,
        samples: bool = False,
        standalone: bool = False,
    ) -> PreviewCardResponse:
        """The card as PNG pictures; uses none up. `standalone` asks for no printer: 1016 by 648 dots."""
        request = PreviewCardRequest(
            artwork=artwork_of(design, data or {}),
            device_id="" if standalone else await self.device_id(),
            mono=mono,
            samples=samples,
        )
        answer: PreviewCardResponse = await self._connection.ask(request)
        return answer
