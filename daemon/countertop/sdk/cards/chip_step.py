"""Talking to a chip: by a script, or as the app says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from countertop.sdk.cards.apdu import status_matches
from countertop.sdk.device import Run
from countertop.sdk.errors import DeviceFault
from countertop.v1 import card_pb2, card_printer_pb2, error_pb2
from countertop.v1.card_printer_pb2 import (
    ApduScript,
    ChipAnswered,
    ChipCommand,
    ChipReady,
    ChipStep,
    EndOfExchange,
    ExchangeApdusResult,
    OpenChip,
    ResetChip,
)
from countertop.v1.error_pb2 import PHYSICAL_EFFECT_NONE

if TYPE_CHECKING:
    from countertop.sdk.cards.chip import ChipLink
    from countertop.sdk.cards.printer import CardPrinter

__all__ = ["ChipStepWork", "exchange"]

APP_SECONDS = 30.0
"""How long the app has when the request does not say."""


class ChipStepWork:
    """The chip step of a card that is made. The card lies at the contacts."""

    def __init__(self, chip: ChipLink, run: Run) -> None:
        self._chip = chip
        self._run = run

    async def carry_out(self, step: ChipStep, protocols: Sequence[int] = ()) -> bytes:
        """Returns the ATR. Raises DeviceFault: CHIP_NOT_ANSWERING, CHIP_REFUSED."""
        atr, protocol = await self._chip.power_on(protocols)
        if step.HasField("script"):
            await self._script(step.script)
        else:
            within = step.app.within
            seconds = within.seconds + within.nanos / 1e9 if step.app.HasField("within") else APP_SECONDS
            self._run.emit(ChipReady(atr=atr, protocol=protocol))
            try:
                async with asyncio.timeout(seconds):
                    await self.obey()
            except TimeoutError:
                raise DeviceFault(
                    error_pb2.REASON_CHIP_REFUSED,
                    f"The app was not done with the chip within {seconds:g} s.",
                    step="chip",
                    expected="ExchangeApdus with this operation's id, half-closed when it is done",
                    got="nothing more",
                ) from None
        await self._chip.power_off()
        return atr

    async def _script(self, script: ApduScript) -> None:
        for number, item in enumerate(script.commands):
            response = await self._chip.transmit(item.command)
            if item.answer:
                self._run.emit(ChipAnswered(id=number, response=response))
            expected = item.expect or "9000"
            if not status_matches(expected, response[-2:]):
                raise DeviceFault(
                    error_pb2.REASON_CHIP_REFUSED,
                    step=f"chip command {number}",
                    expected=f"status words {expected}",
                    got=response[-2:].hex().upper(),
                )

    async def obey(self) -> int:
        """Do what the app says until it is done; returns the number of commands."""
        count = 0
        while True:
            said = await self._run.instruction()
            match said:
                case ChipCommand():
                    response = await self._chip.transmit(said.command)
                    count += 1
                    self._run.emit(ChipAnswered(id=said.id, response=response))
                case ResetChip():
                    atr, protocol = await self._chip.reset()
                    self._run.emit(ChipReady(atr=atr, protocol=protocol))
                case EndOfExchange():
                    return count
                case _:
                    continue


async def exchange(printer: CardPrinter, opened: OpenChip, run: Run) -> ExchangeApdusResult:
    """Move the card that is inside to its station, open its chip and do what the app says. Raises CountertopError."""
    from countertop.sdk.cards.printer import INSIDE

    station = card_pb2.CARD_PLACE_CONTACTLESS if opened.contactless else card_pb2.CARD_PLACE_CONTACT
    chip = await printer.open_chip(contactless=opened.contactless)
    try:
        place = (await printer.look()).place
        if place not in INSIDE:
            raise DeviceFault(error_pb2.REASON_NO_CARD_INSIDE, step="exchange", effect=PHYSICAL_EFFECT_NONE)
        if place != station:
            await printer.move(station)
            printer.moved(card_pb2.CARD_MOVEMENT_MOVED, station, run.operation_id)
        atr, protocol = await chip.power_on(tuple(opened.protocols))
        run.emit(card_printer_pb2.ChipReady(atr=atr, protocol=protocol))
        count = await ChipStepWork(chip, run).obey()
        await chip.power_off()
    finally:
        await chip.close()
    return ExchangeApdusResult(exchanges=count)
