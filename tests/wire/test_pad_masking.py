"""Ink that is written on emulated pads, what a recording keeps of it, and what the driver hears when that is played.

Two different signatures of the same rhythm, written in two sessions with keys of their own, must be kept as the same
bytes: then no way leads from what is kept back to either.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.hid_digitizer.driver import HidDigitizer, HidDigitizerOptions
from countertop.drivers.topaz.driver import TopazOptions, TopazPad
from countertop.drivers.wacom_stu.driver import StuOptions, StuPad
from countertop.drivers.wacom_stu.framing import FrameDecoder
from countertop.emulators.hid_digitizer import emulator as digitizers
from countertop.emulators.topaz import emulator as topaz_pads
from countertop.emulators.wacom_stu import emulator as stu_pads
from countertop.sdk import PenSample, SignaturePad, parse_link
from countertop.sdk.signing.capture import Capture
from countertop.sdk.signing.screen import SignScreen
from countertop.sdk.trace.format import RECEIVED, SENT
from countertop.sdk.trace.reading import read_trace
from countertop.sdk.trace.recorder import Recorder
from countertop.v1.ink_pb2 import Ink, InkSpace
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT

LIMIT = 20.0
STROKES, POINTS = 3, 12
NEAR = 3
"""Samples of a pen that is near, before each stroke and after it."""
SAMPLES = STROKES * (NEAR + POINTS + NEAR)
ANNA, BERT = 1.0, 7.5


def ink(space: InkSpace, person: float) -> Ink:
    """A person's own curve with a person's own pressure, above the bar of buttons; the rhythm is everybody's."""
    made = Ink(space=space)
    for stroke in range(STROKES):
        points = made.strokes.add().points
        for index in range(POINTS):
            turn = person + (0.5 + person / 9) * index + stroke
            points.add(
                x=round(space.width * (0.5 + 0.4 * math.cos(turn))),
                y=round(space.height * (0.4 + 0.25 * math.sin(1.7 * turn))),
                pressure=0.5 + 0.4 * math.sin(3 * turn),
                tilt_x=round(20 * math.cos(turn)),
                time_us=(stroke * 30 + index) * 10_000,
            )
    return made


@asynccontextmanager
async def recorded(pad: SignaturePad, path: Path) -> AsyncIterator[None]:
    """Record the pad's link from its opening on."""
    lines: list[str] = []
    recorder = Recorder(lines.extend)
    await pad.record_links(recorder)
    try:
        yield
    finally:
        await pad.disconnect()
        recorder.stop()
    write(path, lines)


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def kept(path: Path, mark: str) -> list[bytes]:
    """What the recording has of one direction, in its order."""
    (section,) = read_trace(path)
    return [entry.data for entry in section.entries if entry.mark == mark and entry.verb not in ("get", "descriptor")]


def played(path: Path) -> Any:
    """The URL of the recording."""
    return parse_link(f"replay://{path}")


async def heard(pad: SignaturePad, count: int) -> list[PenSample]:
    """Samples of a pen, at least so many."""
    found: list[PenSample] = []
    async with asyncio.timeout(LIMIT):
        while len(found) < count:
            found += [event for event in await pad.hear() if isinstance(event, PenSample)]
    return found


async def signed(pad: SignaturePad, emulator: Any, person: float) -> list[PenSample]:
    """What the driver hears while a person signs."""
    request = bench.SignRequest(ink=ink(emulator.space, person), speed=4)
    signing = asyncio.ensure_future(emulator.sign(request))
    samples = await heard(pad, SAMPLES)
    await signing
    assert sum(touches(samples)) == STROKES * POINTS
    assert len(places(samples)) >= STROKES * POINTS // 2
    return samples


def touches(samples: Sequence[PenSample]) -> list[bool]:
    return [sample.touching for sample in samples]


def places(samples: Sequence[PenSample]) -> set[tuple[int, int]]:
    return {(sample.x, sample.y) for sample in samples}


# -- topaz --


def topaz_driver(url: Any, options: dict[str, Any], **more: Any) -> TopazPad:
    pressure: Any = "follows" if options.get("pressure") else "none"
    quick: dict[str, Any] = {"identify_seconds": 0.0, "away_seconds": 0.0}
    model = options.get("model", "siglite-1x5")
    return TopazPad(url, TopazOptions(model=model, pressure=pressure, **(quick | more)))


async def topaz_recording(path: Path, person: float, options: dict[str, Any]) -> list[PenSample]:
    emulator = await topaz_pads.start(options)
    pad = topaz_driver(parse_link(emulator.link_url), options)
    try:
        async with recorded(pad, path):
            await pad.connect()
            await pad.open_capture("op")
            return await signed(pad, emulator, person)
    finally:
        await emulator.close()


@pytest.mark.parametrize("options", [{"pressure": True}, {"model": "siggem-lcd-1x5"}, {"model": "siglite-lcd-1x5"}])
async def test_two_signatures_on_a_topaz_pad_are_kept_as_the_same_bytes(
    options: dict[str, Any], tmp_path: Path
) -> None:
    annas, berts = tmp_path / "anna.trace", tmp_path / "bert.trace"
    samples = await topaz_recording(annas, ANNA, options)
    assert places(samples) != places(await topaz_recording(berts, BERT, options))
    for mark in (SENT, RECEIVED):
        assert b"".join(kept(annas, mark)) == b"".join(kept(berts, mark))


async def test_the_driver_hears_a_played_topaz_pad_touch_and_leave_as_it_did(tmp_path: Path) -> None:
    path, options = tmp_path / "pad.trace", {"model": "siglite-lcd-1x5"}
    samples = await topaz_recording(path, ANNA, options)
    again = topaz_driver(played(path), options)
    await again.connect()
    await again.open_capture("op")
    heard_again = await heard(again, SAMPLES)
    await again.disconnect()
    assert touches(heard_again) == touches(samples)
    assert places(heard_again) == {(1000, 350)}


async def test_the_serial_number_that_a_topaz_pad_tells_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "pad.trace"
    emulator = await topaz_pads.start({"serial": 12345, "says_who": True})
    pad = topaz_driver(parse_link(emulator.link_url), {}, identify_seconds=5)
    try:
        async with recorded(pad, path):
            assert (await pad.connect()).serial == "12345"
    finally:
        await emulator.close()
    again = topaz_driver(played(path), {}, identify_seconds=5)
    assert (await again.connect()).serial == "0"
    await again.disconnect()


# -- HID digitizers --


async def digitizer_recording(path: Path, model: str, person: float) -> list[PenSample]:
    emulator = await digitizers.start({"model": model})
    pad = HidDigitizer(parse_link(emulator.link_url), HidDigitizerOptions())
    try:
        async with recorded(pad, path):
            await pad.connect()
            await pad.open_capture("op")
            return await signed(pad, emulator, person)
    finally:
        await emulator.close()


@pytest.mark.parametrize("model", ["epad", "pen"])
async def test_two_signatures_on_a_digitizer_are_kept_as_the_same_bytes(model: str, tmp_path: Path) -> None:
    annas, berts = tmp_path / "anna.trace", tmp_path / "bert.trace"
    samples = await digitizer_recording(annas, model, ANNA)
    assert places(samples) != places(await digitizer_recording(berts, model, BERT))
    assert kept(annas, RECEIVED) == kept(berts, RECEIVED)
    again = HidDigitizer(played(annas), HidDigitizerOptions())
    await again.connect()
    heard_again = await heard(again, SAMPLES)  # all is there at once, so that opening a capture would forget it
    await again.disconnect()
    assert touches(heard_again) == touches(samples)
    assert len({(sample.x, sample.y, sample.tilt_x) for sample in heard_again}) == 1


# -- STU --

PICTURES = {ANNA: b"\x00\xff\x40", BERT: b"\xff\x11\x22"}
"""A pixel of what each is shown."""


async def show(pad: StuPad, person: float) -> None:
    await pad.show(PICTURES[person] * (pad.screen.width * pad.screen.height))


@asynccontextmanager
async def stu_capture(
    path: Path, model: str, person: float, **options: Any
) -> AsyncIterator[tuple[StuPad, stu_pads.StuEmulator]]:
    """A capture with a number, a key and a picture of the person's own."""
    number = round(10 * person)
    emulator = await stu_pads.start({"model": model, "uid": number, "calculation_seconds": 0.02, "seed": number})
    pad = StuPad(parse_link(emulator.link_url), StuOptions(**options))
    try:
        async with recorded(pad, path):
            await pad.connect()
            await pad.open_capture("op")
            await show(pad, person)
            yield pad, emulator
            await pad.close_capture()
    finally:
        await emulator.close()


def kept_reports(path: Path, model: str) -> set[tuple[str, bytes]]:
    """All that was kept, but how often the pad was asked how it is, and the time that its clock showed."""
    found = [(mark, data) for mark in (SENT, RECEIVED) for data in kept(path, mark)]
    if model == "430V":
        streams = [(mark, b"".join(kept(path, mark))) for mark in (SENT, RECEIVED)]
        found = [(mark, report) for mark, stream in streams for report in FrameDecoder().feed(stream)]
    return {(mark, data[:7] + bytes(2) + data[9:] if data[:1] == b"\x34" else data) for mark, data in found}


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("300", {"encoding": "1bit"}),
        ("300", {"encoding": "1bit", "encryption": "on"}),
        ("520", {"encryption": "on", "encoding": "16bit"}),
        ("430", {"encoding": "1bit"}),
        ("530", {"encryption": "on"}),
        ("430V", {"encoding": "1bit"}),
        ("430V", {"encoding": "1bit", "encryption": "on"}),
    ],
)
async def test_two_signatures_on_an_stu_pad_are_kept_as_the_same_reports(
    model: str, options: dict[str, Any], tmp_path: Path
) -> None:
    annas, berts = tmp_path / "anna.trace", tmp_path / "bert.trace"
    async with stu_capture(annas, model, ANNA, **options) as (pad, emulator):
        samples = await signed(pad, emulator, ANNA)
    async with stu_capture(berts, model, BERT, **options) as (pad, emulator):
        assert places(samples) != places(await signed(pad, emulator, BERT))
    assert len(kept_reports(annas, model)) > 10
    assert kept_reports(annas, model) == kept_reports(berts, model)


@pytest.mark.parametrize("model", ["300", "430"])
async def test_the_key_and_the_places_are_in_no_byte_that_is_kept(model: str, tmp_path: Path) -> None:
    path = tmp_path / "pad.trace"
    async with stu_capture(path, model, ANNA, encryption="on") as (pad, emulator):
        await signed(pad, emulator, ANNA)
        key = emulator.device._key
        written = ink(emulator.space, ANNA)
    assert key is not None
    whole = b"|".join(kept(path, SENT) + kept(path, RECEIVED))
    assert not any(key[at : at + 4] in whole for at in range(len(key) - 3))
    packed = {struct.pack(">HH", point.x, point.y) for stroke in written.strokes for point in stroke.points}
    assert not any(place in whole for place in packed)
    assert not any(report[:1] in (b"\x10", b"\x31", b"\x33") for report in kept(path, RECEIVED))


async def heard_again(path: Path, count: int, **options: Any) -> list[PenSample]:
    """The driver on a recording, from connecting to the end of the capture; strictly compared."""
    pad = StuPad(played(path), StuOptions(**options))
    info = await pad.connect()
    assert info.serial in ("00000001", "0000000000")
    await pad.open_capture("op")
    await show(pad, ANNA)
    samples = await heard(pad, count)
    await pad.close_capture()
    await pad.disconnect()
    return samples


@pytest.mark.parametrize(
    ("model", "options", "each"),
    [
        ("430", {}, 1),
        ("430V", {}, 1),
        ("530", {"encryption": "on"}, 1),
        ("430V", {"encryption": "on"}, 1),
        ("300", {"encryption": "on"}, 2),
    ],
)
async def test_the_driver_hears_a_played_capture_to_its_end(
    model: str, options: dict[str, Any], each: int, tmp_path: Path
) -> None:
    path = tmp_path / "pad.trace"
    async with stu_capture(path, model, ANNA, **options) as (pad, emulator):
        samples = await signed(pad, emulator, ANNA)
    again = await heard_again(path, SAMPLES // each, **options)
    assert touches(again) == touches(samples)[each - 1 :: each]
    assert len(places(again)) == 1
    if each == 1:
        assert [sample.sequence for sample in again] == [sample.sequence for sample in samples]
        assert [sample.time_us for sample in again] == [sample.time_us for sample in samples]


async def test_a_tap_on_a_button_presses_it_again_when_it_is_played(tmp_path: Path) -> None:
    path, count = tmp_path / "pad.trace", NEAR + stu_pads.TAP_POINTS + NEAR
    async with stu_capture(path, "430", ANNA) as (pad, emulator):
        tap = bench.PressPadButtonRequest(button=PAD_BUTTON_ACCEPT)
        tapping = asyncio.ensure_future(emulator.press_pad_button(tap))
        await heard(pad, count)
        await tapping
        space = pad.space
    capture = Capture(space, buttons=SignScreen(320, 200, b"", 28).buttons(space))
    _, presses = capture.hear(await heard_again(path, count), 0)
    assert presses == [PAD_BUTTON_ACCEPT]
