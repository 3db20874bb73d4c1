"""The HID digitizer driver on a link whose reports are scripted here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Self

import pytest
from pydantic import ValidationError

from countertop.drivers.hid_digitizer.driver import HidDigitizer, HidDigitizerOptions
from countertop.sdk import DeviceFault, HidInfo, HidLink, LinkFault, LinkUrl, PenSample, ProtocolFault, parse_link
from countertop.sdk.signing import ButtonPress, PadEvent
from countertop.v1 import error_pb2
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, PAD_BUTTON_CANCEL, PAD_BUTTON_CLEAR

LIMIT = 10.0
HEAD = bytes.fromhex("05 0D 09 02 A1 01 85 07 09 42 09 44 15 00 25 01 75 01 95 02 81 02 95 06 81 03 75 10 95 01")
SIZES = bytes.fromhex("65 11 55 0E")  # hundredths of a centimetre
AXES = bytes.fromhex("05 01 09 30 26 D0 07 46 E8 03 81 02 09 31 26 E8 03 46 F4 01 81 02 C0")
"""x to 2000, 100 mm; y to 1000, 50 mm."""
SIZED, UNSIZED = HEAD + SIZES + AXES, HEAD + AXES


def report(flags: int, x: int, y: int) -> bytes:
    return bytes([7, flags]) + x.to_bytes(2, "little") + y.to_bytes(2, "little")


def epad(flags: int, x: int, y: int, pressure: int) -> bytes:
    return bytes([flags]) + x.to_bytes(2, "little") + y.to_bytes(2, "little") + bytes([pressure])


class ScriptedLink(HidLink):
    """A device in the test's hand."""

    schemes: ClassVar[tuple[str, ...]] = ("scripted",)
    last: ClassVar[ScriptedLink]
    descriptor: ClassVar[bytes]
    found: ClassVar[HidInfo]

    def __init__(self, url: LinkUrl) -> None:
        self.url, self.info = url, self.found
        self.closed = self.gone = False
        self._reports: list[bytes] = []
        self._news = asyncio.Event()

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        ScriptedLink.last = link = cls(url)
        return link

    def bring(self, *reports: bytes) -> None:
        self._reports += reports
        self._news.set()

    def unplug(self) -> None:
        self.gone = True
        self._news.set()

    async def receive(self) -> bytes:
        while not self._reports:
            if self.gone:
                raise LinkFault(error_pb2.REASON_LINK_LOST)
            self._news.clear()
            await self._news.wait()
        return self._reports.pop(0)

    def discard_input(self) -> list[bytes]:
        taken, self._reports = self._reports, []
        return taken

    async def report_descriptor(self) -> bytes:
        if self.gone:
            raise LinkFault(error_pb2.REASON_LINK_LOST)
        return self.descriptor

    async def get_feature(self, report_id: int, size: int) -> bytes:
        raise AssertionError("a digitizer's features are left alone")

    async def set_feature(self, report: bytes) -> None:
        raise AssertionError("a digitizer's features are left alone")

    async def send(self, report: bytes) -> None:
        raise AssertionError("a digitizer is sent nothing")

    async def close(self) -> None:
        self.closed = True


class ScriptedDigitizer(HidDigitizer):
    links = (ScriptedLink,)  # type: ignore[assignment]


def new_pad(descriptor: bytes = SIZED, info: HidInfo | None = None, **options: Any) -> HidDigitizer:
    ScriptedLink.descriptor = descriptor
    ScriptedLink.found = info or HidInfo(0x1209, 0x0001, 0x0103, "Invented", "Tablet", "T1")
    return ScriptedDigitizer(parse_link("scripted://one"), HidDigitizerOptions(**options))


@pytest.fixture
async def pad() -> AsyncIterator[HidDigitizer]:
    connected = new_pad(barrel="clear")
    await connected.connect()
    await connected.open_capture("test")
    yield connected
    await connected.disconnect()


async def heard(pad: HidDigitizer) -> list[PadEvent]:
    return list(await asyncio.wait_for(pad.hear(), LIMIT))


async def test_connecting_tells_what_the_device_and_its_descriptor_say() -> None:
    pad = new_pad(report_rate=133)
    info = await pad.connect()
    assert (info.vendor, info.model, info.serial, info.firmware) == ("Invented", "Tablet", "T1", "1.03")
    can = info.signature_pad
    assert can.units_per_mm == pytest.approx(20)
    assert [can.width_mm, can.height_mm] == pytest.approx([2001 / 20, 1001 / 20])
    assert (can.report_rate, can.pressure_levels, can.tilt, can.screen_width) == (133, 0, False, 0)
    await pad.disconnect()
    assert ScriptedLink.last.closed


async def test_a_device_without_strings_is_named_by_its_ids() -> None:
    info = await new_pad(info=HidInfo(0x1209, 0x000A)).connect()
    assert (info.vendor, info.model, info.serial, info.firmware) == ("generic", "1209:000A", "", "")


async def test_a_device_without_a_pen_is_refused_and_let_go() -> None:
    with pytest.raises(ProtocolFault) as caught:
        await new_pad(bytes.fromhex("05 01 09 02 A1 01 C0 C0")).connect()
    assert caught.value.got == "0 fields without them, up to a mistake: no collection is open at byte 7"
    assert ScriptedLink.last.closed


async def test_a_device_that_does_not_say_how_large_it_is_must_be_measured() -> None:
    with pytest.raises(DeviceFault) as caught:
        await new_pad(UNSIZED).connect()
    assert caught.value.reason == error_pb2.REASON_PAD_FAULT
    assert "width_mm and height_mm" in caught.value.action
    assert ScriptedLink.last.closed
    pad = new_pad(UNSIZED, width_mm=200, height_mm=100)
    await pad.connect()
    assert pad.space.units_per_mm == pytest.approx(10)


@pytest.mark.parametrize(("ids", "options"), [((0x04DF, 0x0012), {}), ((0x1209, 0x0001), {"layout": "epad"})])
async def test_an_epad_is_known_without_its_descriptor(ids: tuple[int, int], options: dict[str, str]) -> None:
    pad = new_pad(b"", HidInfo(*ids), buttons=("accept", "cancel"), **options)
    await pad.connect()
    assert (pad.space.width, pad.space.height, pad.space.pressure_levels) == (2897, 1371, 128)
    await pad.open_capture("test")
    ScriptedLink.last.bring(epad(0x60, 100, 200, 64), epad(0x42, 101, 201, 0), epad(0x43, 101, 201, 0))
    here = PenSample(101, 201, False, 0)
    assert await heard(pad) == [
        PenSample(100, 200, True, 64),
        ButtonPress(PAD_BUTTON_CANCEL),
        here,
        ButtonPress(PAD_BUTTON_ACCEPT),
        here,
    ]


async def test_what_a_known_devices_descriptor_says_can_be_taken_instead() -> None:
    pad = new_pad(SIZED, HidInfo(0x04DF, 0x0012), layout="descriptor")
    await pad.connect()
    assert pad.space.width == 2001


async def test_all_that_has_come_is_heard_at_once_in_order(pad: HidDigitizer) -> None:
    ScriptedLink.last.bring(report(1, 10, 20), report(1, 11, 21), report(0, 12, 22))
    assert await heard(pad) == [PenSample(10, 20, True), PenSample(11, 21, True), PenSample(12, 22, False)]


async def test_reports_of_something_else_are_waited_past(pad: HidDigitizer) -> None:
    hearing = asyncio.ensure_future(heard(pad))
    ScriptedLink.last.bring(b"\x01\x02\x03", b"")
    await asyncio.sleep(0)
    ScriptedLink.last.bring(report(1, 10, 20))
    assert await hearing == [PenSample(10, 20, True)]


async def test_what_came_before_the_capture_is_dropped_but_a_button_that_is_held_is_not_pressed_anew(
    pad: HidDigitizer,
) -> None:
    ScriptedLink.last.bring(report(3, 1, 1))
    await pad.open_capture("test")
    ScriptedLink.last.bring(report(2, 5, 5), report(0, 5, 5), report(2, 5, 5))
    assert [event for event in await heard(pad) if isinstance(event, ButtonPress)] == [ButtonPress(PAD_BUTTON_CLEAR)]


async def test_cancelling_loses_no_sample(pad: HidDigitizer) -> None:
    events: list[PadEvent] = []
    for number in range(50):
        hearing = asyncio.ensure_future(pad.hear())
        await asyncio.sleep(0)
        ScriptedLink.last.bring(report(1, number, 0))
        if number % 2:
            await asyncio.sleep(0)
        hearing.cancel()
        try:
            events += await hearing
        except asyncio.CancelledError:
            continue
    events += await pad.hear() if len(events) < 50 else []
    assert [event.x for event in events if isinstance(event, PenSample)] == list(range(50))


async def test_a_device_that_is_pulled_out_is_told_by_status_and_by_hearing(pad: HidDigitizer) -> None:
    ScriptedLink.last.bring(report(1, 1, 1))
    assert not (await pad.status()).conditions
    assert not (await pad.status()).conditions
    hearing = asyncio.ensure_future(heard(pad))
    await asyncio.sleep(0)
    ScriptedLink.last.unplug()
    with pytest.raises(LinkFault):
        await hearing
    with pytest.raises(LinkFault):
        await pad.status()


@pytest.mark.parametrize(
    "options", [{"layout": "wacom"}, {"buttons": ("ok",)}, {"width_mm": 0}, {"threshold": 0}, {"colour": 1}]
)
def test_options_that_no_device_has_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HidDigitizerOptions(**options)
