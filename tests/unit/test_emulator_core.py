"""The emulators' core: clocks, buses, the fault table, faults of the link."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from countertop.emulators.core.bus import READ_SIZE, Bus, PtyBus, TcpBus
from countertop.emulators.core.clock import Clock, ManualClock
from countertop.emulators.core.faults import FaultBoard, FaultSpec
from countertop.emulators.core.link_faults import LINK_FAULTS, LinkFaults

LIMIT = 5.0


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; say what did not happen."""

    async def poll() -> None:
        while not condition():  # noqa: ASYNC110 - any condition of the world, not only an event
            await asyncio.sleep(0.002)

    try:
        await asyncio.wait_for(poll(), LIMIT)
    except TimeoutError:
        pytest.fail(f"did not happen within {LIMIT} s: {what}")


class Echo:
    """A device that notes what it hears and, if asked, sends it back."""

    def __init__(self, answers: bool = True) -> None:
        self.answers = answers
        self.heard = bytearray()
        self.chunks: list[bytes] = []
        self.ups = 0
        self.downs = 0
        self.write: Callable[[bytes], None] = lambda data: None

    def connected(self, write: Callable[[bytes], None]) -> None:
        self.ups += 1
        self.write = write

    def received(self, data: bytes) -> None:
        self.heard += data
        self.chunks.append(data)
        if self.answers:
            self.write(data)

    def disconnected(self) -> None:
        self.downs += 1


async def connect(bus: TcpBus) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", bus.port)


async def exactly(reader: asyncio.StreamReader, count: int) -> bytes:
    return await asyncio.wait_for(reader.readexactly(count), LIMIT)


# Clocks


async def test_an_instant_clock_does_not_wait_but_its_time_moves_on() -> None:
    for speed in (0.0, math.inf):
        clock = Clock(speed)
        before = clock.now()
        await asyncio.wait_for(clock.sleep(3600), LIMIT)
        assert clock.now() - before >= 3600


async def test_a_fast_clock_shortens_waiting_by_its_speed() -> None:
    clock = Clock(speed=1000)
    before = clock.now()
    await asyncio.wait_for(clock.sleep(20), LIMIT)
    assert clock.now() - before >= 19.9


@pytest.mark.parametrize("speed", [-1.0, math.nan])
def test_a_clock_refuses_a_speed_that_makes_no_sense(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Clock(speed)


async def test_calls_of_an_instant_clock_come_soon_but_not_at_once() -> None:
    clock = Clock(0)
    done = asyncio.Event()
    clock.call_later(100, done.set)
    assert not done.is_set()
    await asyncio.wait_for(done.wait(), LIMIT)
    assert clock.now() >= 100


async def test_a_manual_clock_wakes_sleepers_in_the_order_of_their_time() -> None:
    clock = ManualClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.now()))

    tasks = [asyncio.create_task(sleeper("slow", 3)), asyncio.create_task(sleeper("quick", 1, 1))]
    await clock.advance(2.5)
    assert woken == [("quick", 1.0), ("quick", 2.0)]
    await clock.advance(0.5)
    assert woken[-1] == ("slow", 3.0)
    await asyncio.gather(*tasks)


async def test_a_cancelled_sleep_and_a_cancelled_timer_leave_nothing_behind() -> None:
    clock = ManualClock()
    calls: list[str] = []
    timer = clock.call_later(1, lambda: calls.append("timer"))
    task = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    task.cancel()
    timer.cancel()
    timer.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await clock.advance(10)
    assert calls == []
    assert task.cancelled()


# The pty


@pytest.fixture
async def pty_bus(tmp_path: Path) -> AsyncIterator[tuple[PtyBus, Echo]]:
    echo = Echo()
    bus = PtyBus(echo, tmp_path / "reader")
    await bus.start()
    yield bus, echo
    await bus.close()


async def test_a_serial_client_talks_to_the_device_through_the_stable_name(pty_bus: tuple[PtyBus, Echo]) -> None:
    bus, echo = pty_bus
    assert bus.link_url == f"serial://{bus.path}?baud=115200"
    everything = bytes(range(256))
    for _ in range(2):  # clients come and go
        with serial.Serial(str(bus.path), 115200, timeout=LIMIT) as port:
            await asyncio.to_thread(port.write, everything)
            assert await asyncio.to_thread(port.read, 256) == everything
    assert (echo.ups, echo.downs) == (1, 0)


async def test_the_device_sees_the_rate_that_the_client_sets(pty_bus: tuple[PtyBus, Echo]) -> None:
    bus, _ = pty_bus
    assert bus.client_baud == 115200
    with serial.Serial(str(bus.path), 9600):
        assert bus.client_baud == 9600


async def test_unplugging_a_pty_ends_the_client_and_replugging_brings_the_name_back(
    pty_bus: tuple[PtyBus, Echo],
) -> None:
    bus, echo = pty_bus
    url = bus.link_url
    client = os.open(bus.path, os.O_RDWR | os.O_NOCTTY)
    bus.unplug()
    bus.unplug()
    assert await asyncio.to_thread(os.read, client, 1) == b""
    with pytest.raises(OSError, match="Input/output"):
        os.write(client, b"x")
    os.close(client)
    assert not bus.path.is_symlink()
    assert not bus.plugged
    bus.replug()
    bus.replug()
    assert bus.link_url == url
    with serial.Serial(str(bus.path), timeout=LIMIT) as port:
        port.write(b"again")
        assert await asyncio.to_thread(port.read, 5) == b"again"
    assert (echo.ups, echo.downs) == (2, 1)


async def test_a_paused_pty_blocks_the_client_until_reading_goes_on(pty_bus: tuple[PtyBus, Echo]) -> None:
    bus, echo = pty_bus
    echo.answers = False
    bus.pause_reading()
    with serial.Serial(str(bus.path), write_timeout=0.3) as port:
        with pytest.raises(serial.SerialTimeoutException):
            await asyncio.to_thread(port.write, bytes(200_000))
        assert echo.heard == b""
        bus.resume_reading()
        await until(lambda: len(echo.heard) > 4096, "the device takes in what waited")
    assert max(map(len, echo.chunks)) <= READ_SIZE


async def test_output_that_nobody_reads_is_bounded_dropped_and_counted(tmp_path: Path) -> None:
    echo = Echo()
    bus = PtyBus(echo, tmp_path / "port", output_limit=1000)
    assert bus.output_room == 0
    await bus.start()
    for _ in range(200):
        echo.write(bytes(1000))
    assert bus.output_room == 0
    assert bus.dropped_bytes > 100_000
    await bus.close()


async def test_a_pty_never_replaces_what_is_not_its_own(tmp_path: Path) -> None:
    taken, elsewhere, stale = tmp_path / "taken", tmp_path / "elsewhere", tmp_path / "stale"
    taken.write_text("a file of somebody else")
    elsewhere.symlink_to(taken)
    stale.symlink_to("/dev/pts/99999")
    for path in (taken, elsewhere):
        with pytest.raises(ValueError, match="expected a free name"):
            await PtyBus(Echo(), path).start()
    assert taken.read_text() == "a file of somebody else"
    bus = PtyBus(Echo(), stale)
    await bus.start()
    assert stat.S_ISCHR(stale.stat().st_mode)
    await bus.close()
    assert not stale.is_symlink()


async def test_a_pty_without_a_path_lies_in_a_private_folder_that_goes_with_it() -> None:
    bus = PtyBus(Echo())
    with pytest.raises(RuntimeError):
        _ = bus.link_url
    await bus.start()
    folder = bus.path.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    await bus.close()
    await bus.close()
    assert not folder.exists()


# TCP


@pytest.fixture
async def tcp_bus() -> AsyncIterator[tuple[TcpBus, Echo]]:
    echo = Echo()
    bus = TcpBus(echo)
    await bus.start()
    yield bus, echo
    await bus.close()


async def test_the_first_connection_is_served_two_wait_and_a_fourth_is_refused(tcp_bus: tuple[TcpBus, Echo]) -> None:
    bus, echo = tcp_bus
    clients = [await connect(bus) for _ in range(3)]
    await until(lambda: bus.connections == 3, "three connections")

    async def fourth() -> None:
        reader, writer = await connect(bus)
        try:
            await exactly(reader, 1)
        finally:
            writer.close()

    with pytest.raises(ConnectionResetError):
        await fourth()
    for number, (_, writer) in reversed(list(enumerate(clients))):
        writer.write(b"client %d;" % number)
    assert await exactly(clients[0][0], 9) == b"client 0;"
    assert echo.heard == b"client 0;"
    for number in (1, 2):
        clients[number - 1][1].close()
        assert await exactly(clients[number][0], 9) == b"client %d;" % number
    clients[2][1].close()
    await until(lambda: bus.connections == 0, "all connections closed")
    assert (echo.ups, echo.downs) == (3, 3)


async def test_a_waiting_client_that_died_gives_its_place_away(tcp_bus: tuple[TcpBus, Echo]) -> None:
    bus, _ = tcp_bus
    clients = [await connect(bus) for _ in range(3)]
    await until(lambda: bus.connections == 3, "three connections")
    clients[1][1].transport.abort()
    clients[1] = await connect(bus)
    clients[0][1].close()
    clients[2][1].close()
    clients[1][1].write(b"served")
    assert await exactly(clients[1][0], 6) == b"served"
    clients[1][1].close()


async def test_unplugging_tcp_resets_clients_and_replugging_listens_on_the_same_port(
    tcp_bus: tuple[TcpBus, Echo],
) -> None:
    bus, echo = tcp_bus
    url = bus.link_url
    pairs = [await connect(bus), await connect(bus)]
    await until(lambda: bus.connections == 2, "two connections")
    bus.unplug()
    for reader, writer in pairs:
        with pytest.raises(ConnectionResetError):
            await exactly(reader, 1)
        writer.close()
    with pytest.raises(ConnectionRefusedError):
        await connect(bus)
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind(("127.0.0.1", bus.port))
    bus.replug()
    assert bus.link_url == url
    reader, writer = await connect(bus)
    writer.write(b"again")
    assert await exactly(reader, 5) == b"again"
    writer.close()
    assert echo.ups == 2


async def test_dropping_the_client_serves_the_next_one(tcp_bus: tuple[TcpBus, Echo]) -> None:
    bus, _ = tcp_bus
    first, second = await connect(bus), await connect(bus)
    await until(lambda: bus.connections == 2, "two connections")
    bus.drop_client()
    with pytest.raises(ConnectionResetError):
        await exactly(first[0], 1)
    second[1].write(b"mine")
    assert await exactly(second[0], 4) == b"mine"
    first[1].close()
    second[1].close()


def send_until_blocked(client: socket.socket) -> int:
    sent = 0
    while sent < 100_000_000:
        try:
            sent += client.send(bytes(4096))
        except BlockingIOError:
            break
    return sent


async def test_a_paused_tcp_device_blocks_the_client_at_a_bounded_amount() -> None:
    echo = Echo(answers=False)
    bus = TcpBus(echo, receive_buffer=16384)
    await bus.start()
    bus.pause_reading()
    client = socket.create_connection(("127.0.0.1", bus.port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    client.setblocking(False)
    sent = send_until_blocked(client)
    assert sent < 500_000
    assert echo.heard == b""
    bus.resume_reading()
    await until(lambda: len(echo.heard) == sent, "everything that was sent arrives")
    client.close()
    await until(lambda: echo.downs == 1, "the device notices the end")
    await bus.close()


async def test_a_tcp_client_that_does_not_read_costs_bounded_memory() -> None:
    echo = Echo(answers=False)
    bus = TcpBus(echo, output_limit=10_000)
    await bus.start()
    _, writer = await connect(bus)
    await until(lambda: echo.ups == 1, "connected")
    for _ in range(3000):
        echo.write(bytes(10_000))
    assert bus.dropped_bytes > 1_000_000
    assert bus.output_room == 0
    writer.transport.abort()
    await bus.close()


async def test_a_taken_port_is_an_error_and_leaks_nothing(tcp_bus: tuple[TcpBus, Echo]) -> None:
    bus, _ = tcp_bus
    second = TcpBus(Echo(), port=bus.port)
    with pytest.raises(OSError, match="in use"):
        await second.start()
    await second.close()


@pytest.mark.parametrize("kind", ["pty", "tcp"])
async def test_no_descriptor_is_left_after_many_rounds(kind: str) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def round_() -> None:
        bus: Bus = PtyBus(Echo()) if kind == "pty" else TcpBus(Echo())
        await bus.start()
        if isinstance(bus, TcpBus):
            _, writer = await connect(bus)
            writer.write(b"x")
            writer.transport.abort()
        bus.unplug()
        bus.replug()
        await bus.close()

    await round_()
    before = opened()
    for _ in range(10):
        await round_()
    await until(lambda: opened() <= before, "descriptors are closed")


# The fault table

SPECS = (FaultSpec("jam", "Paper is stuck."), FaultSpec("dust", "The sensor sees badly."))


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    board = FaultBoard(SPECS, ManualClock())
    for act in (board.inject, board.clear, board.active, board.take):
        with pytest.raises(ValueError, match="expected one of jam, dust, got 'fire'"):
            act("fire")
    with pytest.raises(ValueError, match="after_bytes"):
        board.inject("jam", after_bytes=-1)


def test_a_fault_by_count_ends_by_itself() -> None:
    board = FaultBoard(SPECS, ManualClock())
    board.inject("jam", times=2)
    assert [board.take("jam") for _ in range(3)] == [True, True, False]
    assert not board.active("jam")


async def test_a_fault_by_time_counts_from_the_moment_it_begins() -> None:
    clock = ManualClock()
    board = FaultBoard(SPECS, clock)
    changes: list[tuple[str, bool]] = []
    board.subscribe(lambda name, began: changes.append((name, began)))
    board.inject("jam", after_bytes=10, duration=5)
    clock.step(60)
    assert changes == []
    board.count_bytes(10)
    clock.step(4.9)
    assert board.active("jam")
    clock.step(0.2)
    assert not board.active("jam")
    assert changes == [("jam", True), ("jam", False)]


def test_a_fault_injected_anew_forgets_the_old_time_limit() -> None:
    clock = ManualClock()
    board = FaultBoard(SPECS, clock)
    board.inject("jam", duration=1)
    board.inject("jam")
    clock.step(100)
    assert board.active("jam")
    assert [(fault.name, fault.active) for fault in board.listing()] == [("jam", True), ("dust", False)]
    board.inject("dust")
    board.clear()
    assert not any(fault.active for fault in board.listing())


@given(after=st.integers(1, 100), counts=st.lists(st.integers(0, 30), max_size=20))
def test_a_fault_begins_exactly_after_its_bytes(after: int, counts: list[int]) -> None:
    board = FaultBoard(SPECS, ManualClock())
    board.inject("jam", after_bytes=after)
    taken = 0
    for count in counts:
        board.count_bytes(count)
        taken += count
        assert board.active("jam") == (taken >= after)
        assert board.bytes_until_next() == (after - taken if taken < after else None)


# Faults of the link


class MemoryBus(Bus):
    """A bus without a kernel: the test feeds it and looks at what comes out."""

    def __init__(self, peer: LinkFaults) -> None:
        super().__init__(peer)
        self.out: list[bytes] = []

    link_url = "memory:"

    @property
    def paused(self) -> bool:
        return self._paused

    async def start(self) -> None:
        self.replug()

    def replug(self) -> None:
        if not self._plugged:
            self._plugged = True
            self.peer.connected(self.out.append)

    def unplug(self) -> None:
        if self._plugged:
            self._plugged = False
            self.peer.disconnected()


class Faulty:
    """A device with the generic faults, on a bus in memory."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = ManualClock()
        self.board = FaultBoard(LINK_FAULTS, self.clock)
        self.echo = Echo()
        self.link = LinkFaults(self.echo, self.board, self.clock, Random(seed))
        self.bus = self.link.bind(MemoryBus(self.link))
        self.bus.replug()

    async def settle(self) -> None:
        for _ in range(100):
            await asyncio.sleep(0)


async def test_without_a_fault_bytes_pass_unchanged() -> None:
    faulty = Faulty()
    faulty.link.received(b"ping")
    assert faulty.bus.out == [b"ping"]


async def test_a_stalled_device_takes_in_nothing_and_answers_when_the_stall_ends() -> None:
    faulty = Faulty()
    faulty.board.inject("stall", after_bytes=2, duration=3)
    faulty.link.received(b"ping")
    assert faulty.echo.heard == b"pi"
    assert faulty.bus.paused
    faulty.echo.write(b"late")
    await faulty.settle()
    assert faulty.bus.out == [b"pi"]
    faulty.clock.step(3)
    await faulty.settle()
    assert faulty.echo.heard == b"ping"
    assert b"".join(faulty.bus.out) == b"pilateng"
    assert not faulty.bus.paused


async def test_a_slow_device_takes_960_bytes_a_second() -> None:
    faulty = Faulty()
    faulty.board.inject("slow-drain")
    faulty.link.received(bytes(READ_SIZE))
    assert faulty.bus.paused
    faulty.clock.step(1)
    assert 900 <= len(faulty.echo.heard) <= 1000
    faulty.board.clear("slow-drain")
    assert len(faulty.echo.heard) == READ_SIZE
    assert not faulty.bus.paused


async def test_the_link_breaks_after_exactly_so_many_bytes_and_stays_down() -> None:
    faulty = Faulty()
    faulty.board.inject("disconnect", after_bytes=3)
    faulty.link.received(b"abcdef")
    assert faulty.echo.heard == b"abc"
    assert not faulty.bus.plugged
    faulty.link.replug()
    assert not faulty.bus.plugged
    faulty.board.clear("disconnect")
    assert faulty.bus.plugged


async def test_a_counted_disconnect_breaks_the_link_so_many_times() -> None:
    faulty = Faulty()
    faulty.board.inject("disconnect", times=2)
    assert (faulty.bus.plugged, faulty.echo.downs) == (True, 1)
    faulty.link.received(b"lost")
    assert (faulty.bus.plugged, faulty.echo.downs) == (True, 2)
    faulty.link.received(b"kept")
    assert faulty.echo.heard == b"kept"


async def test_the_end_of_disconnect_does_not_replug_what_was_unplugged_by_hand() -> None:
    faulty = Faulty()
    faulty.board.inject("disconnect")
    faulty.link.unplug()
    faulty.board.clear()
    assert not faulty.bus.plugged


async def test_a_mute_device_works_but_its_answer_is_lost() -> None:
    faulty = Faulty()
    faulty.board.inject("mute", times=1)
    faulty.link.received(b"one")
    faulty.link.received(b"two")
    assert faulty.echo.heard == b"onetwo"
    assert faulty.bus.out == [b"two"]


@given(reply=st.binary(min_size=1, max_size=50), seed=st.integers(0, 1000))
def test_a_corrupt_reply_differs_in_exactly_one_bit(reply: bytes, seed: int) -> None:
    faulty = Faulty(seed)
    faulty.board.inject("corrupt-reply", times=1)
    faulty.link.received(reply)
    (sent,) = faulty.bus.out
    assert sum((a ^ b).bit_count() for a, b in zip(sent, reply, strict=True)) == 1


async def test_noise_comes_before_the_reply() -> None:
    faulty = Faulty()
    faulty.board.inject("noise", times=1)
    faulty.link.received(b"reply")
    (sent,) = faulty.bus.out
    assert sent.endswith(b"reply")
    assert 5 < len(sent) <= 5 + 16


async def test_split_replies_come_one_byte_at_a_time_and_in_order() -> None:
    faulty = Faulty()
    faulty.board.inject("split-replies", times=1)
    faulty.link.received(b"one")
    faulty.link.received(b"two")
    await faulty.settle()
    assert faulty.bus.out == [b"o", b"n", b"e", b"two"]


async def test_a_device_that_pauses_in_the_middle_gets_no_more_until_it_resumes() -> None:
    faulty = Faulty()
    faulty.board.inject("split-replies", after_bytes=2)  # makes the filter hand over two pieces
    take_in = faulty.echo.received

    def pausing(data: bytes) -> None:
        take_in(data)
        faulty.link.pause_reading()

    faulty.echo.received = pausing  # type: ignore[method-assign]
    faulty.link.received(b"abcd")
    assert faulty.echo.heard == b"ab"
    assert faulty.bus.paused
    faulty.echo.received = take_in  # type: ignore[method-assign]
    faulty.link.resume_reading()
    assert faulty.echo.heard == b"abcd"
    assert not faulty.bus.paused
    await faulty.settle()


async def test_late_replies_of_a_stalled_device_cost_bounded_memory() -> None:
    faulty = Faulty()
    faulty.board.inject("stall")
    for _ in range(1000):
        faulty.echo.write(bytes(1000))
    assert faulty.bus.dropped_bytes > 900_000
    faulty.board.clear()
    await faulty.settle()
    assert sum(map(len, faulty.bus.out)) + faulty.bus.dropped_bytes == 1_000_000
