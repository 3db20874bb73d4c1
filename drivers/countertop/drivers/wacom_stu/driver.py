"""Wacom STU signature pads, over HID or a serial line."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Sequence
from typing import Literal, cast

from pydantic import Field as Bounded

from countertop.drivers.wacom_stu import images, reports
from countertop.drivers.wacom_stu.encryption import agree_by_dh, agree_by_rsa, opener
from countertop.drivers.wacom_stu.masking import StuMasker, StuSerialMasker
from countertop.drivers.wacom_stu.pen import PenDecoder
from countertop.drivers.wacom_stu.reports import Capability, Status
from countertop.drivers.wacom_stu.transport import HidTransport, SerialTransport, Transport, pad_fault
from countertop.sdk import DeviceFault, LinkUrl, Options, ReportRefused, Run, SignaturePad
from countertop.sdk.links import HidapiLink, SerialLink, UsbHidLink, UsbIpHidLink
from countertop.sdk.signing import PadEvent, PadScreen
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceStatus
from countertop.v1.ink_pb2 import InkSpace

__all__ = ["StuOptions", "StuPad"]

BLOCK = 253
"""Bytes of an image in one report."""
ABANDON = 1
"""Of EndImageData: what was uploaded is not shown."""
LOOK_SECONDS = 0.01
"""Between two looks at a pad that is busy."""
DEFAULT_ON, DEFAULT_OFF = 21, 16


class StuOptions(Options):
    """Options of an STU pad."""

    encryption: Literal["off", "on"] = "off"
    """Encrypt the pen on the cable, by the version that the pad has."""
    encoding: Literal["auto", "24bit", "16bit", "1bit-zlib", "1bit"] = "auto"
    """Of pictures: the best that the pad takes, or this one."""
    baud: int = Bounded(128000, ge=9600, le=256000)
    """Speed of the line of serial pads (430V: 128000, 500: 115200) when the link's URL names none."""
    crc_initial: Literal[0, 65535] = 0
    """Where the CRC of the serial line begins; not known of real pads, and of no matter while they send none."""
    busy_seconds: float = Bounded(5.0, ge=0.1, le=60)
    """How long the pad may be busy with a picture or a key."""


class StuPad(SignaturePad):
    """One pad."""

    name = "wacom-stu"
    links = (HidapiLink, UsbHidLink, UsbIpHidLink, SerialLink)
    options_type = StuOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = cast("StuOptions", options)
        self._transport: Transport | None = None
        self._capability: Capability | None = None
        self._encoding = images.ONE_BIT
        self._pen = PenDecoder(DEFAULT_ON, DEFAULT_OFF, 0)
        self._session = 0
        self._uploading = False

    def masker(self) -> StuMasker | StuSerialMasker:
        """For HID or for the serial line, by the link."""
        masker = StuMasker(lambda: self._pen, (DEFAULT_ON, DEFAULT_OFF))
        if self.url.scheme not in SerialLink.schemes:
            return masker
        return StuSerialMasker(masker, self._options.crc_initial)

    # -- life --

    async def connect(self) -> DeviceInfo:
        """Ask the pad what it is. Raises LinkFault, NoAnswer, ProtocolFault."""
        if self.url.scheme in SerialLink.schemes:
            link = await self.open_link(baud=str(self._options.baud))
            self._transport = SerialTransport(link, self._options.crc_initial)
        else:
            self._transport = HidTransport(await self.open_hid_link())
        try:
            return await self._identify(self._transport)
        except BaseException:
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        """Close the link."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    async def _identify(self, transport: Transport) -> DeviceInfo:
        information = reports.parse_information(await transport.get(reports.INFORMATION))
        found = self._capability = reports.parse_capability(await transport.get(reports.CAPABILITY))
        wanted = self._options.encoding
        self._encoding = images.pick(found.encodings) if wanted == "auto" else images.NAMES[wanted]
        await self._look_again(transport)
        per_mm = found.units_per_inch / 25.4
        return DeviceInfo(
            vendor="Wacom",
            model=information.model,
            serial=await self._serial(transport),
            firmware=information.firmware,
            signature_pad=device_pb2.SignaturePadCapabilities(
                width_mm=found.tablet_x / per_mm,
                height_mm=found.tablet_y / per_mm,
                units_per_mm=per_mm,
                pressure_levels=found.max_pressure + 1,
                report_rate=found.rate,
                screen_width=found.width,
                screen_height=found.height,
                screen_bits=images.BITS[self._encoding],
                encrypted=self._options.encryption == "on",
            ),
        )

    async def _look_again(self, transport: Transport) -> None:
        """A pad whose last host died in the middle may still be in a capture or an image."""
        status = reports.parse_status(await transport.get(reports.STATUS))
        if status.state != reports.READY:
            await transport.set(bytes([reports.RESET, 0]))
        await self._wait_ready("connect")

    async def _serial(self, transport: Transport) -> str:
        """The best number that the model has; empty when none."""
        for report_id in (reports.ESERIAL, reports.UID2):
            try:
                found = await transport.get(report_id)
            except ReportRefused:
                continue
            text = found[1:].split(b"\0")[0].decode("ascii", "replace").strip()
            if text:
                return text
        try:
            uid = int.from_bytes((await transport.get(reports.UID))[1:5], "big")
        except ReportRefused:
            return ""
        return f"{uid:08X}" if uid else ""

    # -- state --

    def _connected(self) -> Transport:
        assert self._transport is not None, "connect comes first"
        return self._transport

    async def _status(self) -> Status:
        return reports.parse_status(await self._connected().get(reports.STATUS))

    async def _wait_ready(self, step: str) -> None:
        """Until the pad's state is Ready. Raises DeviceFault(PAD_FAULT) when that takes too long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._options.busy_seconds
        while (status := await self._status()).state != reports.READY:
            if loop.time() >= until:
                raise pad_fault(step, "the pad to be Ready", status.state_name)
            await asyncio.sleep(LOOK_SECONDS)

    async def _set(self, step: str, report: bytes) -> None:
        """Set a report, and see that the pad took it."""
        await self._connected().set(report)
        status = await self._status()
        if status.result:
            raise pad_fault(step, "result ok", f"{status.result_name} in the state {status.state_name}")

    async def status(self) -> DeviceStatus:
        """It answers."""
        await self._status()
        return DeviceStatus()

    async def reset(self, request: device_pb2.ResetDeviceRequest, run: Run) -> device_pb2.ResetDeviceResult:
        """A soft reset: Ready, white, nothing kept."""
        await self._connected().set(bytes([reports.RESET, 0]))
        await self._wait_ready("reset")
        return device_pb2.ResetDeviceResult(status=await self.status())

    # -- as a signature pad --

    @property
    def space(self) -> InkSpace:
        """By the capability report."""
        found = self._capability
        assert found is not None, "connect comes first"
        return InkSpace(
            width=found.tablet_x,
            height=found.tablet_y,
            units_per_mm=found.units_per_inch / 25.4,
            pressure_levels=found.max_pressure + 1,
            report_rate=found.rate,
        )

    @property
    def screen(self) -> PadScreen:
        """By the capability report, with the bits of the encoding in use."""
        found = self._capability
        assert found is not None, "connect comes first"
        return PadScreen(found.width, found.height, images.BITS[self._encoding])

    async def open_capture(self, operation_id: str) -> None:
        """Pen options, thresholds and, if asked for, a key and a session."""
        transport = self._connected()
        await self._wait_ready("capture")
        mode = await self._choose_option_mode()
        on, off = await self._thresholds(transport)
        self._pen = PenDecoder(on, off, mode)
        if self._options.encryption == "on":
            await self._agree(transport)
            await self._start_session()
        transport.discard_input()

    async def _choose_option_mode(self) -> int:
        """Time and count in each pen report, or only the time, or neither: what the model has."""
        for mode in (3, 1):
            try:
                await self._set("pen options", bytes([reports.OPTION_MODE, mode]))
            except ReportRefused:
                return 0
            except DeviceFault as fault:
                if fault.reason != error_pb2.REASON_PAD_FAULT:
                    raise
                continue  # the model has this report, but not this mode
            return mode
        return 0

    async def _thresholds(self, transport: Transport) -> tuple[int, int]:
        try:
            on, off = struct.unpack("<HH", (await transport.get(reports.INK_THRESHOLD))[1:5])
        except ReportRefused:
            return DEFAULT_ON, DEFAULT_OFF
        return (on, off) if on else (DEFAULT_ON, DEFAULT_OFF)

    async def _agree(self, transport: Transport) -> None:
        """A key, by RSA where the pad has that, else by Diffie-Hellman."""
        try:
            await transport.get(reports.ENCRYPTION_STATUS)
        except ReportRefused:
            key = await agree_by_dh(transport, self._wait_ready)
        else:
            key = await agree_by_rsa(transport, self._wait_ready)
        self._pen.decrypt = opener(key)

    async def _start_session(self) -> None:
        self._session = self._pen.session = secrets.randbits(31) | 1
        await self._set("start of the session", bytes([reports.START_CAPTURE]) + struct.pack(">I", self._session))

    async def _end_session(self) -> None:
        if self._session:
            self._session = 0
            await self._set("end of the session", bytes([reports.END_CAPTURE, 0]))

    async def show(self, pixels: bytes) -> None:
        """Upload a picture; in an encrypted capture the session ends for that, and another begins."""
        encrypted = bool(self._session)
        await self._end_session()
        await self._wait_ready("picture")
        screen = self.screen
        data = await asyncio.to_thread(images.encode, pixels, screen.width, screen.height, self._encoding)
        transport = self._connected()
        self._uploading = True
        await self._set("begin of the picture", bytes([reports.START_IMAGE, self._encoding]))
        for start in range(0, len(data), BLOCK):
            piece = data[start : start + BLOCK]
            await transport.set(bytes([reports.IMAGE_BLOCK]) + struct.pack("<H", len(piece)) + piece)
        await self._set("picture", bytes([reports.END_IMAGE, 0]))
        self._uploading = False
        await self._wait_ready("picture")
        await transport.set(bytes([reports.INKING_MODE, 1]))
        if encrypted:
            await self._start_session()

    async def hear(self) -> Sequence[PadEvent]:
        """What the pen does."""
        transport = self._connected()
        while True:
            samples = [sample for report in await transport.receive() for sample in self._pen.decode(report)]
            if samples:
                return samples

    async def close_capture(self) -> None:
        """A white screen that takes no ink, nothing encrypted; a picture that was cut short is abandoned."""
        transport = self._connected()
        if self._uploading:
            self._uploading = False
            await transport.set(bytes([reports.END_IMAGE, ABANDON]))
        await self._end_session()
        await transport.set(bytes([reports.INKING_MODE, 0]))
        await self._set("clearing", bytes([reports.CLEAR_SCREEN, 0]))
        transport.discard_input()
