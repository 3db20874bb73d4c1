"""Who may use which devices alone: the board of claims."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from countertop.sdk import CountertopError, InvalidRequest
from countertop.server.claims import ClaimBoard, ClaimPolicy
from countertop.v1 import claim_pb2
from countertop.v1.claim_pb2 import ClaimRequest

HELD = claim_pb2.CLAIM_STATE_HELD
GRACE = claim_pb2.CLAIM_STATE_GRACE
ENDED = claim_pb2.CLAIM_STATE_ENDED
REVOKED = claim_pb2.CLAIM_STATE_REVOKED


class HandClock:
    """A clock that goes on by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Any]] = []
        self._number = 0

    def call_later(self, delay: float, call: Callable[[], None]) -> Any:
        class Handle:
            cancelled = False

            def cancel(self) -> None:
                self.cancelled = True

        handle = Handle()
        self._number += 1
        heapq.heappush(self._due, (self.now + delay, self._number, (handle, call)))
        return handle

    def forward(self, seconds: float) -> None:
        self.now += seconds
        while self._due and self._due[0][0] <= self.now:
            _, _, (handle, call) = heapq.heappop(self._due)
            if not handle.cancelled:
                call()

    @property
    def running(self) -> int:
        return sum(not handle.cancelled for _, _, (handle, _) in self._due)


class Table:
    """A board on three devices, with all that it tells."""

    def __init__(self, **policy: Any) -> None:
        self.clock = HandClock()
        self.told: list[tuple[str, int]] = []
        self.over: list[tuple[list[str], str]] = []
        self.board = ClaimBoard(
            {"a", "b", "c"}.__contains__,
            lambda info: self.told.append((info.label, info.state)),
            lambda devices, token: self.over.append((devices, token)),
            ClaimPolicy(**policy),
            call_later=self.clock.call_later,
        )

    def open(self, label: str, devices: str, wait: float | None = None, token: str = "") -> Stream:
        request = ClaimRequest(label=label, device_ids=list(devices), resume_token=token)
        if wait is not None:
            request.wait.CopyFrom(Duration(seconds=int(wait)))
        return Stream(self.board.claim(request))


class Stream:
    """A client's stream; what comes is at hand after a turn of the loop."""

    opened: ClassVar[list[Stream]] = []

    def __init__(self, updates: Any) -> None:
        self._updates = updates
        self.got: list[Any] = []
        self.error: CountertopError | None = None
        self.token = ""
        self.ended = False
        self.task = asyncio.ensure_future(self._follow())
        self.opened.append(self)

    async def _follow(self) -> None:
        try:
            async for update in self._updates:
                self.got.append(update)
                if update.HasField("granted"):
                    self.token = update.granted.token
        except CountertopError as error:
            self.error = error
        finally:
            self.ended = True
            await self._updates.aclose()

    async def turn(self) -> Stream:
        for _ in range(5):
            await asyncio.sleep(0)
        return self

    async def lose(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})

    @property
    def last(self) -> str:
        return str(self.got[-1].WhichOneof("update")) if self.got else ""


@pytest.fixture(autouse=True)
async def hang_up():
    yield
    mine = [stream for stream in Stream.opened if stream.task.get_loop() is asyncio.get_running_loop()]
    Stream.opened.clear()
    for stream in mine:
        await stream.lose()


async def test_free_devices_are_granted_at_once_all_together():
    table = Table()
    stream = await table.open("one", "ab").turn()
    assert stream.last == "granted"
    assert dict(stream.got[0].granted.fences) == {"a": 1, "b": 1}
    assert table.board.check("a", stream.token) == 1
    assert table.board.check("c", "") == 0
    await stream.lose()


async def test_others_are_refused_by_the_holders_label():
    table = Table()
    stream = await table.open("counter 3", "a").turn()
    with pytest.raises(CountertopError, match="'a' is claimed by 'counter 3'"):
        table.board.check("a", "")
    with pytest.raises(CountertopError, match="CLAIM_LOST"):
        table.board.check("a", "a wrong token")
    with pytest.raises(CountertopError, match="CLAIM_LOST"):
        table.board.check("b", stream.token)
    await stream.lose()


async def test_the_next_one_waits_and_gets_the_devices_when_they_are_given_back():
    table = Table()
    first = await table.open("first", "ab").turn()
    second, third = table.open("second", "b"), table.open("third", "bc")
    await third.turn()
    assert second.got[0].queued == claim_pb2.ClaimQueued(position=1, holders=["first"])
    assert third.got[0].queued.position == 2
    table.board.release(first.token)
    await third.turn()
    assert (first.ended, first.error) == (True, None)
    assert second.token
    assert third.got[-1].queued.position == 1
    assert table.over == [(["a", "b"], first.token)]
    await third.lose()
    await second.lose()


async def test_who_wants_less_does_not_overtake_who_waits_for_more():
    table = Table()
    first = await table.open("first", "a").turn()
    second, third = table.open("second", "ab"), table.open("third", "b")
    await third.turn()
    assert third.last == "queued"
    table.board.release(first.token)
    await third.turn()
    assert (bool(second.token), third.last) == (True, "queued")
    await second.lose()
    await third.lose()


async def test_a_lost_holder_may_come_back_within_the_grace_time():
    table = Table(grace_seconds=5.0)
    first = await table.open("first", "a").turn()
    await first.lose()
    assert table.board.check("a", first.token) == 1
    table.clock.forward(4.9)
    again = await table.open("first", "a", token=first.token).turn()
    assert (again.last, again.token) == ("granted", first.token)
    table.clock.forward(100)
    assert table.board.check("a", first.token) == 1
    await again.lose()


async def test_a_lost_holder_that_stays_away_makes_room():
    table = Table(grace_seconds=5.0)
    first = await table.open("first", "a").turn()
    second = await table.open("second", "a").turn()
    await first.lose()
    table.clock.forward(5.0)
    assert (await second.turn()).last == "granted"
    assert dict(second.got[-1].granted.fences) == {"a": 2}
    late = await table.open("first", "a", token=first.token).turn()
    assert late.error is not None
    assert "CLAIM_LOST" in str(late.error)
    assert [state for label, state in table.told if label == "first"] == [HELD, GRACE, ENDED]
    await second.lose()


async def test_a_second_stream_of_the_holder_ends_the_first():
    table = Table()
    first = await table.open("first", "a").turn()
    again = await table.open("first", "a", token=first.token).turn()
    assert "CLAIM_LOST" in str(first.error)
    assert again.last == "granted"
    await again.lose()


@pytest.mark.parametrize(("label", "devices"), [("other", "a"), ("first", "ab")])
async def test_a_token_is_good_for_its_own_claim_only(label, devices):
    table = Table()
    first = await table.open("first", "a").turn()
    other = await table.open(label, devices, token=first.token).turn()
    assert isinstance(other.error, InvalidRequest)
    assert table.board.check("a", first.token) == 1
    await first.lose()


async def test_waiting_has_an_end_that_names_the_holder():
    table = Table()
    first = await table.open("counter 3", "a").turn()
    second = await table.open("second", "a", wait=7).turn()
    table.clock.forward(7)
    await second.turn()
    assert "QUEUE_TIMEOUT" in str(second.error)
    assert "counter 3" in str(second.error)
    third = await table.open("third", "a", wait=0).turn()
    assert "CLAIMED_BY_OTHER" in str(third.error)
    assert "counter 3" in str(third.error)
    await first.lose()


async def test_few_may_wait():
    table = Table(queue=2)
    streams = [table.open(str(number), "a") for number in range(4)]
    await streams[-1].turn()
    assert "2 claims wait" in str(streams[-1].error)
    for stream in streams:
        await stream.lose()


@pytest.mark.parametrize(
    ("devices", "told"), [("aa", "device_ids: expected each device once"), ("ax", "No device 'x'")]
)
async def test_a_request_with_a_mistake_is_refused(devices, told):
    stream = await Table().open("one", devices).turn()
    assert told in str(stream.error)


async def test_a_holder_that_yields_hands_over():
    table = Table()
    first = await table.open("first", "a").turn()
    second = await table.open("second", "a").turn()
    await first.turn()
    asked = first.got[-1].handover_requested
    assert (asked.by, asked.answer_within.seconds, asked.revoked_without_answer) == ("second", 10, False)
    table.board.answer_handover(first.token, True)
    await second.turn()
    assert "handed over" in str(first.error)
    assert second.last == "granted"
    await second.lose()


async def test_a_holder_that_keeps_is_not_asked_again_by_the_same_one():
    table = Table(revoke_without_answer=True)
    first = await table.open("first", "a").turn()
    second = await table.open("second", "a", wait=500).turn()
    table.board.answer_handover(first.token, False)
    table.clock.forward(60)
    third = await table.open("third", "a").turn()
    await first.turn()
    asked = [update.handover_requested.by for update in first.got if update.HasField("handover_requested")]
    assert asked == ["second", "third"]
    for stream in (third, second, first):
        await stream.lose()


@pytest.mark.parametrize("revoke", [True, False])
async def test_without_an_answer_the_policy_decides(revoke):
    table = Table(revoke_without_answer=revoke)
    first = await table.open("first", "a").turn()
    second = await table.open("second", "a", wait=500).turn()
    table.clock.forward(10)
    await second.turn()
    assert second.last == ("granted" if revoke else "queued")
    assert (("first", REVOKED) in table.told) == revoke
    assert (first.error is not None) == revoke
    await second.lose()
    await first.lose()


async def test_closing_ends_all_and_no_clock_runs_on():
    table = Table()
    streams = [table.open("first", "ab"), table.open("second", "b"), table.open("third", "c")]
    await streams[-1].turn()
    table.board.close()
    for stream in streams:
        await stream.turn()
        assert "TERMINAL_STOPPING" in str(stream.error)
    assert table.clock.running == 0


async def test_fences_go_on_growing_over_restarts():
    board = ClaimBoard({"a"}.__contains__, lambda info: None, lambda d, t: None, ClaimPolicy(), fences={"a": 41})
    stream = await Stream(board.claim(ClaimRequest(label="x", device_ids=["a"]))).turn()
    assert dict(stream.got[0].granted.fences) == {"a": 42}
    await stream.lose()
    board.close()


class Claimants(RuleBasedStateMachine):
    """Clients that come, go, yield and come back, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.table = self.run(self._new())
        self.streams: list[Stream] = []
        self.lost: list[tuple[str, str, str]] = []
        self.wanted: dict[Stream, tuple[str, str]] = {}
        self.fences: dict[str, int] = {}

    @staticmethod
    async def _new() -> Table:
        return Table(queue=100)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def open(self, label: str, devices: str, token: str = "") -> None:
        async def begin() -> Stream:
            stream = self.table.open(label, devices, wait=600, token=token)
            return await stream.turn()

        stream = self.run(begin())
        self.wanted[stream] = (label, devices)
        self.streams.append(stream)

    @rule(devices=st.sets(st.sampled_from("abc"), min_size=1))
    def somebody_comes(self, devices: set[str]) -> None:
        self.open(f"client {len(self.wanted)}", "".join(sorted(devices)))

    def live(self) -> list[Stream]:
        return [stream for stream in self.streams if not stream.ended]

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def somebody_is_lost(self, data: st.DataObject) -> None:
        stream = data.draw(st.sampled_from(self.live()))
        self.run(stream.lose())
        if stream.token:
            self.lost.append((*self.wanted[stream], stream.token))

    @precondition(lambda self: self.lost)
    @rule(data=st.data())
    def somebody_comes_back(self, data: st.DataObject) -> None:
        self.open(*data.draw(st.sampled_from(self.lost)))

    @precondition(lambda self: any(stream.token for stream in self.live()))
    @rule(data=st.data(), yields=st.booleans())
    def a_holder_answers(self, data: st.DataObject, yields: bool) -> None:
        stream = data.draw(st.sampled_from([stream for stream in self.live() if stream.token]))
        self.table.board.answer_handover(stream.token, yields)
        self.run(stream.turn())

    @rule(seconds=st.sampled_from([0.5, 4.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.table.clock.forward(seconds)
        self.run(asyncio.sleep(0))

    @invariant()
    def no_device_has_two_holders_and_everybody_holds_all_or_nothing(self) -> None:
        held: list[str] = []
        for info in self.table.board.standing():
            if info.state in (HELD, GRACE):
                held += info.device_ids
        assert len(held) == len(set(held))
        for device_id, fence in self.table.board.fences.items():
            assert fence >= self.fences.get(device_id, 0)
        self.fences = dict(self.table.board.fences)

    @invariant()
    def nobody_waits_for_what_is_free(self) -> None:
        taken: set[str] = set()
        for info in self.table.board.standing():
            if info.state not in (HELD, GRACE):
                assert taken & set(info.device_ids), f"{info.label} waits for nobody"
            taken |= set(info.device_ids)

    def teardown(self) -> None:
        for _ in range(1000):
            self.table.clock.forward(6)  # those in their grace time are over
            for stream in self.live():
                self.run(stream.turn())
            holders = [stream for stream in self.live() if stream.token]
            if not holders:
                break
            self.table.board.release(holders[0].token)
        waiting = [info for info in self.table.board.standing() if info.state not in (HELD, GRACE)]
        assert not waiting, f"nobody holds anything, and these wait: {waiting}"
        self.table.board.close()
        for stream in self.live():
            self.run(stream.turn())
        assert self.table.clock.running == 0
        self.loop.close()
        Stream.opened.clear()


def test_any_order_of_coming_and_going_keeps_one_holder_a_device_and_lets_everybody_have_a_turn() -> None:
    run_state_machine_as_test(Claimants, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))
