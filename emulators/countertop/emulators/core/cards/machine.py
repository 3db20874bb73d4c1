"""The mechanics of a card machine: a supply, stations, an exit with a customer before it, bins. No wire in here.

At any time each card that was ever put in is in exactly one place: `counts` tells how many are where.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from countertop.emulators.core.cards.card import Blank, Card
from countertop.emulators.core.clock import Clock, Timer
from countertop.emulators.core.faults import FaultBoard, FaultSpec

__all__ = ["JAM_FAULTS", "CardMachine", "Counts", "Habit", "MoveError", "Station"]


class Station(Enum):
    """Where the card that the machine has is."""

    NONE = "none"
    PRINT = "print"
    CONTACT = "contact"
    CONTACTLESS = "contactless"
    TRANSPORT = "transport"
    JAMMED = "jammed"
    EXIT = "exit"


class Habit(Enum):
    """What the customer does with a card at the exit."""

    TAKES = "takes"
    LEAVES = "leaves"
    PUSHES_BACK = "pushes-back"


class MoveError(Exception):
    """A movement did not come about: empty, jam, cover, full, nothing, or taken."""


JAM_FAULTS = (
    FaultSpec("jam-feeder", "The card sticks on its way out of the supply."),
    FaultSpec("jam-print", "It sticks on its way to the print head."),
    FaultSpec("jam-contact", "It sticks on its way to the contacts."),
    FaultSpec("jam-contactless", "It sticks on its way to the antenna."),
    FaultSpec("jam-flip", "It sticks while it is turned."),
    FaultSpec("jam-exit", "It sticks on its way to the exit."),
    FaultSpec("jam-output", "It sticks on its way to the output hopper."),
    FaultSpec("jam-retain", "It sticks on its way to the bin for retained cards."),
)
INSIDE = (Station.PRINT, Station.CONTACT, Station.CONTACTLESS, Station.TRANSPORT)


@dataclass(slots=True)
class Counts:
    """How many cards are where; `loaded` + `pushed` is the sum of the others."""

    loaded: int = 0
    pushed: int = 0
    supply: int = 0
    unloaded: int = 0
    inside: int = 0
    taken: int = 0
    output: int = 0
    retained: int = 0
    removed: int = 0


class CardMachine:
    """Moves one card at a time. Movements are instant here; who drives it lets the time pass that they take."""

    def __init__(
        self, clock: Clock, board: FaultBoard, *, bin_capacity: int, output_capacity: int, near_empty: int
    ) -> None:
        self._clock = clock
        self._board = board
        self.blank = Blank()
        self.bin_capacity, self.output_capacity, self.near_empty = bin_capacity, output_capacity, near_empty
        self.cover_open = False
        self.accepts = False
        """A card that is pushed into the exit is drawn in."""
        self.habit, self.patience = Habit.TAKES, 1.0
        self.card: Card | None = None
        self.station = Station.NONE
        self.gone: list[Card] = []
        """Cards that have left the machine, in their order: taken, in the output hopper, retained, removed."""
        self.in_bin = self.in_output = 0
        self.fed = 0
        """Cards taken from the supply since the machine was made; survives everything."""
        self.counts = Counts()
        self._serial = 0
        self._customer: Timer | None = None
        self.on_gone: Callable[[Card], object] = lambda card: None
        """Called with a card that has left the machine."""

    # --- what the motors do ----------------------------------------------------------------------------------------

    def feed(self) -> None:
        """From the supply to the print head. Raises MoveError."""
        self._check_way()
        if self.station is not Station.NONE:
            raise MoveError("occupied")
        if not self.counts.supply:
            raise MoveError("empty")
        self.counts.supply -= 1
        self.fed += 1
        self._take_in(self._made())
        self._jam("jam-feeder")
        self._to(Station.PRINT)

    def move(self, station: Station) -> None:
        """The card inside to a station inside. Raises MoveError."""
        self._need_inside()
        self._jam(f"jam-{station.value}")
        self._to(station)

    def flip(self) -> None:
        """Turn the card over. Raises MoveError."""
        self._need_inside()
        self._jam("jam-flip")
        self._to(Station.PRINT)

    def present(self) -> None:
        """To the exit, where the customer sees it. Raises MoveError."""
        self._need_inside()
        self._jam("jam-exit")
        self._to(Station.EXIT)
        self._invite()

    def pull_in(self) -> None:
        """From the exit to the print head. Raises MoveError when there is none any more."""
        self._check_way()
        if self.station is not Station.EXIT:
            raise MoveError("nothing")
        self._stop_customer()
        self._jam("jam-print")
        self._to(Station.PRINT)

    def eject(self) -> None:
        """Into the output hopper. Raises MoveError."""
        self._need_inside()
        if self.in_output >= self.output_capacity:
            raise MoveError("full")
        self._jam("jam-output")
        self.in_output += 1
        self.counts.output += 1
        self._leave("output")

    def retain(self) -> None:
        """Into the bin. Raises MoveError."""
        self._need_inside()
        if self.in_bin >= self.bin_capacity:
            raise MoveError("full")
        self._jam("jam-retain")
        self.in_bin += 1
        self.counts.retained += 1
        self._leave("retained")

    def stop(self) -> None:
        """The power fails in the middle of a movement: the card stays between stations."""
        if self.station in INSIDE:
            self._to(Station.TRANSPORT)

    # --- what people do --------------------------------------------------------------------------------------------

    def load(self, count: int, *, empty: bool = False) -> int:
        """Fill the supply; returns how many cards are in it."""
        if empty:
            self.counts.unloaded += self.counts.supply
            self.counts.supply = 0
        self.counts.loaded += count
        self.counts.supply += count
        return self.counts.supply

    def take(self) -> bool:
        """Take the card from the exit, or the last one from the output hopper."""
        if self.station is Station.EXIT:
            self._stop_customer()
            self.counts.taken += 1
            self._leave("taken")
            return True
        return False

    def push(self, blank: Blank) -> None:
        """Put a card into the exit: the one that lies there, or a new one. Raises MoveError when there is no room."""
        if self.station is Station.NONE:
            self.counts.pushed += 1
            self._serial += 1
            self.card = blank.card(self._serial)
            self._to(Station.EXIT)
        elif self.station is not Station.EXIT:
            raise MoveError("occupied")
        self._stop_customer()
        if self.accepts:
            self._to(Station.PRINT)

    def remove(self) -> bool:
        """Open the machine and take out the card that is stuck or inside."""
        if self.station in (Station.NONE, Station.EXIT):
            return False
        self.counts.removed += 1
        self._leave("removed")
        return True

    def empty_bin(self) -> int:
        """Empty the bin; how many cards were in it."""
        found, self.in_bin = self.in_bin, 0
        return found

    def empty_output(self) -> int:
        """Empty the output hopper."""
        found, self.in_output = self.in_output, 0
        return found

    def count(self) -> Counts:
        """How many are where now."""
        self.counts.inside = int(self.card is not None)
        return self.counts

    # --- in common -------------------------------------------------------------------------------------------------

    def _check_way(self) -> None:
        if self.cover_open:
            raise MoveError("cover")
        if self.station is Station.JAMMED:
            raise MoveError("jam")

    def _need_inside(self) -> None:
        self._check_way()
        if self.station not in INSIDE:
            raise MoveError("nothing")

    def _jam(self, fault: str) -> None:
        if self._board.take(fault):
            self._to(Station.JAMMED)
            raise MoveError("jam")

    def _made(self) -> Card:
        self._serial += 1
        return self.blank.card(self._serial)

    def _take_in(self, card: Card) -> None:
        self.card = card
        self._to(Station.TRANSPORT)

    def _to(self, station: Station) -> None:
        self.station = station
        if self.card is not None:
            self.card.place = station.value
            if station is not Station.CONTACT and self.card.chip is not None:
                self.card.chip.power_off()

    def _leave(self, place: str) -> None:
        card, self.card = self.card, None
        assert card is not None
        card.place = place
        self.gone.append(card)
        self._to(Station.NONE)
        self.on_gone(card)

    def _invite(self) -> None:
        """The customer sees the card."""
        if self.habit is Habit.LEAVES:
            return
        act = self._take if self.habit is Habit.TAKES else self._push_back
        self._customer = self._clock.call_later(self.patience, act)

    def _take(self) -> None:
        self.take()

    def _push_back(self) -> None:
        self._customer = None
        if self.station is Station.EXIT:
            self.push(Blank())

    def _stop_customer(self) -> None:
        if self._customer is not None:
            self._customer.cancel()
            self._customer = None
