"""A pen digitizer on USB/IP, with its bench."""

from __future__ import annotations

from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.bench import FaultBench
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard, FaultSpec
from countertop.emulators.core.handwriting.hand import Hand
from countertop.emulators.core.handwriting.plan import plan
from countertop.emulators.core.options import Table, address, check_options, number, one_of
from countertop.emulators.core.usb.bus import UsbIpBus
from countertop.emulators.core.usb.device import Stall, UsbDescriptors
from countertop.emulators.core.usb.hid import HidPeer, hid_interface
from countertop.emulators.hid_digitizer.models import MODELS, Model, Touch
from countertop.v1 import signature_pad_pb2
from countertop.v1.ink_pb2 import InkPoint, InkSpace

__all__ = ["DigitizerEmulator", "start"]

DEVICE_FAULTS = (FaultSpec("lost_report", "A report of the pen is lost."),)
BUTTONS = {signature_pad_pb2.PAD_BUTTON_ACCEPT: 1, signature_pad_pb2.PAD_BUTTON_CLEAR: 2}
"""Bits of an ePad's two buttons; what they are for is the host's to say."""
REPORTS_KEPT = 256


async def start(options: dict[str, Any]) -> DigitizerEmulator:
    """Start a digitizer. Options, all of them optional:

    - `model` ("epad"): `epad`, an ePad signature pad; `pen`, a pen with tilt whose report descriptor says all;
    - `usbip` ("127.0.0.1:0"): where it is exported, as bus 1-1;
    - `speed` (1): how fast its clock runs.

    Raises ValueError that names the option and what was expected, OSError when the address cannot be had.
    """
    emulator = DigitizerEmulator(check_options(_OPTIONS, options))
    await emulator.open()
    return emulator


class _Device(HidPeer):
    """Input reports only."""

    def __init__(self, model: Model) -> None:
        super().__init__(
            UsbDescriptors(
                vendor_id=model.vendor_id,
                product_id=model.product_id,
                manufacturer=model.manufacturer,
                product=model.product,
                interfaces=(hid_interface(model.descriptor),),
            ),
            model.descriptor,
        )

    def get_report(self, kind: int, report_id: int, length: int) -> bytes:
        raise Stall

    def set_report(self, kind: int, report_id: int, data: bytes) -> None:
        raise Stall


class DigitizerEmulator(FaultBench):
    """A digitizer that runs. Bench verbs raise ValueError that names the field when a request cannot be carried out."""

    def __init__(self, values: dict[str, Any]) -> None:
        clock = Clock(values["speed"])
        super().__init__(FaultBoard(DEVICE_FAULTS, clock))
        self.model = MODELS[values["model"]]
        self._device = _Device(self.model)
        host, port = values["usbip"]
        self._bus = UsbIpBus(self._device, host, port, in_queue=REPORTS_KEPT)
        self._hand = Hand(clock, self._pen, self.model.rate)
        self._place = Touch(0, 0, 0, False)

    @property
    def link_url(self) -> str:
        """`usbip://host:port/1-1`; the same until `close`."""
        return self._bus.link_url

    @property
    def space(self) -> InkSpace:
        """Where its points lie."""
        model = self.model
        return InkSpace(
            width=model.width,
            height=model.height,
            units_per_mm=model.units_per_mm,
            pressure_levels=model.pressure_levels,
            report_rate=model.rate,
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
        """Write on it."""
        ink = plan(request, self.space, self.model.rate)
        most = self.model.pressure_levels - 1
        for stroke in ink.strokes:
            for point in stroke.points:
                point.pressure = max(1, round((point.pressure if point.HasField("pressure") else 0.5) * most)) / most
        speed = request.speed if request.HasField("speed") else 1.0
        if speed < 0:
            raise ValueError("speed: expected 0 or more")
        written = await self._hand.write(
            ink, speed=speed, stop_after=request.stop_after_points, room=lambda: self._device.input_room
        )
        return bench.SignResponse(ink=written)

    def _pen(self, point: InkPoint, touching: bool) -> None:
        pressure = round(point.pressure * (self.model.pressure_levels - 1))
        self._place = Touch(point.x, point.y, pressure, touching, round(point.tilt_x), round(point.tilt_y))
        self._send(self._place)

    def _send(self, touch: Touch) -> None:
        if not self._board.take("lost_report"):
            self._device.send_input(self.model.report(touch))

    async def press_pad_button(self, request: bench.PressPadButtonRequest) -> bench.PressPadButtonResponse:
        """Press the first button of an ePad for ACCEPT, the second for CLEAR."""
        if not self.model.buttons or request.button not in BUTTONS:
            raise ValueError("button: expected PAD_BUTTON_ACCEPT or PAD_BUTTON_CLEAR, on a model with buttons")
        place = self._place
        for buttons in (BUTTONS[request.button], 0):
            self._send(Touch(place.x, place.y, 0, False, buttons=buttons))
        return bench.PressPadButtonResponse()

    async def unplug(self, request: bench.UnplugRequest) -> bench.UnplugResponse:
        """Pull the cable."""
        self._hand.lift()
        self._bus.unplug()
        return bench.UnplugResponse()

    async def replug(self, request: bench.ReplugRequest) -> bench.ReplugResponse:
        """Put it back."""
        self._bus.replug()
        return bench.ReplugResponse()

    async def power_cycle(self, request: bench.PowerCycleRequest) -> bench.PowerCycleResponse:
        """The cable feeds it, so that it is off the bus for a moment."""
        self._hand.lift()
        self._bus.unplug()
        self._bus.replug()
        return bench.PowerCycleResponse()

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """It shows nothing."""
        return bench.GetOutputResponse()


_OPTIONS: Table = {
    "model": (one_of(MODELS), "epad"),
    "usbip": (address, ("127.0.0.1", 0)),
    "speed": (number(0.01, 1000), 1.0),
}
