"""The HID digitizer driver on its emulators: an ePad, and a pen that says in HID's own words what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.hid_digitizer.driver import HidDigitizer, HidDigitizerOptions
from countertop.emulators.core.handwriting.plan import plan
from countertop.emulators.hid_digitizer.emulator import DigitizerEmulator, start
from countertop.sdk import LinkFault, PenSample, parse_link
from countertop.sdk.signing import ButtonPress, PadEvent
from countertop.v1.ink_pb2 import Ink, InkPoint
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, PAD_BUTTON_CLEAR


@asynccontextmanager
async def connected(model: str, **driver: Any) -> AsyncIterator[tuple[HidDigitizer, DigitizerEmulator]]:
    emulator = await start({"model": model})
    pad = HidDigitizer(parse_link(emulator.link_url), HidDigitizerOptions(**driver))
    try:
        await pad.connect()
        await pad.open_capture("op")
        yield pad, emulator
    finally:
        await pad.disconnect()
        await emulator.close()


async def heard(pad: HidDigitizer, enough: Callable[[list[PadEvent]], bool]) -> list[PadEvent]:
    """What comes until it is enough; fails after 20 s."""
    found: list[PadEvent] = []
    async with asyncio.timeout(20):
        while not enough(found):
            found.extend(await pad.hear())
    return found


def touches(events: list[PadEvent]) -> list[PenSample]:
    return [event for event in events if isinstance(event, PenSample) and event.touching]


def presses(events: list[PadEvent]) -> list[Any]:
    return [event.button for event in events if isinstance(event, ButtonPress)]


@pytest.mark.parametrize("model", ["epad", "pen"])
async def test_the_ink_comes_out_as_it_went_in(model: str) -> None:
    async with connected(model) as (pad, emulator):
        what = bench.SignRequest(device_id="pad", speed=6.0)
        planned = sum(len(stroke.points) for stroke in plan(what, emulator.space, emulator.model.rate).strokes)
        writing = asyncio.create_task(emulator.sign(what))
        written = touches(await heard(pad, lambda events: len(touches(events)) >= planned))
        points = [point for stroke in (await writing).ink.strokes for point in stroke.points]
        assert [(touch.x, touch.y) for touch in written] == [(point.x, point.y) for point in points]
        most = emulator.model.pressure_levels - 1
        assert [touch.pressure for touch in written] == [round(point.pressure * most) for point in points]
        assert pad.space.pressure_levels == emulator.model.pressure_levels


async def test_a_pen_that_says_what_it_sends_says_how_large_it_is_and_how_it_leans() -> None:
    async with connected("pen") as (pad, emulator):
        assert pad.space.units_per_mm == pytest.approx(50, rel=0.01)
        ink = Ink()
        ink.strokes.add().points.extend(
            InkPoint(x=100 + index, y=200, pressure=0.5, tilt_x=30, tilt_y=-45, time_us=index * 5000)
            for index in range(9)
        )
        writing = asyncio.create_task(emulator.sign(bench.SignRequest(device_id="pad", ink=ink)))
        written = touches(await heard(pad, lambda events: len(touches(events)) >= 9))
        await writing
        assert [(round(touch.tilt_x or 0), round(touch.tilt_y or 0)) for touch in written] == [(30, -45)] * 9


async def test_an_epads_buttons_do_what_the_options_say() -> None:
    async with connected("epad", buttons=("accept", "clear")) as (pad, emulator):
        for button in (PAD_BUTTON_ACCEPT, PAD_BUTTON_CLEAR):
            await emulator.press_pad_button(bench.PressPadButtonRequest(button=button))
        events = await heard(pad, lambda events: len(presses(events)) >= 2)
        assert presses(events) == [PAD_BUTTON_ACCEPT, PAD_BUTTON_CLEAR]


async def test_unplugging_is_link_lost() -> None:
    async with connected("epad") as (pad, emulator):
        await emulator.unplug(bench.UnplugRequest())
        with pytest.raises(LinkFault):
            await asyncio.wait_for(pad.hear(), 5)


async def test_what_was_written_before_a_capture_is_not_in_it() -> None:
    async with connected("epad") as (pad, emulator):
        what = bench.GeneratedHandwriting(seed=1, strokes=6)
        await emulator.sign(bench.SignRequest(device_id="pad", speed=50, generated=what))  # more than the link keeps
        await pad.open_capture("op")
        hearing = asyncio.ensure_future(pad.hear())
        await asyncio.wait({hearing}, timeout=0.3)
        assert not hearing.done()
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)
