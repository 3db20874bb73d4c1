"""A machine with a small app on it: the app that is right passes, and a mistake in it is found."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from countertop.client import CountertopError, sync
from countertop.client.errors import InvalidRequest, OutcomeUncertain
from countertop.server.runner import Limits
from countertop.testing.machine import TerminalMachine, run_terminal_machine
from countertop.testing.strategies import BenchAction, LoadPaper, OpenCover, ScheduledFault, receipts
from countertop.v1.receipt_pb2 import Block, Cut, Paragraph, Receipt, Span

QUICK = settings(
    max_examples=6,
    stateful_step_count=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)

FIND = settings(QUICK, max_examples=100, phases=[Phase.generate])


def slip(text: str) -> Receipt:
    return Receipt(blocks=[Block(paragraph=Paragraph(spans=[Span(text=text)])), Block(cut=Cut())])


class App:
    """A teller's app: reads a card, prints a slip, tells whether the customer has it."""

    def __init__(self, counter: sync.Counter) -> None:
        self.counter = counter

    def pay(self, number: str) -> bool:
        try:
            self.counter.receipt_printer().print(slip(number), operation_id=number)
        except CountertopError:
            return False
        return True

    def read(self) -> str:
        try:
            return self.counter.id_reader().read(timeout=0.3).document.number
        except CountertopError:
            return ""


def check_slips(bench: sync.Bench, given: list[str]) -> None:
    lines, skip = [], 0
    while page := bench.output(skip=skip, limit=20, text_only=True):
        lines += [line for output in page for line in output.text.splitlines()]
        skip = page[-1].number
    paper = Counter(lines)
    assert all(paper[number] == 1 for number in given), "a slip that was given is not on paper"


class Teller(TerminalMachine):
    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []
        self.teller = App(self.terminal.counter)

    @rule()
    def customer_pays(self) -> None:
        number = uuid.uuid4().hex
        if self.teller.pay(number):
            self.given.append(number)

    @rule(receipt=receipts(max_blocks=3))
    def another_receipt_is_printed(self, receipt: Receipt) -> None:
        try:
            self.terminal.counter.receipt_printer().print(receipt)
        except InvalidRequest:
            raise
        except CountertopError:
            return  # the printer may be in any state

    @rule()
    def customer_shows_a_card(self) -> None:
        self.teller.read()

    @invariant()
    def customers_hold_the_slips_that_they_were_given(self) -> None:
        check_slips(self.terminal.bench, self.given)


class Trusting(TerminalMachine):
    """An app that gives a slip to the customer whenever it has sent one. The paper and the cover alone are handled, so
    that it is found soon.
    """

    devices = TerminalMachine.devices[1:]

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []

    def hands(self) -> st.SearchStrategy[tuple[str, BenchAction]]:
        return st.tuples(st.just("receipt-printer"), st.sampled_from((OpenCover(), LoadPaper(empty=True))))

    def misfortunes(self) -> st.SearchStrategy[tuple[str, ScheduledFault]]:
        return st.just(("receipt-printer", ScheduledFault("split-replies", times=1)))

    @rule()
    def customer_pays(self) -> None:
        number = uuid.uuid4().hex
        App(self.terminal.counter).pay(number)
        self.given.append(number)

    @invariant()
    def customers_hold_the_slips_that_they_were_given(self) -> None:
        check_slips(self.terminal.bench, self.given)


class Repeating(TerminalMachine):
    """An app that does not know whether it has printed, and prints again as soon as the printer is well."""

    devices = TerminalMachine.devices[1:]

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Receipt] = []

    def hands(self) -> st.SearchStrategy[tuple[str, BenchAction]]:
        return st.just(("receipt-printer", LoadPaper()))

    def misfortunes(self) -> st.SearchStrategy[tuple[str, ScheduledFault]]:
        return st.just(("receipt-printer", ScheduledFault("split-replies", times=1)))

    def something_breaks(self) -> None:
        """In the middle of the next receipt, until somebody mends it."""
        self._touched.add("receipt-printer")
        self.terminal.bench.inject_fault("receipt-printer", "disconnect", after_bytes=150)

    @rule(breaks=st.booleans())
    def customer_pays(self, breaks: bool) -> None:
        if self.waiting:
            self.everything_is_mended()
        if breaks:
            self.something_breaks()
        receipt = self.waiting.pop() if self.waiting else slip("\n".join(uuid.uuid4().hex for _ in range(8)))
        try:
            self.terminal.counter.receipt_printer().print(receipt)
        except OutcomeUncertain:
            self.waiting.append(receipt)
        except CountertopError:
            return  # nothing came out, or a part that staff can see


def test_an_app_that_is_right_passes_through_hands_and_faults() -> None:
    run_terminal_machine(Teller, settings=QUICK)
    assert Teller not in TerminalMachine._shared, "the terminal was stopped"


def test_a_mistake_in_the_app_is_found_by_a_law_of_its_own() -> None:
    with pytest.raises(AssertionError, match="not on paper") as caught:
        run_terminal_machine(Trusting, settings=settings(FIND, stateful_step_count=4))
    told = "\n".join(caught.value.__notes__)
    handled = max(told.rfind("OpenCover()"), told.rfind("LoadPaper("))
    assert 0 < handled < told.rfind("state.customer_pays()"), told


def test_an_app_that_repeats_what_is_uncertain_is_found_by_the_machines_own_law(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Limits, "settle", 0.3)
    with pytest.raises(AssertionError, match=r"UNCERTAIN, and .* asked for the same"):
        run_terminal_machine(Repeating, settings=FIND)
