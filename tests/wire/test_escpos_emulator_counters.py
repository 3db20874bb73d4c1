"""What the emulated printer remembers: process ids that nobody heard, and maintenance counters."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.bench.v1 import bench_pb2 as verbs
from countertop.emulators.core.clock import ManualClock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.escpos.counters import COUNTERS, Counters
from countertop.emulators.escpos.device import DEVICE_FAULTS, Machine, MachineSettings
from countertop.emulators.escpos.emulator import start
from countertop.emulators.escpos.models import MODELS, Model

CLEAR = bytes.fromhex("10140801031401060208")
LINES_FED, LINES_FED_EVER = 20, 148
HEAD, HEAD_EVER = 21, 149
CUTS, CUTS_EVER = 50, 178
HOURS, HOURS_EVER = 70, 198
CUT = b"\x1dVB\0"
PATIENCE = 10.0


def process_id(name: bytes) -> bytes:
    return b"\x1d(H\x06\x0000" + name


def process_answer(name: bytes) -> bytes:
    return b"\x37\x22" + name + b"\0"


def asking(number: int) -> bytes:
    return b"\x1dg2\0" + number.to_bytes(2, "little")


def resetting(number: int) -> bytes:
    return b"\x1dg0\0" + number.to_bytes(2, "little")


def told(value: int) -> bytes:
    return b"\x5f" + str(value).encode() + b"\0"


class Bench:
    """A printer; a client listens from `connect` to `leave`."""

    def __init__(self, model: Model = MODELS["TM-T88VI"], **options: Any) -> None:
        self.clock = ManualClock()
        self.board = FaultBoard(DEVICE_FAULTS, self.clock)
        self.machine = Machine(
            self.clock,
            self.board,
            MachineSettings(model=model, **{"speed_mm_s": 1e6, **options}),
            pause=lambda: None,
            resume=lambda: None,
            on_receipt=lambda receipt: None,
        )
        self.connect()

    def connect(self) -> bytes:
        self.answers: list[bytes] = []
        self.machine.connected(self.answers.append)
        return self.said()

    def said(self) -> bytes:
        answers = b"".join(self.answers)
        self.answers.clear()
        return answers

    def send(self, data: bytes) -> bytes:
        self.machine.received(data)
        return self.said()

    async def run(self, seconds: float = 60.0) -> bytes:
        await self.clock.advance(seconds)
        return self.said()

    async def count(self, number: int) -> int:
        await self.run(1)
        answer = self.send(asking(number))
        assert answer[:1] == b"\x5f"
        assert answer[-1:] == b"\0"
        return int(answer[1:-1])


# Process ids that nobody heard


@pytest.fixture
def left() -> Bench:
    """A slow printer whose client has gone away while it prints."""
    bench = Bench(speed_mm_s=10.0)
    bench.send(b"one\n" + process_id(b"0001") + b"two\n" + process_id(b"0002"))
    bench.machine.disconnected()
    return bench


async def test_the_latest_process_id_waits_for_the_next_client(left: Bench):
    await left.run()
    assert left.connect() == process_answer(b"0002")


async def test_a_process_id_is_told_once(left: Bench):
    await left.run()
    left.connect()
    left.machine.disconnected()
    assert left.connect() == b""


async def test_a_client_that_comes_back_in_time_hears_each_process_id(left: Bench):
    assert left.connect() == b""
    assert await left.run() == process_answer(b"0001") + process_answer(b"0002")
    left.machine.disconnected()
    assert left.connect() == b""


async def test_power_off_forgets_the_process_id(left: Bench):
    await left.run()
    left.machine.power_cycle()
    assert left.connect() == b""


async def test_the_process_id_of_lost_data_is_never_told(left: Bench):
    left.machine.power_cycle()
    await left.run()
    assert left.connect() == b""


async def test_the_process_id_of_cleared_data_is_not_kept():
    bench = Bench()
    bench.machine.set_cover(is_open=True)
    bench.send(b"lost\n" + process_id(b"LOST") + CLEAR)
    bench.machine.disconnected()
    bench.machine.set_cover(is_open=False)
    await bench.run()
    assert bench.connect() == b""


async def test_no_other_answer_is_kept():
    bench = Bench(speed_mm_s=10.0)
    bench.send(b"one\n\x1dr\x01" + asking(CUTS) + b"\x1dI\x01")
    bench.machine.disconnected()
    await bench.run()
    assert bench.connect() == b""


async def test_a_process_id_reaches_a_client_that_connects_over_tcp(monkeypatch):
    emulator = await start({"speed": 0})
    host, port = emulator.link_url.removeprefix("tcp://").split(":")
    try:
        await emulator.open_cover(verbs.OpenCoverRequest())
        first = await asyncio.open_connection(host, int(port))
        first[1].write(b"held\n" + process_id(b"0007") + b"\x10\x04\x01")
        await asyncio.wait_for(first[0].readexactly(1), PATIENCE)
        gone, disconnected = asyncio.Event(), emulator.machine.disconnected
        monkeypatch.setattr(emulator.machine, "disconnected", lambda: (disconnected(), gone.set()))
        first[1].close()
        await first[1].wait_closed()
        await asyncio.wait_for(gone.wait(), PATIENCE)
        await emulator.close_cover(verbs.CloseCoverRequest())
        await asyncio.wait_for(emulator.wait_idle(), PATIENCE)
        second = await asyncio.open_connection(host, int(port))
        assert await asyncio.wait_for(second[0].readexactly(7), PATIENCE) == process_answer(b"0007")
        second[1].close()
        await second[1].wait_closed()
    finally:
        await emulator.close()


# Maintenance counters


async def test_lines_fed_are_counted_by_thirty_dots_of_paper():
    bench = Bench()
    bench.send(b"line\n" * 10 + b"\x1bJ\x3c")
    assert await bench.count(LINES_FED) == await bench.count(LINES_FED_EVER) == 12


async def test_the_head_is_counted_by_rows_that_have_black():
    bench = Bench()
    bench.send(b"\n" * 5)
    assert await bench.count(HEAD) == 0
    picture = b"\xff" * 7 + b"\0" * 3
    bench.send(b"\x1dv0\0\x01\0\x0a\0" + picture)
    assert await bench.count(HEAD) == await bench.count(HEAD_EVER) == 7


async def test_cuts_are_counted_and_a_jammed_one_is_not():
    bench = Bench()
    bench.send(b"a\n" + CUT + b"b\n" + CUT)
    assert await bench.count(CUTS) == await bench.count(CUTS_EVER) == 2
    bench.board.inject("cutter-error")
    bench.send(b"c\n" + CUT)
    await bench.run()
    bench.board.clear("cutter-error")
    bench.send(b"\x10\x05\x02")
    assert await bench.count(CUTS) == 2


async def test_hours_are_those_with_the_power_on():
    bench = Bench()
    await bench.run(2 * 3600 + 10)
    bench.machine.power_off()
    await bench.run(5 * 3600)
    bench.machine.power_on()
    assert await bench.count(HOURS) == await bench.count(HOURS_EVER) == 2
    await bench.run(3600)
    assert await bench.count(HOURS) == 3


@pytest.mark.parametrize("number", [LINES_FED, HEAD, CUTS, HOURS])
async def test_a_reset_counter_begins_anew_and_the_cumulative_one_goes_on(number):
    cumulative = number + 128
    bench = Bench()
    bench.send(b"line\n" * 40 + CUT)
    await bench.run(3700)
    before = await bench.count(cumulative)
    assert before > 0
    assert bench.send(resetting(number)) == b""
    assert (await bench.count(number), await bench.count(cumulative)) == (0, before)
    bench.send(b"line\n" * 10 + CUT)
    await bench.run(3700)
    since = await bench.count(number)
    assert 0 < since <= before
    assert before + since <= await bench.count(cumulative) <= before + since + 1  # parts of a count add up


@pytest.mark.parametrize("number", [LINES_FED_EVER, CUTS_EVER])
async def test_a_cumulative_counter_cannot_be_reset(number):
    bench = Bench()
    bench.send(b"line\n" * 4 + CUT)
    before = await bench.count(number)
    bench.send(resetting(number))
    assert await bench.count(number) == before > 0


@pytest.mark.parametrize(
    "command", [asking(0), asking(22), asking(148 * 256), b"\x1dg2\x01\x14\0", b"\x1dg1\0\x14\0", resetting(99)]
)
def test_what_the_printer_does_not_count_is_not_answered_nor_printed(command):
    bench = Bench()
    assert bench.send(command) == b""
    assert bench.machine.roll.current.text == ""
    assert bench.send(asking(CUTS)) == told(0)


async def test_a_counter_is_told_in_order():
    bench = Bench(speed_mm_s=10.0)
    assert bench.send(b"line\n" * 3 + asking(LINES_FED) + b"line\n" * 3) == b""
    assert await bench.run() == told(3)


def test_a_model_without_counters_swallows_the_commands():
    bench = Bench(Model("TM-OLD", counters=False))
    assert bench.send(asking(CUTS) + resetting(CUTS)) == b""
    assert bench.machine.roll.current.text == ""


async def test_power_off_loses_what_was_counted_since_the_last_saving():
    bench = Bench()
    for _ in range(3):
        bench.send((b"x\n" + CUT) * 3)
        await bench.run(1)
    lines = await bench.count(LINES_FED)
    assert await bench.count(CUTS) == 9
    bench.machine.power_cycle()
    assert await bench.count(CUTS) == await bench.count(CUTS_EVER) == 8
    assert await bench.count(LINES_FED) == lines // 32 * 32


async def test_initialising_and_clearing_leave_the_counters_alone():
    bench = Bench()
    bench.send(b"line\n" * 5)
    await bench.run(1)
    bench.send(b"\x1b@" + CLEAR)
    assert await bench.count(LINES_FED) >= 5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(COUNTERS)), st.integers(0, 3000), st.booleans()), max_size=30))
def test_no_power_off_makes_a_counter_run_backwards_by_more_than_one_saving(steps):
    counters, true = Counters(lambda: 0.0), dict.fromkeys(COUNTERS, 0)
    for name, parts, off in steps:
        counters.count(name, parts)
        true[name] += parts
        if off:
            before = {each: counters.value(COUNTERS[each].cumulative) for each in COUNTERS}
            counters.power_off()
            for each, counter in COUNTERS.items():
                lost = before[each] - counters.value(counter.cumulative)
                assert 0 <= lost <= -(-counter.saved_each // counter.parts)
        for each, counter in COUNTERS.items():
            assert counters.value(counter.resettable) == counters.value(counter.cumulative)
            assert counters.value(counter.cumulative) <= true[each] // counter.parts
