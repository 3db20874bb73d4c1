"""The mechanics of emulated card machines: whatever happens, each card is in exactly one place."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from countertop.emulators.core.cards.card import Blank
from countertop.emulators.core.cards.machine import INSIDE, JAM_FAULTS, CardMachine, Habit, MoveError, Station
from countertop.emulators.core.clock import ManualClock
from countertop.emulators.core.faults import FaultBoard

STATIONS = st.sampled_from([Station.PRINT, Station.CONTACT, Station.CONTACTLESS])


def machine(**sizes: int) -> tuple[CardMachine, ManualClock, FaultBoard]:
    clock = ManualClock()
    board = FaultBoard(JAM_FAULTS, clock)
    sizes = {"bin_capacity": 3, "output_capacity": 2, "near_empty": 1} | sizes
    return CardMachine(clock, board, **sizes), clock, board


class Cards(RuleBasedStateMachine):
    """Motors, staff, customers and jams in any order."""

    @initialize(cards=st.integers(0, 4), accepts=st.booleans())
    def begin(self, cards: int, accepts: bool) -> None:
        self.machine, self.clock, self.board = machine()
        self.machine.load(cards)
        self.machine.accepts = accepts
        self.serials: set[int] = set()

    def attempt(self, move: Any, *arguments: Any) -> None:
        with suppress(MoveError):
            move(*arguments)

    @rule()
    def feed(self) -> None:
        supply, fed = self.machine.counts.supply, self.machine.fed
        self.attempt(self.machine.feed)
        assert self.machine.counts.supply + self.machine.fed == supply + fed

    @rule(station=STATIONS)
    def move(self, station: Station) -> None:
        self.attempt(self.machine.move, station)

    @rule(name=st.sampled_from(["flip", "present", "pull_in", "eject", "retain"]))
    def do(self, name: str) -> None:
        self.attempt(getattr(self.machine, name))

    @rule()
    def power_fails(self) -> None:
        self.machine.stop()
        assert self.machine.station not in set(INSIDE) - {Station.TRANSPORT}

    @rule(count=st.integers(0, 3), empty=st.booleans())
    def load(self, count: int, empty: bool) -> None:
        self.machine.load(count, empty=empty)

    @rule()
    def take(self) -> None:
        was_there = self.machine.station is Station.EXIT
        assert self.machine.take() is was_there

    @rule()
    def push(self) -> None:
        self.attempt(self.machine.push, Blank())

    @rule()
    def remove(self) -> None:
        self.machine.remove()
        assert self.machine.station in (Station.NONE, Station.EXIT)

    @rule(habit=st.sampled_from(list(Habit)), patience=st.floats(0, 5))
    def customer(self, habit: Habit, patience: float) -> None:
        self.machine.habit, self.machine.patience = habit, patience

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds: float) -> None:
        self.clock.step(seconds)

    @rule(fault=st.sampled_from([spec.name for spec in JAM_FAULTS]))
    def jam(self, fault: str) -> None:
        self.board.inject(fault, times=1)

    @rule(open_=st.booleans())
    def cover(self, open_: bool) -> None:
        self.machine.cover_open = open_

    @rule(output=st.booleans())
    def empty(self, output: bool) -> None:
        (self.machine.empty_output if output else self.machine.empty_bin)()

    @invariant()
    def each_card_is_in_one_place(self) -> None:
        if not hasattr(self, "machine"):
            return
        counts = self.machine.count()
        came = counts.loaded + counts.pushed
        supplied = counts.supply + counts.unloaded
        left = counts.taken + counts.output + counts.retained + counts.removed
        assert came == supplied + left + counts.inside
        assert self.machine.fed == counts.loaded - supplied
        assert len(self.machine.gone) == left
        assert counts.inside == (self.machine.station is not Station.NONE)

    @invariant()
    def no_card_is_there_twice(self) -> None:
        if not hasattr(self, "machine"):
            return
        cards = [*self.machine.gone, *([self.machine.card] if self.machine.card else [])]
        assert len({card.serial for card in cards}) == len(cards)
        assert self.machine.in_bin <= self.machine.bin_capacity
        assert self.machine.in_output <= self.machine.output_capacity


TestCards = Cards.TestCase
TestCards.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("fault", [spec.name for spec in JAM_FAULTS])
def test_each_jam_holds_the_card_until_staff_takes_it_out(fault: str) -> None:
    cards, _, board = machine()
    cards.load(2)
    board.inject(fault, times=1)
    moves = {
        "jam-feeder": [],
        "jam-print": [lambda: cards.move(Station.PRINT)],
        "jam-contact": [lambda: cards.move(Station.CONTACT)],
        "jam-contactless": [lambda: cards.move(Station.CONTACTLESS)],
        "jam-flip": [cards.flip],
        "jam-exit": [cards.present],
        "jam-output": [cards.eject],
        "jam-retain": [cards.retain],
    }[fault]
    *before, jams = [cards.feed, *moves]
    for move in before:
        move()
    with pytest.raises(MoveError, match="jam"):
        jams()
    assert cards.station is Station.JAMMED
    with pytest.raises(MoveError, match="jam"):
        cards.feed()
    assert cards.remove()
    assert cards.gone[-1].place == "removed"
    cards.feed()
    assert cards.station is Station.PRINT


def test_a_customer_takes_a_card_after_a_while_and_pushes_one_back_otherwise() -> None:
    cards, clock, _ = machine()
    cards.load(2)
    cards.patience = 3.0
    cards.feed()
    cards.present()
    clock.step(2.9)
    assert cards.station is Station.EXIT
    clock.step(0.2)
    assert cards.gone[-1].place == "taken"
    cards.habit, cards.accepts = Habit.PUSHES_BACK, True
    cards.feed()
    cards.present()
    clock.step(3.1)
    assert cards.station is Station.PRINT


def test_a_card_that_is_drawn_in_again_is_not_taken() -> None:
    cards, clock, _ = machine()
    cards.load(1)
    cards.feed()
    cards.present()
    cards.pull_in()
    clock.step(60)
    assert cards.station is Station.PRINT
    assert not cards.gone
