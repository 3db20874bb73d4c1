"""The Topaz driver over a pty, against a pad that is scripted here, and against the emulated one."""

from __future__ import annotations

import asyncio
import os
import termios
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.topaz.driver import TopazOptions, TopazPad
from countertop.drivers.topaz.models import MODELS
from countertop.emulators.topaz.emulator import start
from countertop.sdk import LinkFault, PenSample, parse_link
from countertop.sdk.signing import PadEvent
from countertop.sdk.signing.capture import Capture
from countertop.v1 import error_pb2
from countertop.v1.ink_pb2 import Ink

LIMIT = 10.0
AWAY = 0.15


def place(x: int, y: int, *, down: bool = True) -> bytes:
    return bytes([0xC1 if down else 0xC0, x & 0x7F, x >> 7, y & 0x7F, y >> 7])


def pressure(value: int) -> bytes:
    return bytes([0xDD, 0, 0, value & 0x7F, value >> 7])


IDENTITY = bytes([0x88, 0x0D, 0, 0x02, 0x01])
"""Model 3, serial number 65666."""


class ScriptedPad:
    """The pad's end of a pty."""

    def __init__(self) -> None:
        self.fd, self._port = os.openpty()  # the port stays open here too, so that it has no hang-up without a driver
        self.url = f"serial://{os.ttyname(self._port)}"

    def send(self, *packets: bytes) -> None:
        os.write(self.fd, b"".join(packets))

    def line(self) -> tuple[int, bool]:
        """Speed, and whether there are two stop bits."""
        settings = termios.tcgetattr(self._port)
        return settings[4], bool(settings[2] & termios.CSTOPB)

    async def heard(self) -> bytes:
        """All that the driver has sent: a mark of our own goes down the same line behind it."""
        os.write(self._port, b"|")
        loop, data, readable = asyncio.get_running_loop(), b"", asyncio.Event()
        loop.add_reader(self.fd, readable.set)
        try:
            async with asyncio.timeout(LIMIT):
                while not data.endswith(b"|"):
                    await readable.wait()
                    data += os.read(self.fd, 64)
                    readable.clear()
        finally:
            loop.remove_reader(self.fd)
        return data[:-1]

    def unplug(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            os.close(self._port)
            self.fd = -1


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedPad]:
    pad = ScriptedPad()
    yield pad
    pad.unplug()


def new_pad(url: str, **options: Any) -> TopazPad:
    quick = {"identify_seconds": 0.0, "away_seconds": AWAY}
    return TopazPad(parse_link(url), TopazOptions(**(quick | options)))


@pytest.fixture
async def pad(scripted: ScriptedPad) -> AsyncIterator[TopazPad]:
    connected = new_pad(scripted.url)
    await connected.connect()
    await connected.open_capture("test")
    yield connected
    await connected.disconnect()


async def heard(pad: TopazPad, count: int) -> list[PadEvent]:
    events: list[PadEvent] = []
    async with asyncio.timeout(LIMIT):
        while len(events) < count:
            events += await pad.hear()
    return events


# --- connecting ------------------------------------------------------------------------------------------------------


async def test_a_pad_that_says_nothing_is_the_model_that_was_configured(scripted: ScriptedPad) -> None:
    pad = new_pad(scripted.url, model="siggem-1x5")
    info = await pad.connect()
    await pad.disconnect()
    assert (info.vendor, info.model, info.serial) == ("Topaz", "SignatureGem 1x5", "")
    assert info.signature_pad.units_per_mm == pytest.approx(410 / 25.4)
    assert info.signature_pad.width_mm == pytest.approx(2001 * 25.4 / 410)
    assert info.signature_pad.height_mm == pytest.approx(601 * 25.4 / 410)
    assert (info.signature_pad.pressure_levels, info.signature_pad.screen_width) == (0, 0)


async def test_a_pad_that_says_who_it_is_gives_its_serial_number(scripted: ScriptedPad) -> None:
    pad = new_pad(scripted.url, identify_seconds=5)
    connecting = asyncio.ensure_future(pad.connect())
    await asyncio.sleep(0)
    while not connecting.done():
        scripted.send(IDENTITY)
        await asyncio.wait({connecting}, timeout=0.02)
    assert connecting.result().serial == "65666"
    await pad.disconnect()


@pytest.mark.parametrize(
    ("model", "more", "speed"),
    [
        ("siglite-1x5", "", termios.B19200),
        ("siglite-lcd-4x5", "", termios.B38400),
        ("clipgem", "", termios.B9600),
        ("siglite-1x5", "?baud=38400&stopbits=2", termios.B38400),
    ],
)
async def test_the_line_is_set_as_the_model_wants_it_unless_the_url_says_otherwise(
    scripted: ScriptedPad, model: str, more: str, speed: int
) -> None:
    pad = new_pad(scripted.url + more, model=model)
    await pad.connect()
    assert scripted.line() == (speed, bool(more))
    await pad.disconnect()


@pytest.mark.parametrize(
    ("options", "data_bits"), [({}, "8"), ({"model": "siggem-lcd-1x5"}, "7"), ({"format": "7bit"}, "7")]
)
async def test_parity_is_odd_and_the_data_bits_are_the_formats(
    options: dict[str, str], data_bits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a pty has neither parity nor 7 bits, so that the settings are looked at where they are handed over
    asked: dict[str, str] = {}

    async def note(self: TopazPad, **defaults: str) -> None:
        asked.update(defaults)
        raise LinkFault(error_pb2.REASON_DEVICE_OFFLINE)

    monkeypatch.setattr(TopazPad, "open_link", note)
    with pytest.raises(LinkFault):
        await new_pad("serial:///dev/none", **options).connect()
    assert asked == {"baud": "19200", "parity": "O", "bytesize": data_bits, "stopbits": "1"}


async def test_a_port_that_is_not_there_is_offline() -> None:
    with pytest.raises(LinkFault) as caught:
        await new_pad("serial:///dev/countertop-no-such-port").connect()
    assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE


@pytest.mark.parametrize(
    "options",
    [{"model": "gemview"}, {"x_range": (9, 9)}, {"y_range": (0, 4096)}, {"format": "9bit"}, {"pressure": "yes"}],
)
def test_options_that_no_pad_has_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TopazOptions(**options)


def test_the_box_and_the_resolution_can_be_given() -> None:
    space = new_pad("serial:///dev/none", x_range=(100, 1099), y_range=(50, 549), dpi=254, pressure="leads").space
    assert (space.width, space.height, space.units_per_mm, space.pressure_levels) == (1000, 500, 10, 1024)


# --- writing ---------------------------------------------------------------------------------------------------------


async def test_the_pen_is_heard_where_it_is_in_the_box(scripted: ScriptedPad, pad: TopazPad) -> None:
    scripted.send(place(500, 700, down=False), place(510, 720), place(511, 721), place(512, 722, down=False))
    assert await heard(pad, 4) == [
        PenSample(0, 0, False),
        PenSample(10, 20, True),
        PenSample(11, 21, True),
        PenSample(12, 22, False),
    ]


async def test_what_the_pen_did_before_the_capture_is_forgotten(scripted: ScriptedPad) -> None:
    pad = new_pad(scripted.url)
    await pad.connect()
    scripted.send(place(510, 720), place(511, 721))
    await pad.open_capture("test")
    scripted.send(place(600, 800))
    assert await heard(pad, 1) == [PenSample(100, 100, True)]
    await pad.disconnect()


async def test_bytes_that_come_one_at_a_time_with_noise_between_are_the_same_pen(
    scripted: ScriptedPad, pad: TopazPad
) -> None:
    for byte in b"\x11\x22" + place(510, 720) + b"\x33\xff\xff" + place(511, 721, down=False):
        scripted.send(bytes([byte]))
    assert await heard(pad, 2) == [PenSample(10, 20, True), PenSample(11, 21, False)]


async def test_cancelling_loses_no_sample(scripted: ScriptedPad, pad: TopazPad) -> None:
    events: list[PadEvent] = []
    wire = b"".join(place(500 + number, 700) for number in range(40))
    for at in range(0, len(wire), 3):
        hearing = asyncio.ensure_future(pad.hear())
        await asyncio.sleep(0)
        scripted.send(wire[at : at + 3])
        await asyncio.sleep(0)
        hearing.cancel()
        try:
            events += await hearing
        except asyncio.CancelledError:
            continue
    if len(events) < 40:
        events += await heard(pad, 40 - len(events))
    assert [event.x for event in events if isinstance(event, PenSample)] == list(range(40))


async def test_a_pen_that_falls_silent_while_it_touches_is_lifted(scripted: ScriptedPad, pad: TopazPad) -> None:
    loop = asyncio.get_running_loop()
    scripted.send(place(510, 720))
    assert await heard(pad, 1) == [PenSample(10, 20, True)]
    since = loop.time()
    assert await heard(pad, 1) == [PenSample(10, 20, False)]
    assert AWAY - 0.05 <= loop.time() - since < LIMIT


async def test_a_pen_that_hovers_may_be_silent_for_ever(scripted: ScriptedPad, pad: TopazPad) -> None:
    scripted.send(place(510, 720, down=False))
    await heard(pad, 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3 * AWAY):
            await pad.hear()


async def test_what_came_while_the_program_was_busy_is_no_silence(scripted: ScriptedPad, pad: TopazPad) -> None:
    scripted.send(place(510, 720))
    await heard(pad, 1)
    hearing = asyncio.ensure_future(pad.hear())
    await asyncio.sleep(0)
    scripted.send(place(511, 721))
    until = asyncio.get_running_loop().time() + 2 * AWAY
    while asyncio.get_running_loop().time() < until:
        pass  # hold the loop
    assert await hearing == [PenSample(11, 21, True)]


async def test_pressure_that_follows_waits_no_longer_than_a_packet_takes(scripted: ScriptedPad) -> None:
    pad = new_pad(scripted.url, pressure="follows")
    await pad.connect()
    await pad.open_capture("test")
    scripted.send(place(510, 720), pressure(1023), place(511, 721))
    assert await heard(pad, 2) == [PenSample(10, 20, True, 1023), PenSample(11, 21, True)]
    await pad.disconnect()


@pytest.mark.parametrize(("lcd", "told"), [(False, b""), (True, b"\x04\x14\x04")])
async def test_only_pads_with_a_display_are_told_to_clear_it(scripted: ScriptedPad, lcd: bool, told: bytes) -> None:
    pad = new_pad(scripted.url, lcd=lcd)
    await pad.connect()
    await pad.open_capture("test")
    await pad.close_capture()
    assert await scripted.heard() == told
    await pad.disconnect()


# --- losing it -------------------------------------------------------------------------------------------------------


async def asked_until_it_fails(pad: TopazPad) -> None:
    async with asyncio.timeout(LIMIT):
        while True:
            await pad.status()


async def test_status_tells_that_the_port_is_there_and_when_it_is_gone(scripted: ScriptedPad, pad: TopazPad) -> None:
    scripted.send(place(510, 720))
    assert not (await pad.status()).conditions
    assert not (await pad.status()).conditions
    scripted.unplug()
    with pytest.raises(LinkFault) as caught:
        await asked_until_it_fails(pad)
    assert caught.value.reason == error_pb2.REASON_LINK_LOST


async def test_a_cable_pulled_in_the_middle_of_ink_ends_hearing(scripted: ScriptedPad, pad: TopazPad) -> None:
    scripted.send(place(510, 720))
    await heard(pad, 1)
    hearing = asyncio.ensure_future(pad.hear())
    await asyncio.sleep(0)
    scripted.unplug()
    with pytest.raises(LinkFault):
        await asyncio.wait_for(hearing, LIMIT)
    with pytest.raises(LinkFault):
        await pad.status()


# --- the emulated pad ------------------------------------------------------------------------------------------------


def points(ink: Ink) -> list[list[tuple[int, int]]]:
    return [[(point.x, point.y) for point in stroke.points] for stroke in ink.strokes]


async def captured(pad: TopazPad, signing: asyncio.Future[bench.SignResponse]) -> Ink:
    """Take ink until the hand is done and everything it wrote was heard."""
    capture, now = Capture(pad.space), 0
    async with asyncio.timeout(LIMIT):
        while not (signing.done() and not capture.pen_down and len(capture.ink.strokes) == strokes(signing)):
            events: Sequence[PadEvent] = await pad.hear()
            now += 1
            capture.hear(events, now)
    return capture.ink


def strokes(signing: asyncio.Future[bench.SignResponse]) -> int:
    return len(signing.result().ink.strokes)


@pytest.mark.parametrize("model", ["siglite-1x5", "siggem-lcd-1x5", "siglite-lcd-4x5", "clipgem"])
async def test_what_is_signed_on_the_emulated_pad_is_heard_to_the_unit(model: str) -> None:
    assert model in MODELS
    emulator = await start({"model": model})
    pad = new_pad(emulator.link_url, model=model)
    try:
        await pad.connect()
        await pad.open_capture("test")
        request = bench.SignRequest(speed=20)
        request.generated.SetInParent()
        signing = asyncio.ensure_future(emulator.sign(request))
        ink = await captured(pad, signing)
    finally:
        await pad.disconnect()
        await emulator.close()
    assert points(ink) == points(signing.result().ink)
    assert sum(map(len, points(ink))) > 50


async def test_the_emulated_pads_pressure_is_heard_to_the_step() -> None:
    emulator = await start({"pressure": True})
    pad = new_pad(emulator.link_url, pressure="follows")
    try:
        await pad.connect()
        await pad.open_capture("test")
        signing = asyncio.ensure_future(
            emulator.sign(bench.SignRequest(svg_path="M 0 0 L 40 20 M 50 5 L 60 30", speed=5))
        )
        ink = await captured(pad, signing)
    finally:
        await pad.disconnect()
        await emulator.close()
    assert points(ink) == points(signing.result().ink)
    for stroke, written in zip(ink.strokes, signing.result().ink.strokes, strict=True):
        for point, original in zip(stroke.points, written.points, strict=True):
            assert point.pressure == pytest.approx(original.pressure, abs=1 / 1023)
