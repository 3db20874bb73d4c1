"""The stripe: what may be written, writing with reading back, and the operation that does only that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk.cards.session import TAKE_SECONDS, CardSession
from countertop.sdk.device import Run
from countertop.sdk.errors import CountertopError, DeviceFault, InvalidRequest
from countertop.v1 import card_pb2, card_printer_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import Coercivity, StripeData
from countertop.v1.card_printer_pb2 import CardSource, EncodeStripeRequest, EncodeStripeResult, ReadStripeRequest

if TYPE_CHECKING:
    from countertop.sdk.cards.printer import CardPrinter

__all__ = ["EncodeSession", "check_tracks", "wanted_tracks", "write_and_verify"]


def check_tracks(stripe: StripeData, capabilities: device_pb2.CardPrinterCapabilities) -> None:
    """Raises CountertopError(NOT_SUPPORTED) without a stripe station, InvalidRequest for data that no track takes."""
    from countertop.sdk.cards.stripe import check_stripe

    _need_stripe(capabilities)
    check_stripe(stripe, "stripe", capabilities.tracks)


def wanted_tracks(request: ReadStripeRequest, capabilities: device_pb2.CardPrinterCapabilities) -> list[int]:
    """The tracks that a request asks for. Raises CountertopError(NOT_SUPPORTED), InvalidRequest."""
    _need_stripe(capabilities)
    lacking = sorted(set(request.tracks) - set(capabilities.tracks))
    if lacking:
        raise InvalidRequest({"tracks": f"expected some of {list(capabilities.tracks)}, got {lacking}"})
    return sorted(set(request.tracks or capabilities.tracks))


def _need_stripe(capabilities: device_pb2.CardPrinterCapabilities) -> None:
    if not capabilities.tracks:
        raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "The device has no station for the stripe.")


async def write_and_verify(printer: CardPrinter, stripe: StripeData, coercivity: Coercivity) -> None:
    """Write, then read every written track back. Raises DeviceFault(STRIPE_WRITE_FAILED) that tells the track."""
    await printer.write_stripe(stripe, coercivity or card_pb2.COERCIVITY_HIGH)
    written = [number for number in (1, 2, 3) if getattr(stripe, f"track{number}")]
    found = await printer.read_stripe_tracks(written)
    for number in written:
        state = found.states[number - 1]
        alike = getattr(found.stripe, f"track{number}") == getattr(stripe, f"track{number}")
        if state != card_printer_pb2.TRACK_STATE_READ or not alike:
            name = card_printer_pb2.TrackState.Name(state).removeprefix("TRACK_STATE_").lower()
            raise DeviceFault(
                error_pb2.REASON_STRIPE_WRITE_FAILED,
                step=f"read track {number} back",
                expected="what was written",
                got="something else" if state == card_printer_pb2.TRACK_STATE_READ else f"a track that is {name}",
            )


class EncodeSession(CardSession):
    """Writes one stripe. A blank that goes wrong is put away; a customer's card stays inside."""

    def __init__(self, printer: CardPrinter, request: EncodeStripeRequest, run: Run) -> None:
        super().__init__(printer, run)
        self._request = request
        self._source: CardSource = request.source or card_printer_pb2.CARD_SOURCE_INSIDE

    async def carry_out(self) -> EncodeStripeResult:
        """Raises CountertopError."""
        request = self._request
        has = self.printer.capabilities
        check_tracks(request.stripe, has)
        if has.one_pass:
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "The device writes stripes only while it prints.")
        if request.delivery == card_printer_pb2.CARD_DELIVERY_PRESENT and not has.exit:
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "The device has no exit.")
        if request.delivery == card_printer_pb2.CARD_DELIVERY_EJECT and not self.printer.has_output:
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "The device has no output hopper.")
        sight = await self.look_first()
        self.need_source(self._source, sight.place)
        try:
            await self.take_card(self._source, "", sight.place)
            await self.put(card_pb2.CARD_PLACE_PRINT)
            self.report.stripe = card_pb2.CARD_WORK_BEGUN
            await self.commit("stripe")
            await write_and_verify(self.printer, request.stripe, request.coercivity)
            self.report.stripe = card_pb2.CARD_WORK_DONE
            if request.delivery == card_printer_pb2.CARD_DELIVERY_PRESENT:
                await self.present(TAKE_SECONDS, card_printer_pb2.NOT_TAKEN_RETAIN)
            else:
                await self.deliver(request.delivery or card_printer_pb2.CARD_DELIVERY_HOLD)
        except CountertopError as error:
            keep = self._source != card_printer_pb2.CARD_SOURCE_SUPPLY
            raise await self.give_up(error, keep_inside=keep) from error
        return EncodeStripeResult(card=self.report)
