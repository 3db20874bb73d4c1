"""The place above the antenna: a card, and how far the module has come with it."""

from __future__ import annotations

from enum import Enum, auto

from countertop.emulators.sdt.card import Card
from countertop.emulators.sdt.wire import Status

__all__ = ["CardField", "State", "Step"]


class State(Enum):
    """How far the module has come with the card."""

    EMPTY = auto()
    LYING = auto()
    FOUND = auto()
    SELECTED = auto()
    READ = auto()
    """Read once: find fails until the card was lifted; smaller items can still be read."""
    SPENT = auto()
    """Neither found nor read until it was lifted."""


class Step(Enum):
    """What the module does with the card."""

    FIND = auto()
    SELECT = auto()
    READ = auto()
    READ_ITEM = auto()
    FAIL = auto()
    """The card's data could not be read."""
    FAIL_FOR_GOOD = auto()
    """The same, on a module that then wants the card lifted."""
    RESET = auto()


_REFUSALS = {
    Step.FIND: Status.FIND_FAILED,
    Step.SELECT: Status.SELECT_FAILED,
    Step.READ: Status.READ_FAILED,
    Step.READ_ITEM: Status.READ_FAILED,
    Step.FAIL: Status.READ_FAILED,
    Step.FAIL_FOR_GOOD: Status.READ_FAILED,
    Step.RESET: Status.OK,
}
"""The answer, and no change, wherever the table below says nothing."""

_MOVES: dict[tuple[State, Step], tuple[State, Status]] = {
    (State.LYING, Step.FIND): (State.FOUND, Status.CARD_FOUND),
    (State.FOUND, Step.FIND): (State.FOUND, Status.CARD_FOUND),
    (State.SELECTED, Step.FIND): (State.FOUND, Status.CARD_FOUND),
    (State.FOUND, Step.SELECT): (State.SELECTED, Status.OK),
    (State.SELECTED, Step.READ): (State.READ, Status.OK),
    (State.SELECTED, Step.READ_ITEM): (State.SELECTED, Status.OK),
    (State.READ, Step.READ_ITEM): (State.READ, Status.OK),
    (State.SELECTED, Step.FAIL_FOR_GOOD): (State.SPENT, Status.READ_FAILED),
    (State.FOUND, Step.RESET): (State.LYING, Status.OK),
    (State.SELECTED, Step.RESET): (State.LYING, Status.OK),
    (State.READ, Step.RESET): (State.SPENT, Status.OK),
}


class CardField:
    """At most one card, and its state."""

    def __init__(self) -> None:
        self.card: Card | None = None
        self.state = State.EMPTY

    def lay(self, card: Card) -> None:
        """A card is laid down, in place of one that may lie there."""
        self.card = card
        self.state = State.LYING

    def lift(self) -> bool:
        """The card is taken away; False when there was none."""
        there = self.card is not None
        self.card = None
        self.state = State.EMPTY
        return there

    def forget(self) -> None:
        """The module lost its power: a card that lies there is new to it."""
        self.state = State.EMPTY if self.card is None else State.LYING

    def step(self, step: Step) -> Status:
        """Do a step; returns what the module answers. A step out of order is refused and changes nothing."""
        self.state, status = _MOVES.get((self.state, step), (self.state, _REFUSALS[step]))
        return status
