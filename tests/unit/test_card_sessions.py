"""Cards in the making: the order of the work, what becomes of a card that goes wrong, and where it is after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.sdk.cards import recovery
from countertop.sdk.cards.printer import CardPrinter, CardSight
from countertop.sdk.device import Options, Settlement, Unsettled
from countertop.sdk.errors import CountertopError, DeviceFault, InvalidRequest, LinkFault
from countertop.sdk.links import parse_link
from countertop.v1 import card_pb2, card_printer_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import CardPlace, CardUnit, Coercivity, StripeData
from countertop.v1.card_printer_pb2 import IssueCardRequest, MoveCardRequest
from countertop.v1.operation_pb2 import Operation

PRINT, EXIT, NONE = card_pb2.CARD_PLACE_PRINT, card_pb2.CARD_PLACE_EXIT, card_pb2.CARD_PLACE_NONE
BIN, OUTPUT, JAMMED = card_pb2.CARD_PLACE_RETAIN_BIN, card_pb2.CARD_PLACE_OUTPUT, card_pb2.CARD_PLACE_JAMMED
STRIPE = StripeData(track2="6200000000000000=30120000")


@dataclass
class Counter:
    """The world: a machine with its cards, and the customer before it."""

    supply: int = 3
    place: CardPlace = NONE
    stripe: dict[int, str] = field(default_factory=dict)
    worked_on: bool = False
    finished: bool = False
    fed: int = 0
    given_out: list[bool] = field(default_factory=list)
    """Of each card that the customer took: it was finished."""
    output: int = 0
    retained: int = 0
    takes_after_looks: int | None = 1
    looks: int = 0
    write_fails: bool = False
    jams_at: CardPlace | None = None

    def accounted(self) -> int:
        inside = int(self.place != NONE)
        return self.supply + inside + len(self.given_out) + self.output + self.retained

    def look(self) -> CardPlace:
        if self.place == EXIT and self.takes_after_looks is not None:
            self.looks += 1
            if self.looks > self.takes_after_looks:
                self.given_out.append(self.finished)
                self._gone()
        return self.place

    def _gone(self) -> None:
        self.place, self.stripe, self.worked_on, self.finished, self.looks = NONE, {}, False, False, 0

    def go(self, place: CardPlace) -> None:
        if place == self.jams_at:
            self.place = JAMMED
            raise DeviceFault(error_pb2.REASON_CARD_JAMMED, step="move")
        if self.place == NONE:
            raise DeviceFault(error_pb2.REASON_NO_CARD_INSIDE, step="move")
        self.place = place
        if place == BIN:
            self.retained += 1
            self._gone()
        elif place == OUTPUT:
            self.output += 1
            self._gone()


class MemoryPrinter(CardPrinter):
    """A driver without wire. The link breaks at the primitive numbered `breaks_at`, before or after it took effect."""

    name = "memory"
    links = ()

    def __init__(self, world: Counter, breaks_at: int = -1, *, after: bool = False) -> None:
        super().__init__(parse_link("tcp://127.0.0.1:9100"), Options())
        self.world = world
        self.reports: list[device_pb2.DeviceStatus] = []
        self.report = self.reports.append
        self._left, self._after, self._broken = breaks_at, after, False

    @property
    def capabilities(self) -> device_pb2.CardPrinterCapabilities:
        return device_pb2.CardPrinterCapabilities(
            tracks=[1, 2, 3],
            exit=True,
            accepts=True,
            locates=True,
            units=[
                CardUnit(name="feeder", kind=card_pb2.CARD_UNIT_KIND_SUPPLY),
                CardUnit(name="reject", kind=card_pb2.CARD_UNIT_KIND_RETAIN),
            ],
        )

    def _wire(self, act: Any) -> Any:
        if self._broken or (self._left == 0 and not self._after):
            self._broken = True
            raise LinkFault(error_pb2.REASON_LINK_LOST)
        result = act()
        if self._left == 0:
            self._broken = True
            raise LinkFault(error_pb2.REASON_LINK_LOST)
        self._left -= 1
        return result

    async def connect(self) -> device_pb2.DeviceInfo:
        return device_pb2.DeviceInfo(card_printer=self.capabilities)

    async def disconnect(self) -> None:
        return

    async def look(self) -> CardSight:
        place = self._wire(self.world.look)
        level = card_pb2.CARD_UNIT_LEVEL_OK if self.world.supply else card_pb2.CARD_UNIT_LEVEL_EMPTY
        units = (CardUnit(name="feeder", kind=card_pb2.CARD_UNIT_KIND_SUPPLY, sensed=level),)
        return CardSight(place, units=units, fed=self.world.fed)

    async def feed(self, supply: str) -> None:
        def act() -> None:
            assert self.world.place == NONE, "a card is fed on top of another"
            self.world.supply -= 1
            self.world.fed += 1
            self.world.place = PRINT

        self._wire(act)

    async def move(self, place: CardPlace) -> None:
        self._wire(lambda: self.world.go(place))

    async def accept(self) -> bool:
        return bool(self._wire(lambda: False))

    async def write_stripe(self, stripe: StripeData, coercivity: Coercivity) -> None:
        def act() -> None:
            self.world.worked_on = True
            self.world.stripe = {2: "spoilt" if self.world.write_fails else stripe.track2}

        self._wire(act)

    async def read_stripe_tracks(self, tracks: Collection[int]) -> card_printer_pb2.ReadStripeResult:
        def act() -> card_printer_pb2.ReadStripeResult:
            blank, read = card_printer_pb2.TRACK_STATE_BLANK, card_printer_pb2.TRACK_STATE_READ
            found = self.world.stripe
            self.world.finished = found.get(2) == STRIPE.track2
            states = [(read if number in found else blank) if number in tracks else 0 for number in (1, 2, 3)]
            return card_printer_pb2.ReadStripeResult(stripe=StripeData(track2=found.get(2, "")), states=states)

        result: card_printer_pb2.ReadStripeResult = self._wire(act)
        return result

    async def print_card(self, image: Any) -> None:
        raise AssertionError("nothing is printed here")


class MemoryRun:
    """An operation: what was committed last is what the disk has."""

    operation_id = "card-1"
    time_left = 60.0

    def __init__(self) -> None:
        self.evidence: dict[str, Any] = {}
        self.committed = False
        self.events: list[Message] = []

    async def commit_point(self, step: str, evidence: Any = None) -> None:
        self.committed, self.evidence = True, dict(evidence)

    def emit(self, event: Message) -> None:
        self.events.append(event)

    def movements(self) -> list[str]:
        moved = [event for event in self.events if isinstance(event, card_pb2.CardMoved)]
        return [card_pb2.CardMovement.Name(event.movement).removeprefix("CARD_MOVEMENT_") for event in moved]

    async def instruction(self) -> Message:
        return await asyncio.Future()

    def __getattr__(self, name: str) -> Any:
        assert name in {"progress", "prompt", "working", "used", "effect"}, name
        return lambda *args: None


def request(**more: Any) -> IssueCardRequest:
    return IssueCardRequest(stripe=STRIPE, take_within=Duration(seconds=1), **more)


async def fault_of(printer: MemoryPrinter, asked: IssueCardRequest, run: MemoryRun) -> CountertopError:
    with pytest.raises(CountertopError) as caught:
        await printer.issue_card(asked, run)
    return caught.value


async def test_a_card_is_fed_written_presented_and_taken() -> None:
    world, run = Counter(), MemoryRun()
    result = await MemoryPrinter(world).issue_card(request(), run)
    assert result.card.place == card_pb2.CARD_PLACE_TAKEN
    assert result.card.stripe == card_pb2.CARD_WORK_DONE
    assert result.card.fed
    assert run.movements() == ["FED", "PRESENTED", "TAKEN"]
    assert world.given_out == [True]


async def test_a_card_that_nobody_takes_is_kept_back() -> None:
    world, run = Counter(takes_after_looks=None), MemoryRun()
    fault = await fault_of(MemoryPrinter(world), request(), run)
    assert isinstance(fault, DeviceFault)
    assert fault.reason == error_pb2.REASON_CARD_NOT_TAKEN
    assert fault.effect == error_pb2.PHYSICAL_EFFECT_PARTIAL
    assert fault.card is not None
    assert fault.card.place == BIN
    assert run.movements() == ["FED", "PRESENTED", "FORGOTTEN", "MOVED", "RETAINED"]
    assert (world.retained, world.given_out) == (1, [])


async def test_a_card_may_be_left_at_the_exit() -> None:
    world, run = Counter(takes_after_looks=None), MemoryRun()
    printer = MemoryPrinter(world)
    fault = await fault_of(printer, request(if_not_taken=card_printer_pb2.NOT_TAKEN_LEAVE), run)
    assert fault.reason == error_pb2.REASON_CARD_NOT_TAKEN
    assert world.place == EXIT
    status = await printer.status()
    assert [item.reason for item in status.conditions] == [error_pb2.REASON_CARD_AT_EXIT]
    world.takes_after_looks = 0
    await printer.status()
    assert printer.reports[-1].card.movement == card_pb2.CARD_MOVEMENT_TAKEN
    assert printer.reports[-1].card.operation_id == run.operation_id


async def test_a_stripe_that_does_not_read_back_is_never_given_out() -> None:
    world, run = Counter(write_fails=True), MemoryRun()
    fault = await fault_of(MemoryPrinter(world), request(), run)
    assert isinstance(fault, DeviceFault)
    assert fault.reason == error_pb2.REASON_STRIPE_WRITE_FAILED
    assert fault.card is not None
    assert (fault.card.place, fault.card.stripe) == (BIN, card_pb2.CARD_WORK_FAILED)
    assert run.movements() == ["FED", "REJECTED"]
    assert STRIPE.track2 not in str(fault)


async def test_a_wrong_blank_is_put_away_before_anything_is_written() -> None:
    world, run = Counter(), MemoryRun()
    blank = card_printer_pb2.BlankCheck(stripe_begins=StripeData(track2="99"))
    fault = await fault_of(MemoryPrinter(world), request(blank=blank), run)
    assert fault.reason == error_pb2.REASON_WRONG_BLANK
    assert world.retained == 1
    assert not world.worked_on


async def test_an_empty_supply_uses_up_nothing() -> None:
    world, run = Counter(supply=0), MemoryRun()
    fault = await fault_of(MemoryPrinter(world), request(), run)
    assert isinstance(fault, DeviceFault)
    assert (fault.reason, fault.effect) == (error_pb2.REASON_CARDS_OUT, error_pb2.PHYSICAL_EFFECT_NONE)
    assert not run.committed


async def test_a_card_that_is_inside_is_not_fed_upon() -> None:
    world, run = Counter(place=PRINT), MemoryRun()
    fault = await fault_of(MemoryPrinter(world), request(), run)
    assert fault.reason == error_pb2.REASON_CARD_INSIDE
    assert not run.committed


async def test_a_jam_leaves_the_card_where_it_is_and_says_so() -> None:
    world, run = Counter(jams_at=EXIT), MemoryRun()
    fault = await fault_of(MemoryPrinter(world), request(), run)
    assert isinstance(fault, DeviceFault)
    assert fault.reason == error_pb2.REASON_CARD_JAMMED
    assert fault.card is not None
    assert fault.card.place == JAMMED
    assert world.place == JAMMED


async def test_what_the_device_lacks_is_refused_before_a_card_is_used() -> None:
    world, run = Counter(), MemoryRun()
    chip = card_printer_pb2.ChipStep(app=card_printer_pb2.AppDrivenChip())
    fault = await fault_of(MemoryPrinter(world), request(chip=chip), run)
    assert fault.reason == error_pb2.REASON_NOT_SUPPORTED
    assert world.supply == 3


async def test_a_track_with_letters_that_it_cannot_hold_is_named_without_them() -> None:
    run = MemoryRun()
    fault = await fault_of(MemoryPrinter(Counter()), IssueCardRequest(stripe=StripeData(track2="SECRET")), run)
    assert isinstance(fault, InvalidRequest)
    assert list(fault.violations) == ["stripe.track2"]
    assert "SECRET" not in str(fault)


async def test_a_reset_keeps_back_a_card_that_is_inside() -> None:
    world = Counter(place=PRINT, supply=2)
    await MemoryPrinter(world).reset(device_pb2.ResetDeviceRequest(), MemoryRun())
    assert (world.place, world.retained) == (NONE, 1)


async def test_staff_that_take_out_a_card_are_noticed() -> None:
    world = Counter(place=PRINT, supply=2)
    printer = MemoryPrinter(world)
    assert [item.reason for item in (await printer.status()).conditions] == [error_pb2.REASON_CARD_INSIDE]
    world.place = NONE
    await printer.status()
    assert printer.reports[-1].card.movement == card_pb2.CARD_MOVEMENT_REMOVED


async def settled(
    world: Counter, run: MemoryRun, verb: str, breaks_at: int = -1, *, after: bool = False
) -> tuple[Settlement, MemoryPrinter]:
    printer = MemoryPrinter(world, breaks_at, after=after)
    operation = Operation(id=run.operation_id)
    return await printer.reconcile(Unsettled(verb, operation, run.evidence, run.commit_point)), printer


@settings(max_examples=400, deadline=None)
@given(
    breaks_at=st.integers(0, 14),
    again_at=st.integers(0, 6),
    after=st.tuples(st.booleans(), st.booleans()),
    takes=st.sampled_from([0, 1, 2, None]),
    write_fails=st.booleans(),
)
def test_wherever_the_link_breaks_twice_the_card_is_found_and_no_second_one_is_used(
    breaks_at: int, again_at: int, after: tuple[bool, bool], takes: int | None, write_fails: bool
) -> None:
    world, run = Counter(write_fails=write_fails, takes_after_looks=takes), MemoryRun()

    async def story() -> Settlement | None:
        asked = IssueCardRequest(stripe=STRIPE, take_within=Duration(nanos=1))
        try:
            await MemoryPrinter(world, breaks_at, after=after[0]).issue_card(asked, run)
        except LinkFault:
            if not run.committed:
                return None
        except CountertopError:
            return None
        else:
            return None
        with suppress(LinkFault):
            return (await settled(world, run, "issue_card", again_at, after=after[1]))[0]
        found, printer = await settled(world, run, "issue_card")
        assert found.card is not None
        told = [report.card.movement for report in printer.reports]
        assert not found.card.fed or card_pb2.CARD_MOVEMENT_FED in told
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "TAKE_SECONDS", 0.0)
        found = asyncio.run(story())
    assert world.accounted() == 3, "a card is lost"
    assert world.fed <= 1, "a second card was used"
    assert world.place == NONE, "a card was left inside"
    assert all(world.given_out), "a half-made card was given out"
    if found is not None:
        given = bool(world.given_out)
        assert found.effect != error_pb2.PHYSICAL_EFFECT_UNKNOWN
        assert (found.effect == error_pb2.PHYSICAL_EFFECT_COMPLETE) == given, found
        assert (found.effect == error_pb2.PHYSICAL_EFFECT_NONE) == (world.fed == 0), found
        assert (found.result is not None) == given


@pytest.mark.parametrize("move", [card_printer_pb2.CARD_MOVE_RETAIN, card_printer_pb2.CARD_MOVE_REJECT])
@pytest.mark.parametrize("after", [False, True])
async def test_putting_a_card_away_is_finished_after_a_crash(move: card_printer_pb2.CardMove, after: bool) -> None:
    world, run = Counter(place=PRINT, supply=2), MemoryRun()
    with pytest.raises(LinkFault):
        await MemoryPrinter(world, 1, after=after).move_card(MoveCardRequest(move=move), run)
    found, _ = await settled(world, run, "move_card")
    assert found.effect == error_pb2.PHYSICAL_EFFECT_COMPLETE
    assert (world.place, world.retained) == (NONE, 1)
