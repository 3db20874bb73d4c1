"""Your app against a terminal that misbehaves: a state machine for hypothesis, to be extended.

::

    class Paying(TerminalMachine):
        def __init__(self):
            super().__init__()
            self.app = TellerApp(self.terminal.address)
            self.slips = 0

        @rule(receipt=receipts(max_blocks=3))
        def customer_pays(self, receipt):
            self.slips += self.app.pay(receipt)

        @invariant()
        def every_slip_that_the_app_counts_was_printed(self):
            assert self.slips == len([o for o in self.terminal.counter.operations.list() if o.state == SUCCEEDED])

    TestPaying = Paying.TestCase
    TestPaying.settings = settings(max_examples=20, stateful_step_count=10, deadline=None)

Hypothesis mixes your rules with those of the machine: hands that lay cards on the reader, open covers, pull plugs, and
faults of every kind. What it finds it makes as short as it can and prints as a program.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

from hypothesis import settings as Settings  # noqa: N812 - hypothesis names a class so
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from countertop.client.errors import CountertopError, InvalidRequest
from countertop.testing._ledger import FINAL, Ledger
from countertop.testing.strategies import (
    BenchAction,
    PowerCycle,
    Replug,
    ScheduledFault,
    Unplug,
    bench_actions,
    fault_names,
    fault_schedules,
)
from countertop.testing.terminal import DeviceLike, EmulatedTerminal
from countertop.v1 import device_pb2
from countertop.v1.device_pb2 import DeviceKind, DeviceState

__all__ = ["TerminalMachine", "run_terminal_machine"]

READY_SECONDS = 20.0
"""How long a device that was mended may take to be READY again."""
_READY = frozenset((device_pb2.DEVICE_STATE_READY, device_pb2.DEVICE_STATE_ATTENTION))
_LINK = ("disconnect", "noise", "split-replies", "corrupt-reply")
_LATE = ("stall", "slow-drain", "mute", "slow")
"""Left out unless asked for: the device answers late or not at all, and each takes seconds."""


class TerminalMachine(RuleBasedStateMachine):
    """A whole emulated terminal behind real gRPC, people who handle it, and misfortunes. Extend it with rules that
    drive your app; the app connects to `self.terminal.address`.

    After every step holds, and is checked: events have no holes; no operation that the daemon took is lost; what is
    UNCERTAIN is not repeated before a person has looked; nothing is on paper that no operation explains, and all that
    SUCCEEDED is. At the end of each example everything is mended, every device must be READY again, and every
    operation must have ended.

    One terminal serves all examples; `fresh = True` starts one for each (about a second). Rules of yours that leave
    threads with operations running should end them in `teardown`, before `super().teardown()`.
    """

    devices: ClassVar[Sequence[DeviceLike]] = (
        {"id": "id-reader", "emulator": "sdt", "emulator_options": {"boot_seconds": 0, "read_seconds": 0}},
        {
            "id": "receipt-printer",
            "emulator": "escpos",
            "emulator_options": {"speed": 20},
            "options": {"answer_seconds": 0.5},
        },
    )
    """What is on the counter, as EmulatedTerminal takes it. Faults that last for seconds do so on the emulator's own
    clock; with `speed` 0 they end at once."""
    faults: ClassVar[Mapping[str, Sequence[str]]] = {
        "id-reader": (*_LINK, "read-fails"),
        "receipt-printer": (*_LINK, "paper-out", "cover-open", "cutter-error", "power-cycle"),
    }
    """Which faults may happen to which device. A device that is not named has those of its kind's usual emulator, but
    for those that take seconds."""
    plugs: ClassVar[bool] = True
    """Plugs are pulled and put back."""
    fresh: ClassVar[bool] = False
    """A new terminal for each example."""

    _shared: ClassVar[dict[type[TerminalMachine], tuple[EmulatedTerminal, Ledger]]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.terminal, self._ledger = self._started()
        self._kinds: dict[str, DeviceKind] = {device.id: device.kind for device in self.terminal.counter.devices()}
        self._unplugged: set[str] = set()
        self._touched: set[str] = set()
        self._ledger.begin()

    # -- hands and misfortunes --

    @rule(hand=st.runner().flatmap(lambda machine: machine.hands()))
    def somebody_does(self, hand: tuple[str, BenchAction]) -> None:
        """Hands: lay and take cards, open and close covers, load paper, sign, pull and put back plugs."""
        device_id, action = hand
        unplugged = device_id in self._unplugged
        if isinstance(action, Unplug | PowerCycle) if unplugged else isinstance(action, Replug):
            return  # it is so already
        self._touched.add(device_id)
        try:
            action.apply(self.terminal.bench, device_id)
        except InvalidRequest:
            return  # there is nothing that could be done: no room, nobody waits
        if isinstance(action, Unplug):
            self._unplugged.add(device_id)
        elif isinstance(action, Replug):
            self._unplugged.discard(device_id)

    @rule(misfortune=st.runner().flatmap(lambda machine: machine.misfortunes()))
    def something_goes_wrong(self, misfortune: tuple[str, ScheduledFault]) -> None:
        """A fault begins, now or some bytes later; it ends by itself."""
        device_id, fault = misfortune
        if device_id in self._unplugged:
            return
        self._touched.add(device_id)
        fault.apply(self.terminal.bench, device_id)

    @rule()
    def everything_is_mended(self) -> None:
        """Faults end, plugs, covers and paper are as they should be; every device is READY."""
        for device_id in sorted(self._touched):
            self._mend(device_id)
        for device_id in sorted(self._touched):
            self._wait_until_ready(device_id)
        self._touched.clear()

    def hands(self) -> st.SearchStrategy[tuple[str, BenchAction]]:
        """What people may do: (device id, action). By default all that `bench_actions` knows for each device."""
        return st.one_of(
            [
                st.tuples(st.just(device_id), bench_actions(kind, plugs=self.plugs))
                for device_id, kind in self._kinds.items()
            ]
        )

    def misfortunes(self) -> st.SearchStrategy[tuple[str, ScheduledFault]]:
        """What may go wrong: (device id, fault)."""
        chosen = []
        for device_id, kind in self._kinds.items():
            names = self.faults.get(device_id, [name for name in fault_names(kind) if name not in _LATE])
            if names:
                faults = fault_schedules(names, min_faults=1, max_faults=1, ends=True, max_bytes=600)
                chosen.append(st.tuples(st.just(device_id), faults.map(lambda schedule: schedule.faults[0])))
        return st.one_of(chosen)

    # -- laws --

    @invariant()
    def events_have_no_holes(self) -> None:
        """Sequences are contiguous."""
        self._ledger.check_events()

    @invariant()
    def no_operation_is_lost(self) -> None:
        """Every operation that was taken is known."""
        self._ledger.operations()

    @invariant()
    def what_is_uncertain_is_not_repeated(self) -> None:
        """Neither by the app nor by the daemon."""
        self._ledger.check_no_uncertain_is_repeated()

    @invariant()
    def the_paper_is_explained(self) -> None:
        """While something runs, the paper is on its way."""
        if all(operation.state in FINAL for operation in self._ledger.operations().values()):
            self._ledger.check_paper()

    def teardown(self) -> None:
        """Mend everything, look that it works again, and at the laws once more."""
        try:
            self._touched.update(self._kinds)
            self.everything_is_mended()
            self._ledger.check_ended()
            self._ledger.check_events()
            self._ledger.check_paper()
        except BaseException:
            self.stop_terminal()  # the next example shall not suffer from this one
            raise
        if self.fresh:
            self.stop_terminal()

    # -- the terminal --

    @classmethod
    def stop_terminal(cls) -> None:
        """Stop the terminal that examples share. The next example starts another; also done when the process ends."""
        terminal, ledger = cls._shared.pop(cls, (None, None))
        if ledger is not None:
            ledger.close()
        if terminal is not None:
            terminal.stop()

    @classmethod
    def _started(cls) -> tuple[EmulatedTerminal, Ledger]:
        if cls not in cls._shared:
            terminal = EmulatedTerminal(cls.devices)
            terminal.start()
            cls._shared[cls] = terminal, Ledger(terminal)
        return cls._shared[cls]

    def _mend(self, device_id: str) -> None:
        bench, kind = self.terminal.bench, self._kinds[device_id]
        bench.clear_fault(device_id)
        if device_id in self._unplugged:
            bench.replug(device_id)
            self._unplugged.discard(device_id)
        if kind == device_pb2.DEVICE_KIND_ID_READER:
            bench.remove_card(device_id)
        elif kind == device_pb2.DEVICE_KIND_RECEIPT_PRINTER:
            bench.close_cover(device_id)
            bench.load_paper(device_id)
        elif kind == device_pb2.DEVICE_KIND_CARD_PRINTER:
            bench.close_cover(device_id)
            bench.remove_jam(device_id)
            bench.take_card(device_id)
            bench.load_ribbon(device_id)
            bench.load_cards(50, device_id, empty=True)

    def _wait_until_ready(self, device_id: str) -> None:
        """A device that does not come back by itself is reset, as staff would do."""
        if self.terminal.counter.device(device_id).state in _READY:
            return
        with suppress(CountertopError):  # what counts is whether it becomes READY
            self.terminal.counter.reset(device_id, timeout=READY_SECONDS)
        device = self._ledger.when(device_id, _READY, READY_SECONDS)
        state = DeviceState.Name(device.state)
        why = ", ".join(condition.action for condition in device.status.conditions)
        assert device.state in _READY, f"{device_id} was mended and is {state}: {why or device.failure.message}"


def run_terminal_machine(machine: type[TerminalMachine], *, settings: Settings | None = None) -> None:
    """Run a machine, as its TestCase does, and stop its terminal. Raises what it finds."""
    try:
        run_state_machine_as_test(machine, settings=settings)
    finally:
        machine.stop_terminal()


@atexit.register
def _stop_all() -> None:
    for machine in list(TerminalMachine._shared):
        machine.stop_terminal()
