"""SignaturePadService as a client sees it, with a driver in the daemon and in a process of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from countertop.sdk import DriverSpec, hookimpl
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.server.plugins import Plugins
from countertop.v1 import device_pb2, error_pb2, ink_pb2, operation_pb2
from countertop.v1.operation_pb2 import OperationOptions
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, PAD_BUTTON_CANCEL, PAD_BUTTON_CLEAR, SignDocument

SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED
CANCELLED = operation_pb2.OPERATION_STATE_CANCELLED
WAITING = operation_pb2.OPERATION_STATE_WAITING_FOR_PERSON
STROKE = [[1000 + 20 * step, 1000 + (step * 37) % 400, 1, 500 + step, 6000 * step] for step in range(40)]
UP = [1800, 1200, 0, 0, 240_000]
BUTTONS = {"cancel": [100, 4700], "clear": [4000, 4700], "accept": [7900, 4700]}


def pad_plugin() -> ModuleType:
    module = ModuleType("pad_plugin")

    @hookimpl
    def countertop_drivers() -> list[DriverSpec]:
        return [DriverSpec("trial-pad", device_pb2.DEVICE_KIND_SIGNATURE_PAD, "pad_drivers:TrialPad", "on trial")]

    module.countertop_drivers = countertop_drivers  # type: ignore[attr-defined]
    return module


class Pad:
    """The device's end of the line."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self._writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        while line := await reader.readline():
            self.heard.put_nowait(line.decode().strip())
        writer.close()

    async def until(self, word: str) -> None:
        async with asyncio.timeout(5):
            while not (await self.heard.get()).startswith(word):
                pass

    def pen(self, *events: Any) -> None:
        assert self._writer is not None
        self._writer.write(b"".join(json.dumps(event).encode() + b"\n" for event in events))

    def tap(self, button: str) -> None:
        x, y = BUTTONS[button]
        self.pen([x, y, 1, 300, 300_000], [x, y, 1, 300, 305_000], [x, y, 0, 0, 310_000])

    def unplug(self) -> None:
        assert self._writer is not None
        self._writer.transport.abort()


@asynccontextmanager
async def served(tmp_path: Path, caller: Any, until: Any, isolation: str, **options: Any) -> AsyncIterator[Any]:
    pad = Pad()
    server = await asyncio.start_server(pad.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = Config(
        terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state"),
        listen=ListenConfig(addresses=[f"unix:{tmp_path}/t.sock"]),
        devices=[
            DeviceConfig(
                id="pad", driver="trial-pad", link=f"tcp://127.0.0.1:{port}", isolation=isolation, options=options
            )
        ],
    )
    async with (
        server,
        Daemon(config, plugins=Plugins(pad_plugin())) as daemon,
        grpc.aio.insecure_channel(daemon.addresses[0]) as channel,
    ):
        call = caller(channel)
        await until(call, "pad", device_pb2.DEVICE_STATE_READY)
        yield SimpleNamespace(pad=pad, call=call)


@pytest.fixture(params=["none", "process"])
async def counter(request, tmp_path, monkeypatch, caller, until) -> AsyncIterator[Any]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    async with served(tmp_path, caller, until, request.param) as found:
        yield found


def asked(**fields: Any) -> dict[str, Any]:
    return {
        "options": OperationOptions(operation_id="op-1"),
        "device_id": "pad",
        "document": SignDocument(title="Receipt", text="CNY 1.00"),
        **fields,
    }


class Capture:
    """A capture that runs, with its updates so far."""

    def __init__(self, counter: Any, **fields: Any) -> None:
        self.updates: list[Any] = []
        self.news = asyncio.Event()
        self._task = asyncio.create_task(self._follow(counter, fields))

    async def _follow(self, counter: Any, fields: dict[str, Any]) -> None:
        with suppress(grpc.aio.AioRpcError):  # how a failed operation's stream ends; its last update says the same
            async for update in counter.call.stream("SignaturePadService", "CaptureSignature", **asked(**fields)):
                self.updates.append(update)
                self.news.set()

    async def end(self) -> Any:
        """The last update."""
        async with asyncio.timeout(10):
            await self._task
        return self.updates[-1]

    async def until(self, wanted: Callable[[Any], bool]) -> None:
        """Wait for an update."""
        async with asyncio.timeout(5):
            while not any(wanted(update) for update in self.updates):
                self.news.clear()
                await self.news.wait()

    def payloads(self, name: str) -> list[Any]:
        return [getattr(update, name) for update in self.updates if update.WhichOneof("payload") == name]


async def begun(counter: Any, **fields: Any) -> Capture:
    capture = Capture(counter, **fields)
    await counter.pad.until("show")
    return capture


def points_of(ink: ink_pb2.Ink) -> list[list[int]]:
    return [[point.x, point.y] for stroke in ink.strokes for point in stroke.points]


async def test_what_is_written_and_accepted_comes_out_in_every_shape_asked_for(counter: Any) -> None:
    capture = await begun(counter, live_ink=True, svg=True, png=True, iso_19794_7=True)
    counter.pad.pen(*STROKE[:20])
    counter.pad.pen(*STROKE[20:], UP)
    counter.pad.tap("accept")
    last = await capture.end()
    assert last.operation.state == SUCCEEDED
    result = last.result
    assert points_of(result.ink) == [event[:2] for event in STROKE]
    assert [[point.x, point.y] for ink in capture.payloads("ink") for point in ink.points] == points_of(result.ink)
    assert result.ink.strokes[0].points[-1].time_us == STROKE[-1][4]
    assert not result.quality.flaws
    assert result.svg.startswith("<")
    assert result.png.data.startswith(b"\x89PNG")
    assert hashlib.sha256(result.png.data).digest() == result.png.sha256
    assert result.iso_19794_7.startswith(b"SDI\0")
    assert not result.accepted_by_app
    started = capture.payloads("started")[0]
    assert (started.screen.width, started.screen.height) == (400, 240)
    assert any(update.operation.prompt == operation_pb2.PROMPT_KIND_SIGN for update in capture.updates)
    await counter.pad.until("close")


async def test_the_file_binds_ink_document_device_and_terminal(counter: Any) -> None:
    capture = await begun(counter)
    counter.pad.pen(*STROKE, UP)
    counter.pad.tap("accept")
    result = (await capture.end()).result
    binding = result.binding
    assert binding.document_sha256 == hashlib.sha256(b"CNY 1.00").digest()
    told = (
        binding.document_title,
        binding.terminal_id,
        binding.device_id,
        binding.vendor,
        binding.model,
        binding.serial,
    )
    assert told == ("Receipt", "test", "pad", "Invented", "Pad", "P1")
    assert binding.operation_id == "op-1"
    key = await counter.call.unary("SignaturePadService", "GetSigningKey")
    assert hashlib.sha256(key.public_key).digest() == binding.key_sha256
    answer = await counter.call.unary(
        "SignaturePadService",
        "VerifySignature",
        file=result.file,
        public_key=key.public_key,
        document_sha256=binding.document_sha256,
    )
    assert answer.genuine, answer
    assert answer.binding == binding
    other = await counter.call.unary(
        "SignaturePadService", "VerifySignature", file=result.file, document_sha256=bytes(32)
    )
    assert [check.name for check in other.checks if not check.passed] == ["document"]


async def test_unbound_ink_has_no_file(counter: Any) -> None:
    capture = await begun(counter, unbound=True)
    counter.pad.pen(*STROKE, UP)
    counter.pad.tap("accept")
    result = (await capture.end()).result
    assert not result.file
    assert not result.HasField("binding")


async def test_clear_on_the_pad_wipes_the_ink_and_shows_the_document_again(counter: Any) -> None:
    capture = await begun(counter, live_ink=True)
    counter.pad.pen(*STROKE, UP)
    counter.pad.tap("clear")
    await counter.pad.until("show")
    counter.pad.pen(*STROKE[:25], UP)
    counter.pad.tap("accept")
    last = await capture.end()
    assert len(points_of(last.result.ink)) == 25
    assert [cleared.by_app for cleared in capture.payloads("cleared")] == [False]


async def test_cancel_on_the_pad_ends_with_signature_declined(counter: Any) -> None:
    capture = await begun(counter)
    counter.pad.tap("cancel")
    last = await capture.end()
    assert last.operation.state == FAILED
    assert last.operation.failure.reason == error_pb2.REASON_SIGNATURE_DECLINED
    await counter.pad.until("close")


async def test_the_app_presses_buttons_too(counter: Any) -> None:
    capture = await begun(counter, live_ink=True)
    counter.pad.pen(*STROKE, UP)

    async def press(button: int) -> None:
        await counter.call.unary("SignaturePadService", "PressButton", operation_id="op-1", button=button)

    await press(PAD_BUTTON_CLEAR)
    await counter.pad.until("show")
    assert capture.payloads("cleared") == [] or capture.payloads("cleared")[0].by_app
    await press(PAD_BUTTON_ACCEPT)  # there is no ink: nothing happens
    counter.pad.pen(*STROKE[:30], UP, PAD_BUTTON_CLEAR)  # the key beside the screen
    await counter.pad.until("show")
    counter.pad.pen(*STROKE[:22], UP)
    await capture.until(lambda update: update.ink.pen_up and update.ink.first_point + len(update.ink.points) == 22)
    await press(PAD_BUTTON_ACCEPT)
    result = (await capture.end()).result
    assert result.accepted_by_app
    assert [cleared.by_app for cleared in capture.payloads("cleared")] == [True, False]


async def test_pressing_cancel_for_a_capture_that_waits_or_ended_is_refused(counter: Any) -> None:
    capture = await begun(counter)
    await counter.call.unary("SignaturePadService", "PressButton", operation_id="op-1", button=PAD_BUTTON_CANCEL)
    assert (await capture.end()).operation.failure.reason == error_pb2.REASON_SIGNATURE_DECLINED
    with pytest.raises(Exception, match="does not run") as refused:
        await counter.call.unary("SignaturePadService", "PressButton", operation_id="op-1", button=PAD_BUTTON_CANCEL)
    assert refused.value.reason == "NOT_RUNNING"  # type: ignore[attr-defined]


async def test_nobody_signs_in_time(counter: Any) -> None:
    capture = await begun(counter, start_within=Duration(nanos=150_000_000))
    last = await capture.end()
    assert last.operation.failure.reason == error_pb2.REASON_NO_SIGNATURE


async def test_a_lifted_pen_accepts_by_itself_where_that_is_asked_for(counter: Any) -> None:
    capture = await begun(counter, accept_after_pause=Duration(nanos=150_000_000))
    counter.pad.pen(*STROKE, UP)
    last = await capture.end()
    assert last.operation.state == SUCCEEDED
    assert not last.result.accepted_by_app


async def test_a_pen_that_rests_on_the_pad_is_not_accepted(counter: Any) -> None:
    options = OperationOptions(operation_id="op-1", timeout=Duration(nanos=500_000_000))
    capture = await begun(counter, options=options, accept_after_pause=Duration(nanos=100_000_000))
    counter.pad.pen(*STROKE)
    assert (await capture.end()).operation.failure.reason == error_pb2.REASON_NO_SIGNATURE


async def test_an_unplugged_pad_in_the_middle_of_ink_is_link_lost_and_comes_back(counter: Any, until: Any) -> None:
    capture = await begun(counter)
    counter.pad.pen(*STROKE[:10])
    counter.pad.unplug()
    last = await capture.end()
    assert last.operation.failure.reason == error_pb2.REASON_LINK_LOST
    await until(counter.call, "pad", device_pb2.DEVICE_STATE_READY)


async def test_a_cancelled_capture_leaves_the_pad_blank(counter: Any) -> None:
    capture = await begun(counter)
    await counter.call.unary("OperationService", "CancelOperation", operation_id="op-1")
    assert (await capture.end()).operation.state == CANCELLED
    await counter.pad.until("close")


async def test_a_document_without_content_is_refused_and_named(counter: Any) -> None:
    with pytest.raises(Exception, match=r"document: expected text, a picture"):
        await counter.call.all("SignaturePadService", "CaptureSignature", **asked(document=SignDocument(title="x")))


async def test_text_that_does_not_fit_the_screen_is_refused_before_anything_is_shown(counter: Any) -> None:
    with pytest.raises(Exception, match=r"document.text: expected text that fits") as refused:
        await counter.call.all(
            "SignaturePadService", "CaptureSignature", **asked(document=SignDocument(text="long " * 150))
        )
    assert refused.value.reason == "INVALID_REQUEST"  # type: ignore[attr-defined]
    assert counter.pad.heard.empty()


async def test_a_key_that_cannot_be_read_is_not_replaced(tmp_path, monkeypatch, caller, until) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    state = tmp_path / "state"
    state.mkdir()
    (state / "signing-key.pem").write_text("rubbish")
    async with served(tmp_path, caller, until, "none", screen=False) as counter:
        capture = Capture(counter)
        await counter.pad.until("open")
        counter.pad.pen(*STROKE, UP, PAD_BUTTON_ACCEPT)
        last = await capture.end()
        assert last.operation.failure.reason == error_pb2.REASON_SIGNING_KEY_UNUSABLE
        assert (state / "signing-key.pem").read_text() == "rubbish"


async def test_the_key_stays_over_a_restart_and_is_nobody_elses_to_read(tmp_path, monkeypatch, caller, until) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    keys = []
    for _ in range(2):
        async with served(tmp_path, caller, until, "none") as counter:
            keys.append((await counter.call.unary("SignaturePadService", "GetSigningKey")).public_key)
    assert keys[0] == keys[1]
    assert (tmp_path / "state/signing-key.pem").stat().st_mode & 0o777 == 0o600
