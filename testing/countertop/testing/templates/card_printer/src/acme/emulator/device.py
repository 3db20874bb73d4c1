"""What is inside the printer: the way of the card is the bench's own machine; here are its commands and the head."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from countertop.emulators.core.cards.machine import CardMachine, MoveError, Station
from countertop.emulators.core.cards.ribbon import Ribbon
from countertop.emulators.core.clock import Clock, Timer
from countertop.emulators.core.faults import FaultBoard, FaultSpec

from acme.emulator.line import Line
from acme.emulator.panels import PanelMemory
from acme.emulator.wire import Command

__all__ = ["DEVICE_FAULTS", "AcmeDevice"]

DEVICE_FAULTS = (
    FaultSpec("stripe-write", "A track is written badly: it does not read back."),
    FaultSpec("stripe-refused", "The encoder does not write a track, and says so."),
    FaultSpec("ribbon-tears", "The ribbon tears while a card is printed."),
)
UNKNOWN, COVER, CARDS_OUT, JAMMED, NOTHING, OCCUPIED, BIN_FULL, RIBBON_OUT, RIBBON_WRONG, STRIPE = range(1, 11)
REFUSALS = {
    "cover": COVER,
    "empty": CARDS_OUT,
    "jam": JAMMED,
    "nothing": NOTHING,
    "occupied": OCCUPIED,
    "full": BIN_FULL,
}
PLACES = {
    Station.NONE: 0,
    Station.PRINT: 1,
    Station.TRANSPORT: 2,
    Station.EXIT: 3,
    Station.JAMMED: 4,
    Station.CONTACT: 2,
    Station.CONTACTLESS: 2,
}
FEED, MOVE, STRIPE_SECONDS, PANEL = 0.5, 0.3, 0.4, 0.8
"""Seconds, on its clock."""


class Refusal(Exception):
    """The printer does not do it; its code."""


class AcmeDevice:
    """One printer."""

    def __init__(
        self, clock: Clock, board: FaultBoard, machine: CardMachine, ribbon: Ribbon | None, serial: str
    ) -> None:
        self.line = Line(self._execute)
        self.machine = machine
        self.ribbon = ribbon
        self._clock = clock
        self._board = board
        self._serial = serial
        self._panels = PanelMemory()
        self._working: Timer | None = None

    def power_off(self) -> None:
        """A card that moves stays between stations; panels are forgotten."""
        if self._working is not None:
            self._working.cancel()
            self._working = None
            self.machine.stop()
        self._panels.clear()
        self.line.reset()

    def _execute(self, command: Command) -> None:
        data = command.data
        match command.letter:
            case "H":
                self.line.answer(f"AC-1;{self._serial};1.0".encode())
            case "S":
                self.line.answer(self._status())
            case "F":
                self._work(FEED, self.machine.feed)
            case "M" if data in (b"\x01", b"\x03", b"\x05"):
                self._work(MOVE, lambda: self._move(data[0]))
            case "I":
                self._work(MOVE, self._take_in)
            case "W" if len(data) > 2 and data[1] in (1, 2, 3) and data.isascii():
                self._work(STRIPE_SECONDS, lambda: self._write(data[1], data[2:].decode("ascii"), high=bool(data[0])))
            case "R" if data in (b"\x01", b"\x02", b"\x03"):
                self._work(STRIPE_SECONDS, lambda: self._read(data[0]))
            case "P" if len(data) > 3 and self._panels.take(data[0], chr(data[1]), data[3:], last=bool(data[2])):
                self.line.answer()
            case "G":
                self._work(PANEL * max(1, len(self._panels.whole)), self._print)
            case "X":
                self._panels.clear()
                self.line.answer()
            case _:
                self.line.refuse(UNKNOWN)

    def _work(self, seconds: float, act: Callable[[], bytes | None]) -> None:
        """Do something that takes its time, and answer then."""

        def done() -> None:
            self._working = None
            try:
                answer = act()
            except MoveError as error:
                self.line.refuse(REFUSALS[str(error)])
            except Refusal as refusal:
                self.line.refuse(refusal.args[0])
            else:
                self.line.answer(answer or b"")

        self._working = self._clock.call_later(seconds, done)

    def _move(self, place: int) -> None:
        machine = self.machine
        if machine.station is Station.EXIT:
            machine.pull_in()
        if place == 3:
            machine.present()
        elif place == 5:
            machine.retain()
        elif machine.station is not Station.PRINT:
            machine.move(Station.PRINT)

    def _take_in(self) -> bytes:
        if self.machine.station is not Station.EXIT:
            return b"\0"
        self.machine.pull_in()
        return b"\1"

    def _card(self) -> Any:
        """The card at the head. Raises Refusal."""
        if self.machine.cover_open:
            raise Refusal(COVER)
        if self.machine.card is None or self.machine.station is not Station.PRINT:
            raise Refusal(NOTHING)
        return self.machine.card

    def _write(self, number: int, text: str, *, high: bool) -> None:
        card = self._card()
        if self._board.take("stripe-refused"):
            raise Refusal(STRIPE)
        card.write(number, text, high=high, spoilt=self._board.take("stripe-write"))

    def _read(self, number: int) -> bytes:
        track = self._card().tracks.get(number)
        if track is None:
            return b"\0"
        return b"\2" if track.damaged else b"\1" + track.text.encode("ascii")

    def _print(self) -> None:
        card, ribbon = self._card(), self.ribbon
        if ribbon is None or not ribbon.left or self._board.take("ribbon-tears"):
            raise Refusal(RIBBON_OUT)
        if any(letter.lower() not in ribbon.panels for _, letter in self._panels.whole):
            raise Refusal(RIBBON_WRONG)
        for (side, letter), plane in self._panels.whole.items():
            (card.back if side else card.front).put(letter.lower(), plane)
        for _ in {side for side, _ in self._panels.whole}:
            ribbon.use()
        self._panels.clear()

    def _status(self) -> bytes:
        machine, ribbon = self.machine, self.ribbon
        supply = machine.counts.supply
        bits = machine.cover_open | (not supply) << 1 | (0 < supply <= machine.near_empty) << 2
        bits |= (machine.in_bin >= machine.bin_capacity) << 3
        head = struct.pack(">BBIH", bits, PLACES[machine.station], machine.fed, ribbon.left if ribbon else 0)
        return head + (ribbon.panels.upper().encode() if ribbon else b"")
