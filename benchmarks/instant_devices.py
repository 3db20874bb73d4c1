"""Made-up devices that do everything at once: what is left is the daemon's own time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import ClassVar

from countertop.drivers.evolis.bitmaps import compress, density, one_bit, packed
from countertop.sdk import CardPrinter, CardSight, DeviceFault, IdReader, Link, ReceiptPrinter, Run, TcpLink
from countertop.sdk.cards import CardImage
from countertop.v1 import (
    card_pb2,
    card_printer_pb2,
    device_pb2,
    error_pb2,
    id_reader_pb2,
    identity_pb2,
    receipt_printer_pb2,
)

__all__ = ["CrashingReader", "HangingReader", "InstantCardPrinter", "InstantPrinter", "InstantReader", "panels_of"]


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


def panels_of(image: CardImage) -> list[bytes]:
    """The bitmaps of a card as they go to an Evolis printer."""
    made = []
    for planes in (image.front, image.back):
        if planes is not None and planes.rgb is not None:
            made += [packed(density(planes.rgb, panel), 128) for panel in "ymc"]
        for plane in (planes.black, planes.overlay) if planes is not None else ():
            if plane is not None:
                made.append(compress(one_bit(plane)))
    return made


class InstantCardPrinter(_Instant, CardPrinter):
    """Makes a card at once; only its bitmaps are really made."""

    name = "instant-card-printer"
    capabilities = device_pb2.CardPrinterCapabilities(
        width=1016,
        height=648,
        dpi=300,
        color=True,
        black=True,
        overlay=True,
        duplex=True,
        tracks=[1, 2, 3],
        locates=True,
        units=[
            card_pb2.CardUnit(name="feeder", kind=card_pb2.CARD_UNIT_KIND_SUPPLY),
            card_pb2.CardUnit(name="output", kind=card_pb2.CARD_UNIT_KIND_OUTPUT),
        ],
    )
    info = device_pb2.DeviceInfo(
        vendor="Invented", model="Instant card printer", serial="0000003", firmware="1.0", card_printer=capabilities
    )
    _place: card_pb2.CardPlace = card_pb2.CARD_PLACE_NONE
    _stripe = card_pb2.StripeData()

    async def status(self) -> device_pb2.DeviceStatus:
        """Is well."""
        return await CardPrinter.status(self)

    async def look(self) -> CardSight:
        """Where the card is."""
        return CardSight(self._place)

    async def feed(self, supply: str) -> None:
        """A blank is there."""
        self._place = card_pb2.CARD_PLACE_PRINT

    async def move(self, place: card_pb2.CardPlace) -> None:
        """It is elsewhere."""
        self._place = card_pb2.CARD_PLACE_NONE if place == card_pb2.CARD_PLACE_OUTPUT else place

    async def accept(self) -> bool:
        """Nobody gives one."""
        return False

    async def write_stripe(self, stripe: card_pb2.StripeData, coercivity: card_pb2.Coercivity) -> None:
        """Written."""
        self._stripe = stripe

    async def read_stripe_tracks(self, tracks: Collection[int]) -> card_printer_pb2.ReadStripeResult:
        """What was written."""
        return card_printer_pb2.ReadStripeResult(stripe=self._stripe, states=[card_printer_pb2.TRACK_STATE_READ] * 3)

    async def print_card(self, image: CardImage) -> None:
        """Packed, and gone."""
        await asyncio.to_thread(panels_of, image)
