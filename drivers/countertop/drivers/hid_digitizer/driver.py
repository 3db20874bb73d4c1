"""Pen digitizers on HID: those that say in HID's own words what they send, and some that are known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal, cast

from pydantic import Field

from countertop.drivers.hid_digitizer.layout import EPAD, FIXED, Element, PenLayout, find_pen
from countertop.drivers.hid_digitizer.masking import DigitizerMasker
from countertop.drivers.hid_digitizer.pen import PenReader
from countertop.drivers.hid_digitizer.report_descriptor import parse_report_descriptor
from countertop.sdk import DeviceFault, HidLink, LinkUrl, Options, ProtocolFault, SignaturePad
from countertop.sdk.links import HidapiLink, UsbHidLink, UsbIpHidLink
from countertop.sdk.signing import PadEvent, PadScreen
from countertop.v1 import device_pb2, error_pb2, ink_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceStatus
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, PAD_BUTTON_CANCEL, PAD_BUTTON_CLEAR, PadButton

__all__ = ["HidDigitizer", "HidDigitizerOptions"]

Key = Literal["none", "accept", "clear", "cancel"]
QUIET_SECONDS = 0.03
"""A digitizer that sends nothing for so long has sent all that it had."""
LONGEST_DRAIN_SECONDS = 0.5
"""Of a pen that is held over it and never silent."""
KEYS: dict[str, PadButton] = {
    "accept": PAD_BUTTON_ACCEPT,
    "clear": PAD_BUTTON_CLEAR,
    "cancel": PAD_BUTTON_CANCEL,
}


class HidDigitizerOptions(Options):
    """Options of a HID digitizer."""

    layout: Literal["auto", "descriptor", "epad"] = "auto"
    """Where reports have the pen: as the device's report descriptor says, or a known layout; auto takes the known one
    for devices that are known."""
    width_mm: float | None = Field(default=None, gt=0, le=2000)
    """Width of the whole range of x, where the device does not say or says wrong."""
    height_mm: float | None = Field(default=None, gt=0, le=2000)
    """Height of the whole range of y."""
    threshold: int = Field(default=1, ge=1)
    """Pressure from which on the pen writes, where the device has no tip switch."""
    barrel: Key = "none"
    """What the button on the pen does."""
    buttons: tuple[Key, ...] = Field(default=(), max_length=32)
    """What the buttons on the device do, in their order."""
    report_rate: float | None = Field(default=None, ge=1, le=10000)
    """Reports per second while the pen is down, where that is known."""


class HidDigitizer(SignaturePad):
    """A digitizer without a screen of its own, or with one that is the computer's."""

    name = "hid-digitizer"
    links = (HidapiLink, UsbHidLink, UsbIpHidLink)
    options_type = HidDigitizerOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = cast("HidDigitizerOptions", options)
        self._link: HidLink | None = None
        self._pen: PenReader | None = None
        self._found: PenLayout | None = None

    @property
    def space(self) -> ink_pb2.InkSpace:
        """The whole range of x and y."""
        return self._reader().space

    @property
    def screen(self) -> PadScreen | None:
        """None."""
        return None

    def masker(self) -> DigitizerMasker:
        """By the layout that is found when connecting; until then nothing is kept."""
        return DigitizerMasker(lambda: self._found, self._options.threshold)

    async def connect(self) -> DeviceInfo:
        """Find out where its reports have the pen. Raises LinkFault, ProtocolFault when there is no pen in them,
        DeviceFault(PAD_FAULT) when its size is not known.
        """
        self._link = await self.open_hid_link()
        try:
            layout = self._found = await self._layout(self._link)
            self._pen = self._read_with(layout)
        except BaseException:
            await self.disconnect()
            raise
        info, space = self._link.info, self._pen.space
        return DeviceInfo(
            vendor=info.manufacturer or "generic",
            model=info.product or f"{info.vendor_id:04X}:{info.product_id:04X}",
            serial=info.serial,
            firmware=f"{info.release >> 8:x}.{info.release & 0xFF:02x}" if info.release else "",
            signature_pad=device_pb2.SignaturePadCapabilities(
                width_mm=space.width / space.units_per_mm,
                height_mm=space.height / space.units_per_mm,
                units_per_mm=space.units_per_mm,
                pressure_levels=space.pressure_levels,
                report_rate=space.report_rate,
                tilt=layout.tilt_x is not None or layout.tilt_y is not None,
            ),
        )

    async def disconnect(self) -> None:
        """Close the link."""
        link, self._link, self._pen = self._link, None, None
        if link is not None:
            await link.close()

    async def status(self) -> DeviceStatus:
        """It is there. Raises LinkFault when it is not."""
        self._drain()
        try:
            async with asyncio.timeout(0):
                self._reader().take(await self._connected().receive())
        except TimeoutError:
            pass  # silent, and there
        return DeviceStatus()

    async def open_capture(self, operation_id: str) -> None:
        """Forget what the pen did before, and what is still on its way of that. Raises LinkFault."""
        self._drain()
        until = asyncio.get_running_loop().time() + LONGEST_DRAIN_SECONDS
        try:
            while asyncio.get_running_loop().time() < until:
                async with asyncio.timeout(QUIET_SECONDS):
                    self._reader().take(await self._connected().receive())
        except TimeoutError:
            pass  # quiet
        self._drain()
        self._reader().forget()

    async def show(self, pixels: bytes) -> None:
        """Never called: there is no screen."""
        raise NotImplementedError("a HID digitizer shows no pictures")

    async def hear(self) -> Sequence[PadEvent]:
        """The pen's samples, as they arrive, and buttons. Raises LinkFault."""
        link, reader = self._connected(), self._reader()
        events: list[PadEvent] = []
        while not events:
            reports = [await link.receive()]
            reports += link.discard_input()  # what else has come already
            for report in reports:
                events += reader.take(report)
        return events

    async def close_capture(self) -> None:
        """Forget the ink."""
        self._drain()
        self._reader().forget()

    def _connected(self) -> HidLink:
        assert self._link is not None, "connect comes first"
        return self._link

    def _reader(self) -> PenReader:
        assert self._pen is not None, "connect comes first"
        return self._pen

    def _drain(self) -> None:
        """Take what nobody waited for; which buttons are held is kept in mind."""
        reader = self._reader()
        for report in self._connected().discard_input():
            reader.take(report)

    async def _layout(self, link: HidLink) -> PenLayout:
        known = FIXED.get((link.info.vendor_id, link.info.product_id)) if self._options.layout == "auto" else None
        if self._options.layout == "epad":
            known = EPAD
        if known is not None:
            return known
        descriptor = parse_report_descriptor(await link.report_descriptor())
        layout = find_pen(descriptor)
        if layout is None:
            got = f"{len(descriptor.fields)} fields without them"
            got += f", up to a mistake: {descriptor.flaw}" if descriptor.flaw else ""
            raise ProtocolFault("read the report descriptor", "a pen's x, y and tip", got)
        return layout

    def _read_with(self, layout: PenLayout) -> PenReader:
        options = self._options
        x = _per_mm(layout.x, options.width_mm, layout.x_per_mm)
        y = _per_mm(layout.y, options.height_mm, layout.y_per_mm)
        if x is None or y is None:
            raise DeviceFault(
                error_pb2.REASON_PAD_FAULT,
                "The digitizer does not say how large it is.",
                step="read the report descriptor",
                expected="physical limits and units of length for x and y",
                got="none",
                action="Measure the writing area, and give width_mm and height_mm in the device's options.",
            )
        keys = {key: KEYS[name] for key, name in zip(layout.buttons, options.buttons, strict=False) if name in KEYS}
        if layout.barrel is not None and options.barrel in KEYS:
            keys[layout.barrel] = KEYS[options.barrel]
        rate = options.report_rate or 0
        return PenReader(layout, x, y, threshold=options.threshold, report_rate=rate, keys=keys)


def _per_mm(axis: Element, length_mm: float | None, stated: float | None) -> float | None:
    return stated if length_mm is None else (axis.maximum - axis.minimum) / length_mm
