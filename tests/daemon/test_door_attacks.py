"""The native doors under attack: others go on, what is refused says why and is written down, nothing is left behind.

Nothing here measures a time: what counts is how calls end.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countertop.client import CountertopError, connect
from countertop.server.app import Daemon
from countertop.server.audit.reading import find
from countertop.server.config import Config, ListenConfig, TerminalConfig
from countertop.server.doors import listener
from countertop.server.doors.listener import BROKEN, FOREIGN, PREFACE, SILENT, Limits
from countertop.server.doors.peers import TOO_MANY
from countertop.server.gate import MAX_CALLS, UNREADABLE
from countertop.v1 import device_pb2

LIMITS = Limits(total=24, of_one_client=12, hello_seconds=0.2)
LIST = "/countertop.v1.DeviceService/ListDevices"
WATCH = "/countertop.v1.DeviceService/WatchEvents"
EXCHANGE = "/countertop.v1.CameraService/WatchFrames"
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"


@pytest.fixture
async def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Daemon]:
    """One without devices, on a socket and on loopback, that is patient for a moment only."""
    monkeypatch.setattr(listener, "Limits", lambda: LIMITS)
    config = Config(
        terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state"),
        listen=ListenConfig([f"unix:{tmp_path}/t.sock", "127.0.0.1:0"]),
    )
    async with Daemon(config) as running:
        yield running


async def until(condition: Callable[[], bool]) -> None:
    """Fails after 10 s."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nothing tells of a descriptor that is closed
            await asyncio.sleep(0.01)


@asynccontextmanager
async def others_go_on(daemon: Any, door: int) -> AsyncIterator[None]:
    """Another client calls all the while, on a connection of before and on new ones: each call must be answered."""
    address = daemon.addresses[door]
    done = asyncio.Event()

    async def calling() -> int:
        answered = 0
        async with connect(address) as steady:
            while not done.is_set() or not answered:
                assert await steady.devices() == []
                async with connect(address) as fresh:
                    assert await fresh.devices() == []
                answered += 1
        return answered

    under_way = asyncio.create_task(calling())
    try:
        yield
    finally:
        done.set()
        assert await under_way
    await until(lambda: daemon._door.connections == 0)


async def refusals(daemon: Daemon) -> Counter[tuple[str, str]]:
    """Who was turned away, as the audit has it: by which door, and why. Of a flood it has some."""
    await daemon.terminal.audit.flush()
    records = [found.record for found in find(daemon.terminal.audit.folder, what=("refused", "denied"))]
    return Counter((record["door"], record.get("details", {}).get("why", record["outcome"])) for record in records)


DOORS = ("unix", "loopback")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def code_of(call: Any) -> grpc.StatusCode:
    """How a call ends. Its error is not kept, for that would keep its connection."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def raw(daemon: Daemon, door: int) -> socket.socket:
    """A connection that speaks nothing yet."""
    address = daemon.addresses[door]
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        sock = socket.create_connection((host, int(port)))
    sock.setblocking(False)
    return sock


async def hung_up(sock: socket.socket) -> bytes:
    """What came before the daemon hung up; fails after 10 s."""
    loop, came = asyncio.get_running_loop(), b""
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            while piece := await loop.sock_recv(sock, 65536):
                came += piece
    sock.close()
    return came


@pytest.mark.parametrize("door", [0, 1], ids=["unix", "tcp"])
@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", SILENT),
        (PREFACE[:10], SILENT),
        (b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", FOREIGN),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", FOREIGN),
        (b"\0" * 70_000, FOREIGN),
    ],
    ids=["silence", "half a preface", "HTTP/1.1", "TLS", "zeros"],
)
async def test_who_does_not_speak_http2_soon_is_hung_up_on(daemon, door, said, why):
    async with others_go_on(daemon, door):
        socks = [raw(daemon, door) for _ in range(6)]
        for sock in socks:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                sock.send(said)
        assert [await hung_up(sock) for sock in socks] == [b""] * 6
    assert await refusals(daemon) == {(DOORS[door], why): 6}


async def test_who_breaks_http2_is_hung_up_on_and_who_just_leaves_is_nobody_to_write_down(daemon):
    leaving, breaking = raw(daemon, 0), raw(daemon, 0)
    async with others_go_on(daemon, 1):
        for sock in (leaving, breaking):
            await asyncio.get_running_loop().sock_sendall(sock, PREFACE + SETTINGS)
        leaving.close()
        await asyncio.get_running_loop().sock_sendall(breaking, b"\0\0\x04\x08\0\0\0\0\0" + bytes(4))  # no increment
        await hung_up(breaking)
    assert await refusals(daemon) == {("unix", BROKEN): 1}


@pytest.mark.parametrize("method", [LIST, WATCH, EXCHANGE], ids=["a call", "a stream", "an exchange"])
async def test_bytes_that_are_no_message_are_told_so(daemon, method):
    async with grpc.aio.insecure_channel(daemon.addresses[0]) as channel:
        if method == LIST:
            call: Any = channel.unary_unary(method)(b"\xff")
        elif method == WATCH:
            call = anext(aiter(channel.unary_stream(method)(b"\xff")))
        else:
            call = anext(aiter(channel.stream_stream(method)(iter([b"\xff"]))))
        with pytest.raises(grpc.aio.AioRpcError, match="The request is no") as refused:
            await call
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert await refusals(daemon) == {("unix", UNREADABLE): 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(said=st.binary(max_size=200))
async def test_any_bytes_behind_the_preface_end_one_connection_at_most(daemon, said):
    sock = raw(daemon, 0)
    await asyncio.get_running_loop().sock_sendall(sock, PREFACE + SETTINGS + said)
    async with connect(daemon.addresses[0]) as counter:
        assert await counter.devices() == []
    sock.close()
    await until(lambda: daemon._door.connections == 0)


async def test_a_preface_in_single_bytes_is_a_preface(daemon):
    sock, loop = raw(daemon, 0), asyncio.get_running_loop()
    for byte in PREFACE + SETTINGS:
        await loop.sock_sendall(sock, bytes([byte]))
    async with asyncio.timeout(10):
        assert len(await loop.sock_recv(sock, 9)) == 9  # SETTINGS of gRPC
    sock.close()


@pytest.mark.parametrize("door", [0, 1], ids=["unix", "tcp"])
async def test_a_flood_of_connections_is_turned_away_and_gives_everything_back(daemon, door):
    async with others_go_on(daemon, 1 - door):  # as another client is counted by itself
        pass
    before = descriptors()
    async with others_go_on(daemon, 1 - door):
        flood = [raw(daemon, door) for _ in range(100)]
        await until(lambda: daemon._door.connections >= LIMITS.of_one_client)
        assert [await hung_up(sock) for sock in flood] == [b""] * 100
    await until(lambda: descriptors() <= before)
    assert (await refusals(daemon))[DOORS[door], TOO_MANY]


async def test_who_is_known_stays_when_strangers_flood_an_address(daemon):
    async with connect(daemon.addresses[1]) as steady:
        assert await steady.devices() == []
        flood = [raw(daemon, 1) for _ in range(60)]
        for sock in flood:
            with contextlib.suppress(OSError):
                sock.send(PREFACE + SETTINGS)  # they stay as long as they like
        async with connect(daemon.addresses[1]) as newcomer:
            assert await newcomer.devices() == []
        assert await steady.devices() == []
        for sock in flood:
            sock.close()
    assert (await refusals(daemon))["loopback", TOO_MANY]


async def test_streams_beyond_the_limit_of_a_client_are_refused_with_a_reason(daemon):
    async def beginning(stream: Any) -> str:
        try:
            assert await stream.read() is not grpc.aio.EOF
        except grpc.aio.AioRpcError as error:
            trailer: Any = dict(error.trailing_metadata())
            details = trailer.get("grpc-status-details-bin", b"")
            return f"{error.code().name}, with the reason: {b'TOO_MANY_CALLS' in details}"
        return "served"

    async with others_go_on(daemon, 1), grpc.aio.insecure_channel(daemon.addresses[0]) as channel:
        watch: Any = channel.unary_stream(WATCH)
        streams = [watch(b"") for _ in range(MAX_CALLS)]
        assert Counter([await beginning(stream) for stream in streams]) == {"served": MAX_CALLS}
        for _ in range(10):  # a hundred at once: gRPC itself lets 256 streams of a connection be open
            ended = await asyncio.gather(*(beginning(watch(b"")) for _ in range(100)))
            assert Counter(ended) == {"RESOURCE_EXHAUSTED, with the reason: True": 100}
        for stream in streams:
            stream.cancel()
            del stream
        streams.clear()
    assert (await refusals(daemon))["unix", "TOO_MANY_CALLS"] == 1000


async def test_a_message_that_is_too_large_is_refused_and_nothing_else_happens(daemon):
    """Above four times the limit gRPC refuses it before anything of ours is asked, so that the audit has not that."""
    async with others_go_on(daemon, 0), grpc.aio.insecure_channel(daemon.addresses[0]) as channel:
        call: Any = channel.unary_unary(LIST)
        get: Any = channel.unary_unary("/countertop.v1.DeviceService/GetDevice")
        assert await code_of(call(bytes(16 * 1024 * 1024))) is grpc.StatusCode.RESOURCE_EXHAUSTED
        large = device_pb2.GetDeviceRequest(device_id="x" * 2_000_000).SerializeToString()
        assert await code_of(get(large)) is grpc.StatusCode.INVALID_ARGUMENT
        assert await code_of(call(b"")) is grpc.StatusCode.OK
    await daemon.terminal.audit.flush()
    (record,) = [found.record for found in find(daemon.terminal.audit.folder, what=("call",))]
    assert (record["method"], record["outcome"]) == ("DeviceService.GetDevice", "INVALID_REQUEST")


async def test_hundreds_of_impatient_calls_end_as_what_they_are(daemon):
    async with others_go_on(daemon, 1), grpc.aio.insecure_channel(daemon.addresses[0]) as channel:
        call: Any = channel.unary_unary(LIST)
        watch: Any = channel.unary_stream(WATCH)

        async def watched() -> None:
            async for _ in watch(b"", timeout=0.001):
                pass

        calls = [call(b"", timeout=0.001) for _ in range(300)]
        codes = set(await asyncio.gather(*map(code_of, calls), *(code_of(watched()) for _ in range(300))))
        del calls
        assert grpc.StatusCode.DEADLINE_EXCEEDED in codes
        # a call may be answered in time; more than the gate lets through at once are refused
        assert codes <= {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OK}
        assert await code_of(call(b"")) is grpc.StatusCode.OK


async def test_a_client_that_reads_nothing_is_slowed_down_and_keeps_nothing_in_the_daemon(daemon):
    """Its answers stay in gRPC and in the kernel, and the relay keeps one piece at most."""
    sock, loop = raw(daemon, 0), asyncio.get_running_loop()
    await loop.sock_sendall(sock, PREFACE + SETTINGS)
    ping = b"\0\0\x08\x06\0\0\0\0\0" + b"12345678"
    sent = 0
    with contextlib.suppress(TimeoutError, ConnectionError):
        while sent < 64 * 1024 * 1024:
            async with asyncio.timeout(0.3):
                await loop.sock_sendall(sock, ping * 1000)
            sent += 17_000
    assert sent < 64 * 1024 * 1024  # it was slowed down, or hung up on
    async with connect(daemon.addresses[0]) as counter:
        assert await counter.devices() == []
    sock.close()
    await until(lambda: daemon._door.connections == 0)


async def test_a_flood_without_tokens_is_refused_with_a_reason(daemon):
    async with others_go_on(daemon, 1), grpc.aio.insecure_channel(daemon.addresses[1]) as channel:
        call: Any = channel.unary_unary(LIST)
        codes = set(await asyncio.gather(*(code_of(call(b"")) for _ in range(500))))
    # somebody unknown has to go when the address has too many connections
    assert codes - {grpc.StatusCode.UNAVAILABLE} == {grpc.StatusCode.UNAUTHENTICATED}
    assert (await refusals(daemon))["loopback", "no token"]


async def test_whoever_hangs_up_in_the_middle_leaves_nothing(daemon):
    async with connect(daemon.addresses[1]) as warm:
        assert await warm.devices() == []
    await until(lambda: daemon._door.connections == 0)
    before = descriptors()
    async with others_go_on(daemon, 1):
        for _ in range(30):
            sock = raw(daemon, 0)
            sock.send(PREFACE + SETTINGS)
            sock.close()
    await until(lambda: descriptors() <= before)


async def test_the_daemon_can_stop_while_clients_hold_on(daemon):
    silent, speaking = raw(daemon, 0), raw(daemon, 0)
    speaking.send(PREFACE + SETTINGS)
    async with connect(daemon.addresses[0]) as counter:
        assert await counter.devices() == []
        await daemon.stop()
        with pytest.raises(CountertopError):
            await counter.devices()
    for sock in (silent, speaking):
        await hung_up(sock)
    assert daemon._door.connections == 0
