"""The emulated pad with its bench: a pen, keys, a plug."""

from __future__ import annotations

from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.handwriting.hand import Hand
from countertop.emulators.core.handwriting.plan import plan
from countertop.emulators.core.link_faults import LINK_FAULTS
from countertop.emulators.core.options import Table, check_options, text
from countertop.v1 import signature_pad_pb2
from countertop.v1.ink_pb2 import Ink, InkPoint, InkSpace

from acme.emulator.device import DEVICE_FAULTS, HEIGHT, LEVELS, RATE, UNITS_PER_MM, WIDTH, AcmeDevice
from acme.emulator.plugged import OPTIONS, Plugged

__all__ = ["AcmeEmulator", "start"]

BAUD = 115200
SAMPLE_BYTES = 17
KEYS = {
    signature_pad_pb2.PAD_BUTTON_ACCEPT: 1,
    signature_pad_pb2.PAD_BUTTON_CLEAR: 2,
    signature_pad_pb2.PAD_BUTTON_CANCEL: 3,
}


async def start(options: dict[str, Any]) -> AcmeEmulator:
    """Start a pad. Options, all of them optional:

    - `pty` (true): the path at which the serial port appears, or `tcp`: HOST:PORT to listen on;
    - `serial` ("AP100001"): its serial number;
    - `speed` (1): how fast its clock runs; `seed` (0): of the faults' randomness.

    Raises ValueError that names the option and what was expected, OSError when the address cannot be had.
    """
    emulator = AcmeEmulator(check_options(_OPTIONS, {"pty": "tcp" not in options} | options))
    try:
        await emulator.open()
    except ValueError as error:
        raise ValueError(f"pty: {error}") from None
    return emulator


class AcmeEmulator(Plugged):
    """A pad that runs. Bench verbs raise ValueError that names the field when a request cannot be carried out."""

    def __init__(self, values: dict[str, Any]) -> None:
        clock = Clock(values["speed"])
        super().__init__(FaultBoard((*LINK_FAULTS, *DEVICE_FAULTS), clock))
        self.device = AcmeDevice(self._board, values["serial"])
        self.plug_in(self.device, clock, values, baud=BAUD)
        self._hand = Hand(clock, self._pen, RATE)

    async def close(self) -> None:
        """End it. Safe to call twice."""
        self._hand.lift()
        await super().close()

    async def sign(self, request: bench.SignRequest) -> bench.SignResponse:
        """Write on the pad; what was written, when the pen is lifted."""
        space = InkSpace(
            width=WIDTH, height=HEIGHT, units_per_mm=UNITS_PER_MM, pressure_levels=LEVELS, report_rate=RATE
        )
        speed = request.speed if request.HasField("speed") else 1.0
        if speed < 0:
            raise ValueError("speed: expected 0 or more")
        ink = await self._hand.write(
            _as_pressed(plan(request, space, RATE)),
            speed=speed,
            stop_after=request.stop_after_points,
            room=self._room,
        )
        return bench.SignResponse(ink=ink)

    def _room(self) -> int:
        """Samples that the line takes now; any number when the plug is pulled, for nobody hears them."""
        return self._bus.room_for(SAMPLE_BYTES)

    def _pen(self, point: InkPoint, touching: bool) -> None:
        pressure = round(point.pressure * (LEVELS - 1)) if touching else 0
        self.device.pen(point.x, point.y, pressure, touching=touching)

    async def press_pad_button(self, request: bench.PressPadButtonRequest) -> bench.PressPadButtonResponse:
        """Press a key."""
        if request.button not in KEYS:
            raise ValueError("button: expected PAD_BUTTON_ACCEPT, PAD_BUTTON_CLEAR or PAD_BUTTON_CANCEL")
        self.device.key(KEYS[request.button])
        return bench.PressPadButtonResponse()

    async def unplug(self, request: bench.UnplugRequest) -> bench.UnplugResponse:
        """Pull the plug, in the middle of a stroke if it comes so."""
        self._hand.lift()
        return await super().unplug(request)

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """A pad without a screen shows nothing."""
        return bench.GetOutputResponse()


def _as_pressed(ink: Ink) -> Ink:
    """With the pressures that the pad measures: in its own steps, and some for a pen that touches."""
    for stroke in ink.strokes:
        for point in stroke.points:
            wanted = point.pressure if point.HasField("pressure") else 0.5
            point.pressure = max(1, round(wanted * (LEVELS - 1))) / (LEVELS - 1)
    return ink


_OPTIONS: Table = {**OPTIONS, "serial": (text, "AP100001")}
