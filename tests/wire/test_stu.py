"""The STU driver on the STU emulator: the same ink on both ends of the wire, over USB/IP and a serial line."""

from __future__ import annotations

import asyncio
import io
import struct
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import usbip
from PIL import Image as Pictures

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.wacom_stu.driver import StuOptions, StuPad
from countertop.emulators.wacom_stu.device import IMAGE
from countertop.emulators.wacom_stu.emulator import StuEmulator, start
from countertop.sdk import CountertopError, LinkFault, PenSample, ProtocolFault, parse_link
from countertop.v1 import error_pb2, signature_pad_pb2

MODELS = ["300", "430", "500", "520", "530", "540", "430V", "541"]


@asynccontextmanager
async def connected(options: dict[str, Any], **driver: Any) -> AsyncIterator[tuple[StuPad, StuEmulator]]:
    emulator = await start(options)
    pad = StuPad(parse_link(emulator.link_url), StuOptions(**driver))
    try:
        await pad.connect()
        yield pad, emulator
    finally:
        await pad.disconnect()
        await emulator.close()


async def heard(pad: StuPad, count: int) -> list[PenSample]:
    """Samples of a pen that touches."""
    found: list[PenSample] = []
    async with asyncio.timeout(15):
        while len(found) < count:
            found += [event for event in await pad.hear() if isinstance(event, PenSample) and event.touching]
    return found


def request(**fields: Any) -> bench.SignRequest:
    return bench.SignRequest(device_id="pad", speed=4.0, **fields)


async def written(pad: StuPad, emulator: StuEmulator, **fields: Any) -> tuple[list[PenSample], list[Any]]:
    """What came out, and what went in."""
    signing = asyncio.create_task(emulator.sign(bench.SignRequest(device_id="pad", speed=0, **fields)))
    found: list[PenSample] = []

    async def hear() -> None:
        while True:
            found.extend(event for event in await pad.hear() if isinstance(event, PenSample))

    hearing = asyncio.create_task(hear())
    ink = (await asyncio.wait_for(signing, 20)).ink
    expected = [point for stroke in ink.strokes for point in stroke.points]
    async with asyncio.timeout(5):
        while sum(sample.touching for sample in found) < len(expected) - 1 or found[-1].touching:
            await asyncio.sleep(0.01)
            if hearing.done():
                break
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    return [sample for sample in found if sample.touching], expected


@pytest.mark.parametrize("model", MODELS)
async def test_every_model_tells_what_it_is_and_its_ink_comes_out_as_it_went_in(model: str) -> None:
    async with connected({"model": model, "uid": 77}) as (pad, emulator):
        screen = pad.screen
        assert (screen.width, screen.height) == (emulator.model.width, emulator.model.height)
        await pad.open_capture("op")
        await pad.show(bytes(screen.width * screen.height * 3))
        samples, points = await written(pad, emulator)
        assert [(sample.x, sample.y) for sample in samples] == [(point.x, point.y) for point in points]
        pressures = [(sample.pressure or 0) / 1023 for sample in samples]
        assert pressures == pytest.approx([point.pressure for point in points], abs=1e-6)
        await pad.close_capture()


@pytest.mark.parametrize("model", ["430", "530", "300", "500", "520"])
async def test_an_encrypted_pen_comes_out_the_same(model: str) -> None:
    async with connected({"model": model, "calculation_seconds": 0.02}, encryption="on") as (pad, emulator):
        await pad.open_capture("op")
        await pad.show(bytes(pad.screen.width * pad.screen.height * 3))
        assert emulator.device.state == 2  # Capture
        samples, points = await written(pad, emulator)
        assert [(sample.x, sample.y) for sample in samples] == [(point.x, point.y) for point in points][: len(samples)]
        assert len(samples) >= len(points) - 1  # reports of version 1 carry two samples each
        await pad.show(bytes(pad.screen.width * pad.screen.height * 3))  # a clear in the middle begins another session
        assert emulator.device.state == 2
        await pad.close_capture()
        assert emulator.device.state == 0


async def test_another_session_id_in_an_encrypted_report_is_a_fault() -> None:
    async with connected({"calculation_seconds": 0.02}, encryption="on") as (pad, emulator):
        await pad.open_capture("op")
        await emulator.inject_fault(bench.InjectFaultRequest(fault="wrong_session_id"))
        signing = asyncio.create_task(emulator.sign(request()))
        with pytest.raises(ProtocolFault, match="the session's own number"):
            await heard(pad, 5)
        signing.cancel()
        await asyncio.gather(signing, return_exceptions=True)


@pytest.mark.parametrize(
    ("model", "encoding"), [("430", "1bit-zlib"), ("430", "1bit"), ("520", "16bit"), ("530", "24bit"), ("530", "16bit")]
)
async def test_the_screen_shows_the_picture_in_every_encoding(model: str, encoding: str) -> None:
    async with connected({"model": model}, encoding=encoding) as (pad, emulator):
        size = (pad.screen.width, pad.screen.height)
        picture = Pictures.effect_noise(size, 120).convert("RGB")
        picture.paste((200, 30, 90), (10, 10, 60, 40))
        await pad.open_capture("op")
        await pad.show(picture.tobytes())
        output = (await emulator.get_output(bench.GetOutputRequest(device_id="pad"))).outputs[0]
        shown = Pictures.open(io.BytesIO(output.image.data)).convert("RGB")
        assert shown.size == size
        if pad.screen.bits == 24:
            assert shown.tobytes() == picture.tobytes()
        elif pad.screen.bits == 16:
            worst = max(abs(one - other) for one, other in zip(shown.tobytes(), picture.tobytes(), strict=True))
            assert worst <= 8
        else:
            dark = [r | g | b <= 0x80 for r, g, b in _triples(picture.tobytes())]
            assert [pixel == (0, 0, 0) for pixel in _triples(shown.tobytes())] == dark


def _triples(data: bytes) -> list[tuple[int, int, int]]:
    return list(zip(data[0::3], data[1::3], data[2::3], strict=True))


async def test_ink_is_seen_on_the_screen_and_is_gone_after_the_capture() -> None:
    async with connected({}) as (pad, emulator):
        white = b"\xff" * (320 * 200 * 3)
        await pad.open_capture("op")
        await pad.show(white)
        await emulator.sign(bench.SignRequest(device_id="pad", speed=0, svg_path="M0 0 L 100 0"))
        assert emulator.device.screen.pixels != white
        await pad.close_capture()
        assert emulator.device.screen.pixels == white
        await emulator.sign(bench.SignRequest(device_id="pad", speed=0))
        assert emulator.device.screen.pixels == white  # it takes no ink


async def test_a_lost_report_is_a_gap_in_the_count() -> None:
    async with connected({}) as (pad, emulator):
        await pad.open_capture("op")
        await emulator.inject_fault(bench.InjectFaultRequest(fault="lost_report", times=2))
        signing = asyncio.create_task(emulator.sign(request(stop_after_points=40)))
        samples = await heard(pad, 30)
        await signing
        assert samples[0].sequence is not None
        assert samples[0].sequence > 2


async def test_unplugging_in_the_middle_of_ink_is_link_lost() -> None:
    async with connected({}) as (pad, emulator):
        await pad.open_capture("op")
        signing = asyncio.create_task(emulator.sign(bench.SignRequest(device_id="pad")))
        await heard(pad, 5)
        await emulator.unplug(bench.UnplugRequest())
        with pytest.raises(LinkFault) as lost:
            await heard(pad, 10_000)
        assert lost.value.reason == error_pb2.REASON_LINK_LOST
        assert (await signing).ink.strokes


async def test_a_picture_that_the_pad_refuses_is_a_pad_fault() -> None:
    async with connected({}) as (pad, emulator):
        await pad.open_capture("op")
        await emulator.inject_fault(bench.InjectFaultRequest(fault="image_refused", times=1))
        with pytest.raises(CountertopError, match="pad image missing") as refused:
            await pad.show(bytes(320 * 200 * 3))
        assert refused.value.reason == error_pb2.REASON_PAD_FAULT


async def test_a_pad_that_its_last_host_left_in_a_picture_is_reset() -> None:
    async with connected({}) as (pad, emulator):
        emulator.device.set(bytes([0x25, 0x01]))
        assert emulator.device.state == 1
        await pad.disconnect()
        async with asyncio.timeout(5):
            while True:
                try:
                    await pad.connect()
                    break
                except LinkFault:
                    continue  # the server has not seen the end of the first connection yet
        assert emulator.device.state == 0


async def test_a_tapped_button_is_a_touch_in_its_third_of_the_bar() -> None:
    async with connected({}) as (pad, emulator):
        await pad.open_capture("op")
        tap = bench.PressPadButtonRequest(button=signature_pad_pb2.PAD_BUTTON_ACCEPT)
        tapping = asyncio.create_task(emulator.press_pad_button(tap))
        (sample, *_) = await heard(pad, 3)
        await tapping
        assert 6400 < sample.x < 9600
        assert 5160 < sample.y < 6000


async def test_two_hundred_reports_a_second_are_all_heard() -> None:
    """Half a minute of writing on two pads at once, eight times as fast as a hand."""
    async with asyncio.timeout(50):
        await asyncio.gather(_long_writing(1), _long_writing(2))


async def _long_writing(seed: int) -> None:
    async with connected({"speed": 8.0}) as (pad, emulator):
        await pad.open_capture("op")
        hearing = asyncio.create_task(_sequences(pad))
        for turn in range(3):
            asked = bench.SignRequest(
                device_id="pad", generated=bench.GeneratedHandwriting(seed=seed * 10 + turn, strokes=12)
            )
            await emulator.sign(asked)
        await emulator.unplug(bench.UnplugRequest())
        sequences = await hearing
        assert len(sequences) > 1800
        assert sequences == sorted(set(sequences))
        missing = sequences[-1] - sequences[0] + 1 - len(sequences)
        assert missing <= emulator.device.lost, "what was not heard is what the pad lost when this machine stood still"


async def _sequences(pad: StuPad) -> list[int]:
    found: list[int] = []
    try:
        while True:
            found += [event.sequence for event in await pad.hear() if isinstance(event, PenSample) and event.sequence]
    except LinkFault:
        return found


async def test_pypi_usbip_enumerates_and_reads_our_pad() -> None:
    emulator = await start({"uid": 7})
    url = parse_link(emulator.link_url)
    reading = threading.Event()

    def drive() -> dict[str, Any]:
        with usbip.open(0x056A, 0x00A4, transport=usbip.USBIP(url.host, url.port)) as handle:
            found: dict[str, Any] = {"product": handle.control(0x80, 6, 0x0302, 0x0409, 255)[2:].decode("utf-16-le")}
            found["information"] = handle.control(0xA1, 1, 0x0308, 0, 17)
            with pytest.raises(usbip.USBError):
                handle.control(0xA1, 1, 0x0377, 0, 64)
            handle.control(0x21, 9, 0x0332, 0, bytes([0x32, 3]))
            reading.set()
            found["pen"] = [handle.interrupt_in(0x81, 64) for _ in range(60)]
        return found

    try:
        driving = asyncio.create_task(asyncio.to_thread(drive))
        await asyncio.to_thread(reading.wait, 10)
        ink = (await emulator.sign(request(stop_after_points=80))).ink
        found = await asyncio.wait_for(driving, 10)
    finally:
        await emulator.close()
    assert found["product"] == "STU-430"
    assert found["information"][:8] == b"\x08STU-430"
    reports = [struct.unpack(">BHHHHH", report) for report in found["pen"]]
    assert {report[0] for report in reports} == {0x34}
    assert [report[5] for report in reports] == list(range(reports[0][5], reports[0][5] + 60))
    touches = [(x, y) for _, head, x, y, _, _ in reports if head & 0x0FFF]
    points = [point for stroke in ink.strokes for point in stroke.points]
    assert touches == [(point.x, point.y) for point in points][: len(touches)]
    assert len(touches) > 40


@pytest.mark.parametrize("model", ["530", "430V"])
async def test_ink_as_fast_as_the_link_takes_it_loses_nothing(model: str) -> None:
    async with connected({"model": model}) as (pad, emulator):
        await pad.open_capture("op")
        what = bench.GeneratedHandwriting(seed=3, strokes=4)
        signing = asyncio.create_task(emulator.sign(bench.SignRequest(device_id="pad", speed=0, generated=what)))
        samples: list[PenSample] = []
        async with asyncio.timeout(30):
            while not signing.done() or sum(s.touching for s in samples) < _points(signing):
                samples += [event for event in await pad.hear() if isinstance(event, PenSample)]
        assert sum(sample.touching for sample in samples) == _points(signing)


def _points(signing: asyncio.Task[bench.SignResponse]) -> int:
    return sum(len(stroke.points) for stroke in signing.result().ink.strokes)


async def test_a_picture_that_was_cut_short_is_abandoned() -> None:
    async with connected({"model": "530"}) as (pad, emulator):  # in colour: it takes thousands of blocks
        white = b"\xff" * (pad.screen.width * pad.screen.height * 3)
        await pad.open_capture("op")
        uploading = asyncio.create_task(pad.show(white))
        while emulator.device.state != IMAGE and not uploading.done():
            await asyncio.wait({uploading}, timeout=0.001)
        assert not uploading.done()
        uploading.cancel()
        await asyncio.wait({uploading})
        await pad.close_capture()
        await pad.open_capture("another")
        await pad.show(white)
