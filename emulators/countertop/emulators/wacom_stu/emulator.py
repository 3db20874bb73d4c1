"""A Wacom STU pad on USB/IP or a pty, with its bench."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.bench import FaultBench
from countertop.emulators.core.bus import PtyBus
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.handwriting.hand import Hand
from countertop.emulators.core.handwriting.plan import plan
from countertop.emulators.core.options import Table, address, check_options, number, one_of, text, whole
from countertop.emulators.core.usb.bus import UsbIpBus
from countertop.emulators.wacom_stu.device import DEVICE_FAULTS, StuDevice
from countertop.emulators.wacom_stu.models import MODELS, PRESSURE_LEVELS, RATE, UNITS_PER_INCH
from countertop.emulators.wacom_stu.serial import StuSerial
from countertop.emulators.wacom_stu.usb import StuUsb
from countertop.v1 import signature_pad_pb2
from countertop.v1.image_pb2 import Image
from countertop.v1.ink_pb2 import Ink, InkPoint, InkSpace

__all__ = ["StuEmulator", "start"]

BUTTONS = {
    signature_pad_pb2.PAD_BUTTON_CANCEL: 0,
    signature_pad_pb2.PAD_BUTTON_CLEAR: 1,
    signature_pad_pb2.PAD_BUTTON_ACCEPT: 2,
}
"""Thirds of the bar at the screen's lower edge, where Countertop's hosts draw them. Other hosts draw elsewhere."""
REPORTS_KEPT = 256
LONGEST_FRAME = 64
"""Bytes of a pen's report on the serial line, at most."""
"""Pen reports that wait for a host that is late, 1.3 s of them. A real pad keeps fewer, but its host is not so late."""
TAP_PRESSURE, TAP_POINTS = 400, 6


async def start(options: dict[str, Any]) -> StuEmulator:
    """Start a pad. Options, all of them optional:

    - `model` ("430"): 300, 430, 500, 520, 530, 540, or 430V, 541 on a serial line;
    - `usbip` ("127.0.0.1:0"): where USB models are exported, as bus 1-1;
    - `pty`: the path at which a serial model's port appears (default: in a private folder);
    - `speed` (1): how fast its clock runs;
    - `uid` (1): the number that it tells as its own;
    - `calculation_seconds` (0.1): how long it makes keys;
    - `crc_initial` (0): where the CRC of the serial line begins; 0 or 65535, not known of real pads;
    - `seed` (0): of its keys and faults.

    Raises ValueError that names the option and what was expected, OSError when the address cannot be had.
    """
    values = check_options(_OPTIONS, options)
    emulator = StuEmulator(values)
    try:
        await emulator.open()
    except ValueError as error:
        raise ValueError(f"pty: {error}") from None
    return emulator


class StuEmulator(FaultBench):
    """A pad that runs. Bench verbs raise ValueError that names the field when a request cannot be carried out."""

    def __init__(self, values: dict[str, Any]) -> None:
        clock = Clock(values["speed"])
        super().__init__(FaultBoard(DEVICE_FAULTS, clock))
        self.model = MODELS[values["model"]]
        self.device = StuDevice(
            self.model, clock, self._board, Random(values["seed"]), values["uid"], values["calculation_seconds"]
        )
        self._bus: UsbIpBus | PtyBus
        self._room: Callable[[], int]
        """Reports of the pen that the link takes now."""
        if self.model.baud:
            line = PtyBus(StuSerial(self.device, values["crc_initial"]), values["pty"], baud=self.model.baud)
            self._bus, self._room = line, lambda: line.room_for(LONGEST_FRAME)
        else:
            usb, (host, port) = StuUsb(self.device), values["usbip"]
            self._bus = UsbIpBus(usb, host, port, in_queue=REPORTS_KEPT)
            self._room = lambda: usb.input_room
        self._hand = Hand(clock, self._pen, RATE)
        self._pressing = 0

    @property
    def link_url(self) -> str:
        """`usbip://host:port/1-1` or `serial:///path?baud=128000`; the same until `close`."""
        return self._bus.link_url

    @property
    def space(self) -> InkSpace:
        """Where its points lie."""
        return InkSpace(
            width=self.model.tablet_x,
            height=self.model.tablet_y,
            units_per_mm=UNITS_PER_INCH / 25.4,
            pressure_levels=PRESSURE_LEVELS,
            report_rate=RATE,
        )

    async def open(self) -> None:
        """Plug it in."""
        await self._bus.start()

    async def close(self) -> None:
        """Pull it out. Safe to call twice."""
        self._hand.lift()
        self._board.clear()
        await self._bus.close()

    async def sign(self, request: bench.SignRequest) -> bench.SignResponse:
        """Write above the bar of buttons."""
        bar = max(28, self.model.height // 8) / self.model.height
        ink = self._as_pressed(plan(request, self.space, RATE, bottom=1 - bar))
        speed = request.speed if request.HasField("speed") else 1.0
        if speed < 0:
            raise ValueError("speed: expected 0 or more")
        written = await self._hand.write(
            ink, speed=speed, stop_after=request.stop_after_points, room=lambda: self._room()
        )
        return bench.SignResponse(ink=written)

    def _as_pressed(self, ink: Ink) -> Ink:
        """With the pressures that the pad will measure: a pen that touches surely presses enough."""
        least = self.device.least_pressure + 1
        for stroke in ink.strokes:
            for point in stroke.points:
                wanted = point.pressure if point.HasField("pressure") else 0.5
                raw = max(least, min(PRESSURE_LEVELS - 1, round(wanted * (PRESSURE_LEVELS - 1))))
                point.pressure = raw / (PRESSURE_LEVELS - 1)
        return ink

    def _pen(self, point: InkPoint, touching: bool) -> None:
        self.device.pen(point.x, point.y, round(point.pressure * (PRESSURE_LEVELS - 1)) if touching else 0)

    async def press_pad_button(self, request: bench.PressPadButtonRequest) -> bench.PressPadButtonResponse:
        """Tap the middle of a button on the screen."""
        if request.button not in BUTTONS:
            raise ValueError("button: expected PAD_BUTTON_ACCEPT, PAD_BUTTON_CLEAR or PAD_BUTTON_CANCEL")
        bar = max(28, self.model.height // 8)
        x = (2 * BUTTONS[request.button] + 1) * self.model.tablet_x // 6
        y = (self.model.height - bar / 2) * self.model.tablet_y / self.model.height
        ink = Ink(space=self.space)
        stroke = ink.strokes.add()
        for index in range(TAP_POINTS):
            stroke.points.add(
                x=x, y=round(y), pressure=TAP_PRESSURE / (PRESSURE_LEVELS - 1), time_us=index * 1_000_000 // RATE
            )
        await self._hand.write(ink)
        return bench.PressPadButtonResponse()

    async def unplug(self, request: bench.UnplugRequest) -> bench.UnplugResponse:
        """Pull the cable, which also feeds it."""
        self._hand.lift()
        self._bus.unplug()
        return bench.UnplugResponse()

    async def replug(self, request: bench.ReplugRequest) -> bench.ReplugResponse:
        """Put it back: the pad starts anew."""
        if not self._bus.plugged:
            self.device.power_on()
            self._bus.replug()
        return bench.ReplugResponse()

    async def power_cycle(self, request: bench.PowerCycleRequest) -> bench.PowerCycleResponse:
        """The cable feeds it, so that it is off the bus for a moment."""
        self._hand.lift()
        self._bus.unplug()
        self.device.power_on()
        self._bus.replug()
        return bench.PowerCycleResponse()

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """What the screen shows now."""
        response = bench.GetOutputResponse(total=1)
        if request.skip:
            return response
        output = response.outputs.add(number=1, text=f"the screen of an STU-{self.model.name}")
        if not request.text_only:
            screen = self.device.screen
            png = await asyncio.to_thread(screen.png)
            output.image.CopyFrom(Image(media_type="image/png", width=screen.width, height=screen.height, data=png))
        return response


_OPTIONS: Table = {
    "model": (one_of(MODELS), "430"),
    "usbip": (address, ("127.0.0.1", 0)),
    "pty": (text, None),
    "speed": (number(0.01, 1000), 1.0),
    "uid": (whole(0, 2**32 - 1), 1),
    "calculation_seconds": (number(0, 60), 0.1),
    "crc_initial": (whole(0, 65535), 0),
    "seed": (whole(0, 2**32), 0),
}
