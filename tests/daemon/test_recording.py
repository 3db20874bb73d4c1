"""RecordLink over a real gRPC connection."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import grpc
import pytest

from countertop.client import connect
from countertop.sdk import DriverSpec, hookimpl
from countertop.sdk.trace.reading import parse_trace
from countertop.sdk.trace.sealing import Unsealer, new_key_pair
from countertop.server import recording as server_recording
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.server.plugins import Plugins
from countertop.server.services import recording as service
from countertop.v1 import device_pb2, operation_pb2

READY, OFFLINE = device_pb2.DEVICE_STATE_READY, device_pb2.DEVICE_STATE_OFFLINE
TRACE = Path(__file__).parents[1] / "wire" / "traces" / "sdt-visit.trace"
SECRET = 20 * "7"
LIMIT = 10


def plugin() -> ModuleType:
    module = ModuleType("recording_plugin")

    @hookimpl
    def countertop_drivers() -> list[DriverSpec]:
        kind, names = device_pb2.DEVICE_KIND_ID_READER, {"echo": "Echo", "unmasked": "Unmasked", "linkless": "Linkless"}
        return [DriverSpec(name, kind, f"recording_drivers:{word}Reader", "made up") for name, word in names.items()]

    module.countertop_drivers = countertop_drivers  # type: ignore[attr-defined]
    return module


@asynccontextmanager
async def echoing() -> AsyncIterator[SimpleNamespace]:
    """A server that gives back what it is sent, and counts its connections."""
    counted = SimpleNamespace(connections=0, port=0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counted.connections += 1
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    counted.port = server.sockets[0].getsockname()[1]
    try:
        yield counted
    finally:
        server.close()


@pytest.fixture
async def served(tmp_path, monkeypatch, caller, until):
    """Starts a daemon with one reader of these options."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    started = []

    async def start(echo=None, state=READY, **device):
        device = {"driver": "echo", "link": f"tcp://127.0.0.1:{echo.port if echo else 1}"} | device
        config = Config(
            terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state", drain_seconds=0.1),
            listen=ListenConfig(addresses=[f"unix:{tmp_path}/t.sock"]),
            devices=[DeviceConfig(id="reader", **device)],
        )
        daemon = Daemon(config, plugins=Plugins(plugin()))
        await daemon.__aenter__()
        channel = grpc.aio.insecure_channel(daemon.addresses[0])
        started.append((daemon, channel))
        call = caller(channel)
        await until(call, "reader", state)
        return SimpleNamespace(call=call, daemon=daemon, runner=daemon.terminal.runners["reader"])

    yield start
    for daemon, channel in started:
        await channel.close()
        await daemon.stop()


@pytest.fixture
async def echo() -> AsyncIterator[SimpleNamespace]:
    async with echoing() as counted:
        yield counted


class Recorded:
    """A client that records."""

    def __init__(self, call, **fields) -> None:
        self.stream = call.stream("DeviceService", "RecordLink", device_id="reader", **fields)
        self.lines: list[str] = []

    async def begun(self) -> Recorded:
        assert not (await asyncio.wait_for(self.stream.read(), LIMIT)).lines
        return self

    async def until(self, text: str, times: int = 1) -> None:
        async with asyncio.timeout(LIMIT):
            while "\n".join(self.lines).count(text) < times:
                response = await self.stream.read()
                assert response is not grpc.aio.EOF, self.lines
                self.lines += response.lines


async def refusal(call, **fields):
    with pytest.raises(Exception, match=r".") as caught:
        await call.all("DeviceService", "RecordLink", device_id="reader", **fields)
    return caught.value


async def state(call):
    return (await call.unary("DeviceService", "GetDevice", device_id="reader")).device.state


async def read(call, **fields):
    return await call.all("IdReaderService", "Read", device_id="reader", **fields)


HELLO = "> " + b"hello\n".hex(" ")
NUMBER = "> " + f"number {20 * '0'}\n".encode().hex(" ")
STATUS = "> " + b"status\n".hex(" ")


@pytest.mark.parametrize("isolation", ["none", "process"])
async def test_a_recording_begins_with_the_links_opening_and_is_masked(served, echo, isolation):
    counter = await served(echo, isolation=isolation)
    recorded = await Recorded(counter.call).begun()
    await read(counter.call)
    await recorded.until(NUMBER)
    recorded.stream.cancel()
    (section,) = parse_trace(recorded.lines)
    assert (section.header.driver, section.header.link, section.header.scheme) == ("echo", "bytes", "tcp")
    assert section.header.masked_by == "echo"
    assert section.entries[0].data == b"hello\n"
    text = "\n".join(recorded.lines)
    assert SECRET.encode().hex(" ") not in text
    assert str(echo.port) not in text
    assert "127.0.0.1" not in text


@pytest.mark.parametrize("isolation", ["none", "process"])
async def test_when_the_client_hangs_up_nothing_is_recorded_and_nothing_is_connected_anew(served, echo, isolation):
    counter = await served(echo, isolation=isolation)
    recorded = await Recorded(counter.call).begun()
    await recorded.until(STATUS)
    assert echo.connections == 2
    recorded.stream.cancel()
    async with asyncio.timeout(LIMIT):
        while counter.runner.recordings.current is not None:  # noqa: ASYNC110 - the daemon notices when it notices
            await asyncio.sleep(0.01)
    await read(counter.call)
    assert echo.connections == 2
    again = await Recorded(counter.call).begun()
    await again.until(HELLO)
    again.stream.cancel()
    assert echo.connections == 3


async def test_an_encrypted_recording_needs_no_masker_and_shows_nothing(served, echo):
    private, public = new_key_pair()
    counter = await served(echo, driver="unmasked")
    recorded = await Recorded(counter.call, encrypt_to=public.decode()).begun()
    await read(counter.call)
    await recorded.until("* ", 10)
    recorded.stream.cancel()
    assert HELLO not in recorded.lines
    (section,) = parse_trace(recorded.lines, Unsealer(private))
    assert section.entries[0].data == b"hello\n"
    assert any(SECRET.encode() in entry.data for entry in section.entries)


@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize(
    ("driver", "reason", "told"),
    [("unmasked", "NOT_SUPPORTED", "--encrypt-to"), ("linkless", "NOT_SUPPORTED", "nothing that could be recorded")],
)
async def test_what_cannot_be_recorded_is_refused_and_left_in_peace(served, echo, isolation, driver, reason, told):
    counter = await served(echo, driver=driver, isolation=isolation)
    before = echo.connections
    error = await refusal(counter.call)
    assert error.reason == reason
    assert told in str(error)
    assert await state(counter.call) == READY
    assert echo.connections == before


async def test_a_driver_that_cannot_make_its_masker_is_told_and_left_in_peace(served, echo):
    counter = await served(echo, options={"masking": "raises"})
    error = await refusal(counter.call)
    assert error.reason == "DRIVER_FAILED"
    assert "secret" not in str(error)
    assert await state(counter.call) == READY


@pytest.mark.parametrize("isolation", ["none", "process"])
async def test_a_masker_that_fails_ends_the_recording_and_not_the_operation(served, echo, isolation, caplog):
    counter = await served(echo, isolation=isolation, options={"masking": "fails"})
    recorded = await Recorded(counter.call).begun()
    updates = await read(counter.call)
    assert updates[-1].result.document.number == "7"
    with pytest.raises(grpc.aio.AioRpcError, match="RuntimeError") as caught:
        await recorded.until("never")
    assert "secret" not in f"{caught.value.details()} {caplog.text}"
    assert SECRET.encode().hex(" ") not in "\n".join(recorded.lines)
    await read(counter.call)


async def test_a_second_recorder_is_refused(served, echo):
    counter = await served(echo)
    recorded = await Recorded(counter.call).begun()
    error = await refusal(counter.call)
    assert error.reason == "LINK_RECORDED"
    await recorded.until(STATUS, 2)
    recorded.stream.cancel()


async def test_what_runs_is_finished_first(served, echo):
    counter = await served(echo)
    stream = counter.call.stream("IdReaderService", "Read", device_id="reader", fingerprints=True)
    await stream.read()
    async with asyncio.timeout(LIMIT):
        while await state(counter.call) != device_pb2.DEVICE_STATE_BUSY:
            pass
    recorded = Recorded(counter.call)
    begun = asyncio.create_task(recorded.begun())
    await asyncio.wait({begun}, timeout=0.2)
    assert not begun.done()
    assert echo.connections == 1
    stream.cancel()  # a read ends with its stream
    await begun
    await recorded.until(HELLO)
    recorded.stream.cancel()


async def test_what_does_not_end_is_left_alone(served, echo, monkeypatch):
    monkeypatch.setattr(service, "WITHIN", 0.1)
    counter = await served(echo)
    stream = counter.call.stream("IdReaderService", "Read", device_id="reader", fingerprints=True)
    operation_id = (await stream.read()).operation.id
    async with asyncio.timeout(LIMIT):
        while await state(counter.call) != device_pb2.DEVICE_STATE_BUSY:
            pass
    assert (await refusal(counter.call)).reason == "DEVICE_TIMEOUT"
    found = (await counter.call.unary("OperationService", "GetOperation", operation_id=operation_id)).operation
    assert found.state == operation_pb2.OPERATION_STATE_RUNNING
    assert echo.connections == 1
    stream.cancel()


async def test_only_the_holder_of_a_claim_records(served, echo):
    counter = await served(echo)
    async with connect(counter.daemon.addresses[0]) as holder, holder.claim("reader", label="counter 3") as claim:
        assert (await refusal(counter.call)).reason == "CLAIMED_BY_OTHER"
        recorded = await Recorded(counter.call, claim_token=claim.token).begun()
        await recorded.until(HELLO)
        recorded.stream.cancel()
    assert (await refusal(counter.call, claim_token=claim.token)).reason == "CLAIM_LOST"


async def test_a_key_that_is_none_is_named(served, echo):
    counter = await served(echo)
    error = await refusal(counter.call, encrypt_to="no key")
    assert error.reason == "INVALID_REQUEST"
    assert "X25519 public key" in str(error)


LARGE_READS = 6
"""Of 540 kB each way, which is 3.3 MB of text."""


@pytest.mark.parametrize("isolation", ["none", "process"])
async def test_a_client_that_does_not_read_is_ended_and_nothing_grows(served, echo, isolation, monkeypatch):
    monkeypatch.setattr(server_recording, "QUEUE_LIMIT", 4_000_000)
    counter = await served(echo, isolation=isolation)
    recorded = await Recorded(counter.call).begun()
    recording = counter.runner.recordings.current
    for _ in range(LARGE_READS):
        await read(counter.call, photo=True)
        assert sum(map(len, recording._lines)) <= 4_000_000
    assert recording._error is not None
    with pytest.raises(grpc.aio.AioRpcError, match="does not read") as caught:
        await recorded.until("never")
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert parse_trace(recorded.lines)
    assert await state(counter.call) == READY


async def test_a_client_that_reads_gets_every_byte(served, echo, monkeypatch):
    monkeypatch.setattr(server_recording, "QUEUE_LIMIT", 4_000_000)
    counter = await served(echo)
    recorded = await Recorded(counter.call).begun()
    expected = LARGE_READS * 2 * 20001 * len(f"number {SECRET}\n")

    async def follow() -> None:
        count = 0
        while count < expected:
            lines = (await recorded.stream.read()).lines
            recorded.lines += lines
            count += sum((len(line) - 1) // 3 for line in lines if line[:2] in ("> ", "< ", "  "))

    following = asyncio.create_task(follow())
    for _ in range(LARGE_READS):
        await read(counter.call, photo=True)
    async with asyncio.timeout(LIMIT):
        await following
    recorded.stream.cancel()
    (section,) = parse_trace(recorded.lines)
    sent = b"".join(entry.data for entry in section.entries if entry.mark == ">")
    came = b"".join(entry.data for entry in section.entries if entry.mark == "<")
    assert sent.count(b"number") == came.count(b"number") == LARGE_READS * 20001


async def test_a_link_that_cannot_be_opened_is_recorded_too(served):
    counter = await served(None, OFFLINE)
    recorded = await Recorded(counter.call).begun()
    await recorded.until("! open DEVICE_OFFLINE", 2)
    recorded.stream.cancel()
    sections = parse_trace(recorded.lines)
    assert len(sections) >= 2
    assert all(section.entries[0].verb == "open" for section in sections)


async def test_a_daemon_that_stops_ends_the_recording(served, echo):
    counter = await served(echo)
    recorded = await Recorded(counter.call).begun()
    await recorded.until(HELLO)
    stopping = asyncio.create_task(counter.daemon.stop())
    with pytest.raises(grpc.aio.AioRpcError, match="restarting") as caught:
        await recorded.until("never")
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    await stopping


async def test_a_daemon_plays_a_recording_as_any_device(served):
    link = f"replay://{TRACE}?mode=tolerant"
    counter = await served(None, driver="sdt", link=link, options={"find_interval_ms": 20})
    fields = {"photo": True, "fingerprints": True, "additional_address": True}
    updates = await read(counter.call, **fields)
    assert updates[-1].result.document.person.name == "样本人"


async def test_a_recording_that_is_missing_is_a_device_that_is_offline(served):
    counter = await served(None, OFFLINE, driver="sdt", link="replay:///nowhere/x.trace")
    device = (await counter.call.unary("DeviceService", "GetDevice", device_id="reader")).device
    assert "/nowhere/x.trace cannot be read (No such file or directory)" in device.failure.message
