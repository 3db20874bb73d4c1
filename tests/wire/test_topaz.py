"""The Topaz driver on the Topaz emulator, over a pty; and the emulator's bytes, read here by hand."""

from __future__ import annotations

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.topaz.driver import TopazOptions, TopazPad
from countertop.emulators.core.handwriting.hand import HOVER
from countertop.emulators.topaz.emulator import TopazEmulator, start
from countertop.sdk import LinkFault, PenSample, parse_link
from countertop.v1 import error_pb2


@asynccontextmanager
async def connected(options: dict[str, Any], **driver: Any) -> AsyncIterator[tuple[TopazPad, TopazEmulator]]:
    emulator = await start(options)
    pad = TopazPad(parse_link(emulator.link_url), TopazOptions(**driver))
    try:
        await pad.connect()
        await pad.open_capture("op")
        yield pad, emulator
    finally:
        await pad.disconnect()
        await emulator.close()


async def written(pad: TopazPad, emulator: TopazEmulator, **what: Any) -> tuple[list[PenSample], list[Any]]:
    """What came out, and what went in."""
    found: list[PenSample] = []

    async def hear() -> None:
        while True:
            found.extend(event for event in await pad.hear() if isinstance(event, PenSample))

    hearing = asyncio.create_task(hear())
    ink = (await asyncio.wait_for(emulator.sign(bench.SignRequest(device_id="pad", **what)), 20)).ink
    expected = [point for stroke in ink.strokes for point in stroke.points]
    with suppress(TimeoutError):
        async with asyncio.timeout(2):
            await until(lambda: sum(sample.touching for sample in found) >= len(expected))
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    return [sample for sample in found if sample.touching], expected


async def hear_on(pad: TopazPad) -> None:
    while True:
        await pad.hear()


async def until(condition: Callable[[], bool]) -> None:
    """What an emulated device does by itself has no event to wait for."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "model", ["siglite-1x5", "siglite-lcd-1x5", "siglite-lcd-4x5", "siggem-1x5", "siggem-lcd-1x5", "clipgem"]
)
async def test_the_ink_of_every_model_comes_out_as_it_went_in(model: str) -> None:
    async with connected({"model": model}, model=model) as (pad, emulator):
        samples, points = await written(pad, emulator, speed=8.0)
        assert [(sample.x, sample.y) for sample in samples] == [(point.x, point.y) for point in points]
        assert (pad.space.width, pad.space.height) == (emulator.space.width, emulator.space.height)
        assert pad.space.units_per_mm == pytest.approx(emulator.space.units_per_mm)


async def test_pressure_packets_belong_to_the_position_before_them() -> None:
    async with connected({"pressure": True}, pressure="follows") as (pad, emulator):
        samples, points = await written(pad, emulator, speed=8.0)
        assert [(sample.x, sample.y) for sample in samples] == [(point.x, point.y) for point in points]
        assert [sample.pressure for sample in samples] == [round(point.pressure * 1023) for point in points]


async def test_a_pad_that_says_who_it_is_is_known_by_its_serial_number() -> None:
    emulator = await start({"serial": 4242, "says_who": True})
    pad = TopazPad(parse_link(emulator.link_url), TopazOptions())
    try:
        info = await pad.connect()
        assert (info.vendor, info.serial) == ("Topaz", "4242")
    finally:
        await pad.disconnect()
        await emulator.close()


async def test_lost_packets_and_noise_cost_their_own_points_only() -> None:
    async with connected({}) as (pad, emulator):
        for fault in ("lost_packet", "false_place"):
            await emulator.inject_fault(bench.InjectFaultRequest(fault=fault, times=10))
        samples, points = await written(pad, emulator, speed=8.0)
        places = [(point.x, point.y) for point in points]
        assert 0 < len(places) - len(samples) <= 20
        assert all((sample.x, sample.y) in places for sample in samples)


async def test_the_pen_is_lifted_in_mid_stroke() -> None:
    async with connected({}) as (pad, emulator):
        samples, points = await written(pad, emulator, speed=8.0, stop_after_points=25)
        assert len(samples) == len(points) == 25


async def test_unplugging_in_the_middle_of_ink_is_link_lost() -> None:
    async with connected({}) as (pad, emulator):
        signing = asyncio.create_task(emulator.sign(bench.SignRequest(device_id="pad")))
        async with asyncio.timeout(5):
            while not any(isinstance(event, PenSample) and event.touching for event in await pad.hear()):
                pass
            await emulator.unplug(bench.UnplugRequest())
            with pytest.raises(LinkFault) as lost:
                await hear_on(pad)
        assert lost.value.reason == error_pb2.REASON_LINK_LOST
        assert (await signing).ink.strokes


async def test_a_display_is_cleared_before_and_after_a_capture() -> None:
    async with connected({"model": "siglite-lcd-1x5"}, model="siglite-lcd-1x5") as (pad, emulator):
        await written(pad, emulator, speed=8.0)
        assert bytes(emulator.device.commands).startswith(b"\x04")
        assert emulator.device.ink
        await pad.close_capture()
        async with asyncio.timeout(5):
            await until(lambda: not emulator.device.ink)


async def test_a_display_may_be_cleared_under_the_pen() -> None:
    emulator = await start({"model": "siglite-lcd-1x5"})
    try:
        pad = emulator.device
        pad.pen(100, 100, near=True, down=True)
        pad.received(b"\x04")
        pad.pen(101, 100, near=True, down=True)
        assert pad.ink == [[(101, 100)]]
    finally:
        await emulator.close()


async def test_the_bytes_on_the_line_are_packets_of_five(tmp_path: Path) -> None:
    emulator = await start({"pty": str(tmp_path / "pad"), "says_who": False})
    descriptor = os.open(tmp_path / "pad", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        tty.setraw(descriptor)
        ink = (await emulator.sign(bench.SignRequest(device_id="pad", speed=0, stop_after_points=30))).ink
        expected = 5 * (HOVER + 30 + 1)  # near, written, lifted
        data = b""
        async with asyncio.timeout(5):
            while len(data) < expected:
                with suppress(BlockingIOError):
                    data += os.read(descriptor, 4096)
                await asyncio.sleep(0)  # the emulator's loop is this one
        assert len(data) == expected
        packets = [data[at : at + 5] for at in range(0, len(data), 5)]
        assert all(packet[0] & 0x80 and not any(byte & 0x80 for byte in packet[1:]) for packet in packets)
        down = [
            ((packet[2] & 0x1F) << 7 | packet[1], (packet[4] & 0x1F) << 7 | packet[3])
            for packet in packets
            if packet[0] & 1
        ]
        assert down == [(500 + point.x, 700 + point.y) for point in ink.strokes[0].points]
        assert packets[-1][0] & 0x41 == 0x40  # near, not down
    finally:
        os.close(descriptor)
        await emulator.close()


@pytest.mark.parametrize(
    ("options", "named"),
    [({"model": "x"}, "model"), ({"rate_hz": 400.0}, "rate_hz"), ({"pressure": True, "rate_hz": 200.0}, "rate_hz")],
)
async def test_an_option_that_cannot_be_is_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        await start(options)


async def test_the_same_port_can_be_opened_again_with_its_parity() -> None:
    emulator = await start({})
    try:
        for _ in range(3):
            pad = TopazPad(parse_link(emulator.link_url), TopazOptions(identify_seconds=0))
            await pad.connect()
            await pad.disconnect()
    finally:
        await emulator.close()


async def test_a_pen_on_a_pad_whose_plug_is_pulled_writes_to_nobody() -> None:
    emulator = await start({})
    try:
        await emulator.unplug(bench.UnplugRequest())
        async with asyncio.timeout(5):
            await emulator.sign(bench.SignRequest(device_id="pad", speed=0))
    finally:
        await emulator.close()
