"""A Topaz pad on a pty, with its bench."""

from __future__ import annotations

from random import Random
from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.bench import FaultBench
from countertop.emulators.core.bus import PtyBus
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.handwriting.hand import Hand
from countertop.emulators.core.handwriting.plan import plan
from countertop.emulators.core.link_faults import LINK_FAULTS, LinkFaults
from countertop.emulators.core.options import Table, check_options, flag, number, one_of, text, whole
from countertop.emulators.topaz.device import DEVICE_FAULTS, TopazDevice
from countertop.emulators.topaz.models import MODELS
from countertop.v1.ink_pb2 import InkPoint, InkSpace

__all__ = ["TopazEmulator", "start"]

LONGEST_PACKET = 16
"""Bytes of a position with its pressure, at most."""
PACKET_BITS = 5 * 11
"""On the line: start, eight data bits, parity, stop."""
PRESSURE_LEVELS = 1024


async def start(options: dict[str, Any]) -> TopazEmulator:
    """Start a pad. Options, all of them optional:

    - `model` ("siglite-1x5"): siglite-1x5, siglite-lcd-1x5, siglite-lcd-4x5, siggem-1x5, siggem-lcd-1x5, clipgem;
    - `pty`: the path at which the serial port appears (default: in a private folder);
    - `rate_hz` (100): positions a second; not known of real pads, and bounded by the line;
    - `pressure` (false): a pressure packet after each position of a pen that touches;
    - `says_who` (false): it tells its model and serial number again and again while no pen writes;
    - `serial` (1): its serial number, 0 to 65535;
    - `speed` (1): how fast its clock runs;
    - `seed` (0): of the faults' randomness.

    Raises ValueError that names the option and what was expected, OSError when there is no pty to be had.
    """
    values = check_options(_OPTIONS, options)
    model = MODELS[values["model"]]
    most = model.baud / PACKET_BITS / (2 if values["pressure"] else 1)
    if values["rate_hz"] > most:
        raise ValueError(f"rate_hz: expected at most {most:.0f}, which is what a line of {model.baud} baud carries")
    if values["pressure"] and model.narrow:
        raise ValueError("pressure: expected a model with 8 bits a byte")
    emulator = TopazEmulator(values)
    try:
        await emulator.open()
    except ValueError as error:
        raise ValueError(f"pty: {error}") from None
    return emulator


class TopazEmulator(FaultBench):
    """A pad that runs. Bench verbs raise ValueError that names the field when a request cannot be carried out."""

    def __init__(self, values: dict[str, Any]) -> None:
        clock = Clock(values["speed"])
        super().__init__(FaultBoard((*LINK_FAULTS, *DEVICE_FAULTS), clock))
        self.model = MODELS[values["model"]]
        self._pressure = values["pressure"]
        self._rate = values["rate_hz"]
        self.device = TopazDevice(
            self.model,
            clock,
            self._board,
            values["serial"],
            measures_pressure=values["pressure"],
            says_who=values["says_who"] and not self.model.narrow,
        )
        self._link = LinkFaults(self.device, self._board, clock, Random(values["seed"]))
        self._bus = self._link.bind(PtyBus(self._link, values["pty"], baud=self.model.baud))
        self.device.client_baud = lambda: self._bus.client_baud
        self._hand = Hand(clock, self._pen, self._rate)

    @property
    def link_url(self) -> str:
        """`serial:///path?baud=19200`; the same until `close`."""
        return self._bus.link_url

    @property
    def space(self) -> InkSpace:
        """The calibrated box, from its upper left corner."""
        model = self.model
        return InkSpace(
            width=model.right - model.left + 1,
            height=model.bottom - model.top + 1,
            units_per_mm=model.dpi / 25.4,
            pressure_levels=PRESSURE_LEVELS if self._pressure else 0,
            report_rate=self._rate,
        )

    async def open(self) -> None:
        """Publish the port."""
        await self._bus.start()

    async def close(self) -> None:
        """Take the port away. Safe to call twice."""
        self._hand.lift()
        self._link.unplug()
        self._board.clear()
        await self._bus.close()

    async def sign(self, request: bench.SignRequest) -> bench.SignResponse:
        """Write in the box."""
        ink = plan(request, self.space, self._rate)
        speed = request.speed if request.HasField("speed") else 1.0
        if speed < 0:
            raise ValueError("speed: expected 0 or more")
        written = await self._hand.write(
            ink, speed=speed, stop_after=request.stop_after_points, room=lambda: self._bus.room_for(LONGEST_PACKET)
        )
        return bench.SignResponse(ink=written)

    def _pen(self, point: InkPoint, touching: bool) -> None:
        x, y = self.model.left + point.x, self.model.top + point.y
        pressure = round(point.pressure * (PRESSURE_LEVELS - 1))
        self.device.pen(x, y, near=True, down=touching, pressure=pressure)

    async def unplug(self, request: bench.UnplugRequest) -> bench.UnplugResponse:
        """Pull the cable."""
        self._hand.lift()
        self._link.unplug()
        self.device.power_off()
        return bench.UnplugResponse()

    async def replug(self, request: bench.ReplugRequest) -> bench.ReplugResponse:
        """Put it back."""
        self._link.replug()
        return bench.ReplugResponse()

    async def power_cycle(self, request: bench.PowerCycleRequest) -> bench.PowerCycleResponse:
        """Switch off and on; the port, which is the bridge's, stays."""
        self._hand.lift()
        self.device.power_off()
        return bench.PowerCycleResponse()

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """What the display shows, as text: how much ink stands on it. Pictures of it are not known to be sent."""
        if not self.model.lcd or request.skip:
            return bench.GetOutputResponse(total=int(self.model.lcd))
        points = sum(len(stroke) for stroke in self.device.ink)
        told = f"{len(self.device.ink)} strokes, {points} points"
        return bench.GetOutputResponse(outputs=[bench.Output(number=1, text=told)], total=1)


_OPTIONS: Table = {
    "model": (one_of(MODELS), "siglite-1x5"),
    "pty": (text, None),
    "rate_hz": (number(1, 2000), 100.0),
    "pressure": (flag, False),
    "says_who": (flag, False),
    "serial": (whole(0, 65535), 1),
    "speed": (number(0.01, 1000), 1.0),
    "seed": (whole(0, 2**32), 0),
}
