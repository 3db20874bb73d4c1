"""Making one card: blank, stripe, chip, picture, and into the customer's hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from countertop.sdk.cards.chip_step import ChipStepWork
from countertop.sdk.cards.encoding import check_tracks, write_and_verify
from countertop.sdk.cards.printer import CardPrinter, CardSight, OnePassCard
from countertop.sdk.cards.session import TAKE_SECONDS, CardSession, seconds
from countertop.sdk.device import Run
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.v1 import card_pb2, card_printer_pb2, device_pb2, error_pb2
from countertop.v1.card_printer_pb2 import IssueCardRequest, IssueCardResult

if TYPE_CHECKING:
    from countertop.sdk.cards.chip import ChipLink
    from countertop.sdk.cards.planes import CardImage

__all__ = ["IssueSession"]


class IssueSession(CardSession):
    """Drives a printer through one card."""

    def __init__(self, printer: CardPrinter, request: IssueCardRequest, run: Run) -> None:
        super().__init__(printer, run)
        self._request = request
        self._image: CardImage | None = None
        self._atr = b""
        self._done = 0

    async def carry_out(self) -> IssueCardResult:
        """Raises CountertopError."""
        self._check()
        sight = await self.look_first()
        self._check_supplies(sight)
        if self._request.HasField("artwork"):
            from countertop.sdk.cards.planes import Canvas
            from countertop.sdk.cards.render import render

            canvas = Canvas.of(self.printer.capabilities)
            self._image = await asyncio.to_thread(render, self._request.artwork, canvas)
        if self.printer.capabilities.one_pass:
            return await self._one_pass()
        chip = await self.printer.open_chip() if self._needs_chip else None
        try:
            await self._make(sight, chip)
        except CountertopError as error:
            raise await self.give_up(error) from error
        finally:
            if chip is not None:
                await chip.close()
        await self._deliver()
        self._step()
        return IssueCardResult(card=self.report, atr=self._atr)

    # --- before anything moves -------------------------------------------------------------------------------------

    @property
    def _needs_chip(self) -> bool:
        return self._request.HasField("chip") or bool(self._request.blank.atr)

    @property
    def _delivery(self) -> card_printer_pb2.CardDelivery:
        if self._request.delivery:
            return self._request.delivery
        if self.printer.capabilities.exit:
            return card_printer_pb2.CARD_DELIVERY_PRESENT
        return card_printer_pb2.CARD_DELIVERY_EJECT

    def _check(self) -> None:
        """What the device cannot do is refused before a card is used up. Raises CountertopError(NOT_SUPPORTED)."""
        request, has = self._request, self.printer.capabilities
        blank = request.blank
        if request.HasField("stripe"):
            check_tracks(request.stripe, has)
        looks_at_stripe = blank.stripe_blank or blank.HasField("stripe_begins")
        design = request.artwork.design
        lacking = {
            "a station for chips": self._needs_chip and not has.contact,
            "a station for the stripe": looks_at_stripe and not has.tracks,
            "a print head": request.HasField("artwork") and not has.width,
            "a way to print the back": bool(design.back.elements) and not has.duplex,
            "an exit": self._delivery == card_printer_pb2.CARD_DELIVERY_PRESENT and not has.exit,
            "an output hopper": self._delivery == card_printer_pb2.CARD_DELIVERY_EJECT and not self.printer.has_output,
            "more than one job for a card": has.one_pass
            and (
                self._needs_chip
                or looks_at_stripe
                or self._delivery == card_printer_pb2.CARD_DELIVERY_HOLD
                or request.source not in (0, card_printer_pb2.CARD_SOURCE_SUPPLY)
            ),
        }
        for what, needed in lacking.items():
            if needed:
                raise CountertopError(
                    error_pb2.REASON_NOT_SUPPORTED, f"The device lacks {what}, which this card needs."
                )

    def _check_supplies(self, sight: CardSight) -> None:
        request = self._request
        if not self.printer.capabilities.one_pass:
            self.need_source(request.source, sight.place)
        if request.source in (0, card_printer_pb2.CARD_SOURCE_SUPPLY):
            supplies = [unit for unit in sight.units if unit.kind == card_pb2.CARD_UNIT_KIND_SUPPLY]
            if supplies and all(unit.sensed == card_pb2.CARD_UNIT_LEVEL_EMPTY for unit in supplies):
                raise self.refused(error_pb2.REASON_CARDS_OUT)
        self.need_room(sight, card_pb2.CARD_UNIT_KIND_RETAIN, error_pb2.REASON_RETAIN_BIN_FULL)
        if self._delivery == card_printer_pb2.CARD_DELIVERY_EJECT:
            self.need_room(sight, card_pb2.CARD_UNIT_KIND_OUTPUT, error_pb2.REASON_OUTPUT_FULL)
        if request.HasField("artwork"):
            for supply in sight.consumables:
                if supply.name == "ribbon" and supply.level == device_pb2.SUPPLY_LEVEL_OUT:
                    raise self.refused(error_pb2.REASON_RIBBON_OUT)

    # --- the work --------------------------------------------------------------------------------------------------

    async def _make(self, sight: CardSight, chip: ChipLink | None) -> None:
        request = self._request
        self._step()
        await self.take_card(request.source, request.supply, sight.place)
        self._step()
        await self._check_blank(chip)
        if request.HasField("stripe"):
            self._step()
            await self.put(card_pb2.CARD_PLACE_PRINT)
            self.report.stripe = card_pb2.CARD_WORK_BEGUN
            await self.commit("stripe")
            await write_and_verify(self.printer, request.stripe, request.coercivity)
            self.report.stripe = card_pb2.CARD_WORK_DONE
        if request.HasField("chip") and chip is not None:
            self._step()
            await self._chip(chip)
        if self._image is not None:
            self._step()
            await self._print(self._image)
        self._step()

    def _step(self) -> None:
        request = self._request
        total = 3 + sum(request.HasField(part) for part in ("stripe", "chip", "artwork"))
        self.run.progress(self._done, total, "steps")
        self._done += 1

    async def _check_blank(self, chip: ChipLink | None) -> None:
        """Raises DeviceFault(WRONG_BLANK); what is on the card is not told."""
        blank = self._request.blank
        if blank.stripe_blank or blank.HasField("stripe_begins"):
            wanted = [number for number in (1, 2, 3) if getattr(blank.stripe_begins, f"track{number}")]
            tracks = list(self.printer.capabilities.tracks) if blank.stripe_blank else wanted
            await self.put(card_pb2.CARD_PLACE_PRINT)
            found = await self.printer.read_stripe_tracks(tracks)
            for number in tracks:
                state = found.states[number - 1]
                if blank.stripe_blank and state != card_printer_pb2.TRACK_STATE_BLANK:
                    raise _wrong_blank(f"track {number} blank", f"{_name(state)}")
                begins = getattr(blank.stripe_begins, f"track{number}")
                if not getattr(found.stripe, f"track{number}").startswith(begins):
                    raise _wrong_blank(f"track {number} to begin as asked for", f"another beginning ({_name(state)})")
        if blank.atr and chip is not None:
            await self.put(card_pb2.CARD_PLACE_CONTACT)
            self._atr, _ = await chip.power_on(())
            if self._atr != blank.atr:
                raise _wrong_blank(f"the ATR {blank.atr.hex().upper()}", self._atr.hex().upper())

    async def _chip(self, chip: ChipLink) -> None:
        await self.put(card_pb2.CARD_PLACE_CONTACT)
        self.report.chip = card_pb2.CARD_WORK_BEGUN
        await self.commit("chip")
        self._atr = await ChipStepWork(chip, self.run).carry_out(self._request.chip)
        self.report.chip = card_pb2.CARD_WORK_DONE
        await self.put(card_pb2.CARD_PLACE_PRINT)

    async def _print(self, image: CardImage) -> None:
        await self.put(card_pb2.CARD_PLACE_PRINT)
        sides = [name for name in ("front", "back") if getattr(image, name) is not None]
        for name in sides:
            setattr(self.report, name, card_pb2.CARD_WORK_BEGUN)
        await self.commit("print")
        await self.printer.print_card(image)
        for name in sides:
            setattr(self.report, name, card_pb2.CARD_WORK_DONE)
        self.run.used("card_sides", len(sides))

    async def _deliver(self) -> None:
        try:
            if self._delivery == card_printer_pb2.CARD_DELIVERY_PRESENT:
                within = seconds(self._request, "take_within")
                await self.present(TAKE_SECONDS if within is None else within, self._request.if_not_taken)
            else:
                await self.deliver(self._delivery)
        except CountertopError as error:
            raise await self.give_up(error) from error

    async def _one_pass(self) -> IssueCardResult:
        """The device does it all in one job; nothing can be told of the steps in between."""
        request = self._request
        stripe = request.stripe if request.HasField("stripe") else None
        await self.commit("one pass")
        if stripe is not None:
            self.report.stripe = card_pb2.CARD_WORK_BEGUN
        await self.printer.make_in_one_pass(OnePassCard(self._image, stripe, request.coercivity))
        self.report.fed = True
        self.run.used("cards", 1)
        if stripe is not None and self.printer.capabilities.stripe_verified:
            self.report.stripe = card_pb2.CARD_WORK_DONE
        if self._image is not None:
            for name in ("front", "back"):
                if getattr(self._image, name) is not None:
                    setattr(self.report, name, card_pb2.CARD_WORK_DONE)
        self.moved(card_pb2.CARD_MOVEMENT_FED, card_pb2.CARD_PLACE_TRANSPORT)
        self.moved(card_pb2.CARD_MOVEMENT_EJECTED, card_pb2.CARD_PLACE_OUTPUT)
        return IssueCardResult(card=self.report)


def _wrong_blank(expected: str, got: str) -> DeviceFault:
    return DeviceFault(error_pb2.REASON_WRONG_BLANK, step="check the blank", expected=expected, got=got)


def _name(state: card_printer_pb2.TrackState) -> str:
    return card_printer_pb2.TrackState.Name(state).removeprefix("TRACK_STATE_").lower()
