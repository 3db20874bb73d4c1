"""A resident ID card reader on a pty, with its bench."""

from __future__ import annotations

from random import Random
from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.bench import FaultBench
from countertop.emulators.core.bus import PtyBus
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LINK_FAULTS, LinkFaults
from countertop.emulators.core.options import Table, check_options, flag, number, text, whole
from countertop.emulators.sdt.card import default_resident, encode_card
from countertop.emulators.sdt.device import DEFAULT_BAUD, DEVICE_FAULTS, DeviceSettings, SdtDevice
from countertop.emulators.sdt.wire import encode_sam_id

__all__ = ["SdtEmulator", "start"]


async def start(options: dict[str, Any]) -> SdtEmulator:
    """Start a reader. Options, all of them optional:

    - `pty`: the path at which the serial port appears (default: in a private folder);
    - `boot_seconds` (0.2; real modules take about 2), `read_seconds` (0.3; real ones about 1): times of the device;
    - `speed` (1): how fast its clock runs, 0 for instant;
    - `sam_id` ("05.03-20260101-0000123456-1234567890");
    - `card` (false): the default resident's card lies there at the start;
    - `lift_after_error` (false): after a failed read the card is not found until it was lifted;
    - `seed` (0): of the faults' randomness.

    Raises ValueError that names the option and what was expected, OSError when there is no pty to be had.
    """
    values = check_options(_OPTIONS, options)
    clock = Clock(values["speed"])
    settings = DeviceSettings(
        boot_seconds=values["boot_seconds"],
        read_seconds=values["read_seconds"],
        sam_id=values["sam_id"],
        lift_after_error=values["lift_after_error"],
    )
    emulator = SdtEmulator(clock, settings, values["pty"], Random(values["seed"]))
    if values["card"]:
        await emulator.insert_card(bench.InsertCardRequest())
    try:
        await emulator.open()
    except ValueError as error:
        raise ValueError(f"pty: {error}") from None
    return emulator


class SdtEmulator(FaultBench):
    """A reader that runs. Bench verbs take and return the messages of the bench service; they raise ValueError that
    names the field when a request cannot be carried out.
    """

    def __init__(self, clock: Clock, settings: DeviceSettings, pty: str | None, random: Random) -> None:
        super().__init__(FaultBoard((*LINK_FAULTS, *DEVICE_FAULTS), clock))
        self._device = SdtDevice(clock, self._board, settings, line_rate=lambda: self._bus.client_baud)
        self._link = LinkFaults(self._device, self._board, clock, random)
        self._bus = self._link.bind(PtyBus(self._link, pty, baud=DEFAULT_BAUD))

    @property
    def link_url(self) -> str:
        """`serial:///path?baud=115200`; the same until `close`."""
        return self._bus.link_url

    async def open(self) -> None:
        """Publish the port and switch on."""
        await self._bus.start()

    async def close(self) -> None:
        """Take the port away. Safe to call twice."""
        self._link.unplug()
        self._board.clear()
        await self._bus.close()

    async def insert_card(self, request: bench.InsertCardRequest) -> bench.InsertCardResponse:
        """Lay a card on the reader; one that lies there is taken away first. Without `card`: the default resident's."""
        document = request.card if request.HasField("card") else default_resident()
        self._device.lay_card(encode_card(document))
        return bench.InsertCardResponse()

    async def remove_card(self, request: bench.RemoveCardRequest) -> bench.RemoveCardResponse:
        """Take the card away."""
        return bench.RemoveCardResponse(removed=self._device.lift_card())

    async def unplug(self, request: bench.UnplugRequest) -> bench.UnplugResponse:
        """Pull the cable, which also feeds the reader. A card stays where it lies."""
        self._link.unplug()
        return bench.UnplugResponse()

    async def replug(self, request: bench.ReplugRequest) -> bench.ReplugResponse:
        """Put the cable back: the reader boots."""
        self._link.replug()
        return bench.ReplugResponse()

    async def power_cycle(self, request: bench.PowerCycleRequest) -> bench.PowerCycleResponse:
        """Switch off and on; the port stays."""
        self._device.power_cycle()
        return bench.PowerCycleResponse()

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """A reader puts nothing into the world."""
        return bench.GetOutputResponse()


_OPTIONS: Table = {
    "pty": (text, None),
    "boot_seconds": (number(0, 3600), 0.2),
    "read_seconds": (number(0, 3600), 0.3),
    "speed": (number(0, 1000), 1.0),
    "sam_id": (lambda value: encode_sam_id(text(value)), DeviceSettings().sam_id),
    "card": (flag, False),
    "lift_after_error": (flag, False),
    "seed": (whole(0, 2**32), 0),
}
