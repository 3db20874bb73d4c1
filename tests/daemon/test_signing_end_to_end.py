"""Ink from an emulated pen, through a pad's real wire, driver and daemon, to the files that an app keeps."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import operator
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import svg.path

from countertop.bench.v1.bench_pb2 import GeneratedHandwriting, SignRequest
from countertop.client import Counter, OperationFailed, connect
from countertop.sdk.ink.iso19794_7 import from_iso
from countertop.sdk.ink.signature_file import verify
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.ink_pb2 import Ink
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, PAD_BUTTON_CLEAR, SignDocument

PADS = {
    "stu-430": DeviceConfig(id="pad", emulator="wacom-stu"),
    "stu-530-encrypted": DeviceConfig(
        id="pad", emulator="wacom-stu", emulator_options={"model": "530"}, options={"encryption": "on"}
    ),
    "stu-430v-serial": DeviceConfig(id="pad", emulator="wacom-stu", emulator_options={"model": "430V"}),
    "stu-430-isolated": DeviceConfig(id="pad", emulator="wacom-stu", isolation="process"),
    "topaz": DeviceConfig(id="pad", emulator="topaz"),
}
DOCUMENT = SignDocument(title="Receipt", text="CNY 1.00")


@pytest.fixture(params=list(PADS))
async def counter(request: Any, tmp_path: Path) -> AsyncIterator[Counter]:
    config = Config(
        terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state"),
        listen=ListenConfig(addresses=[f"unix:{tmp_path}/t.sock"]),
        devices=[PADS[request.param]],
    )
    async with Daemon(config) as daemon, connect(daemon.addresses[0]) as found:
        async with asyncio.timeout(10):
            async for response in found.watch():
                devices = response.snapshot.devices if response.HasField("snapshot") else ()
                if response.event.HasField("device_changed"):
                    devices = (response.event.device_changed,)
                if any(device.state == device_pb2.DEVICE_STATE_READY for device in devices):
                    break
        yield found


async def signed(counter: Counter, what: SignRequest, **options: Any) -> tuple[Ink, Any, list[Any]]:
    """What was written, what the app got, and what came live."""
    pause = {} if (await counter.device("pad")).info.signature_pad.screen_width else {"accept_after_pause": 0.3}
    handle = counter.signature_pad("pad").start_capture(DOCUMENT, live_ink=True, **pause, **options)
    live: list[Any] = []
    writing: asyncio.Task[Ink] | None = None

    async def write() -> Ink:
        ink = await counter.bench.sign("pad", what)
        if not pause:
            await counter.bench.press_pad_button(PAD_BUTTON_ACCEPT, "pad")
        return ink

    async with asyncio.timeout(30):
        async for update in handle:
            if update.WhichOneof("payload") == "started":
                writing = asyncio.create_task(write())
            live += update.ink.points
        assert writing is not None
        return await writing, await handle.result(), live


def places(ink: Ink) -> list[list[tuple[int, int]]]:
    return [[(point.x, point.y) for point in stroke.points] for stroke in ink.strokes]


def drawn(text: str, per_mm: float) -> list[list[tuple[float, float]]]:
    """The points of an SVG drawing in device units."""
    strokes = []
    name = "{http://www.w3.org/2000/svg}"
    for group in ElementTree.fromstring(text).findall(f"{name}g/{name}g"):
        found: list[complex] = []
        for path in group.findall(f"{name}path"):
            lines = [item for item in svg.path.parse_path(path.attrib["d"]) if isinstance(item, svg.path.Line)]
            found += [lines[0].start] if not found else []
            found += [line.end for line in lines]
        strokes.append([(place.real * per_mm, place.imag * per_mm) for place in found])
    return strokes


async def test_the_ink_in_every_file_is_the_ink_that_was_written(counter: Counter) -> None:
    what = SignRequest(generated=GeneratedHandwriting(seed=3, strokes=3), speed=2.0)
    written, result, live = await signed(counter, what, svg=True, png=True, iso_19794_7=True)
    assert [len(stroke) for stroke in places(result.ink)] == [len(stroke) for stroke in places(written)]
    for one, other in zip(
        functools.reduce(operator.iadd, places(result.ink), []),
        functools.reduce(operator.iadd, places(written), []),
        strict=True,
    ):
        assert abs(one[0] - other[0]) <= 1
        assert abs(one[1] - other[1]) <= 1
    assert [(point.x, point.y) for point in live] == functools.reduce(operator.iadd, places(result.ink), [])
    for one, other in zip(
        functools.reduce(operator.iadd, drawn(result.svg, result.ink.space.units_per_mm), []),
        functools.reduce(operator.iadd, places(written), []),
        strict=True,
    ):
        assert abs(one[0] - other[0]) <= 1
        assert abs(one[1] - other[1]) <= 1
    assert places(from_iso(result.iso_19794_7)) == places(result.ink)
    assert not result.quality.flaws
    assert result.quality.samples_lost == 0
    key = await counter.signature_pad().signing_key()
    answer = verify(
        result.file, public_key=key.public_key, document_sha256=hashlib.sha256(DOCUMENT.text.encode()).digest()
    )
    assert answer.genuine
    assert answer.binding.device_id == "pad"


async def test_the_app_clears_and_the_signer_signs_again(counter: Counter) -> None:
    pad = counter.signature_pad("pad")
    handle = pad.start_capture(DOCUMENT, live_ink=True)
    seen: list[str] = []
    first = SignRequest(generated=GeneratedHandwriting(seed=1, strokes=1), speed=4.0)
    second = SignRequest(svg_path="M0 0 C 30 10 40 -20 80 0", speed=4.0)
    again: Ink | None = None
    async with asyncio.timeout(30):
        async for update in handle:
            kind = update.WhichOneof("payload")
            seen.append(kind or "")
            if kind == "started":
                task = asyncio.create_task(counter.bench.sign("pad", first))
            elif kind == "ink" and update.ink.pen_up and "cleared" not in seen:
                await task
                await pad.press(handle.id, PAD_BUTTON_CLEAR)
            elif kind == "cleared":
                again = await counter.bench.sign("pad", second)
                await pad.press(handle.id, PAD_BUTTON_ACCEPT)
        result = await handle.result()
    assert again is not None
    assert result.accepted_by_app
    assert places(result.ink) == places(again)


async def test_an_unplugged_pad_ends_the_capture_and_serves_again_when_it_is_back(counter: Counter) -> None:
    handle = counter.signature_pad("pad").start_capture(DOCUMENT, live_ink=True)
    async with asyncio.timeout(30):
        async for update in handle:
            if update.WhichOneof("payload") == "started":
                writing = asyncio.create_task(counter.bench.sign("pad"))
            elif update.WhichOneof("payload") == "ink" and update.ink.points:
                break
        await counter.bench.unplug("pad")
        with pytest.raises(OperationFailed) as failed:
            await handle.result()
        assert failed.value.reason == error_pb2.REASON_LINK_LOST
        await writing
        await counter.bench.replug("pad")
        what = SignRequest(svg_path="M0 0 C 30 10 40 -20 80 0", speed=2.0)
        while True:
            try:
                written, result, _ = await signed(counter, what)
                break
            except Exception as error:
                if getattr(error, "reason", 0) != error_pb2.REASON_DEVICE_OFFLINE:
                    raise
    assert places(result.ink) == places(written)
