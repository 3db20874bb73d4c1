"""A Magicard printer on USB/IP or TCP, with its bench."""

from __future__ import annotations

from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.cards.card import Blank
from countertop.emulators.core.cards.emulator import CardPrinterEmulator, UsbIdentity
from countertop.emulators.core.cards.machine import JAM_FAULTS, CardMachine
from countertop.emulators.core.cards.ribbon import RIBBONS
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LINK_FAULTS
from countertop.emulators.core.options import Table, address, check_options, flag, number, one_of, text, whole
from countertop.emulators.magicard.device import DEVICE_FAULTS, Device
from countertop.emulators.magicard.models import MODELS
from countertop.emulators.magicard.state import State

__all__ = ["MagicardEmulator", "start"]

USB = UsbIdentity(0x0C1F, 0x2800, "Magicard", default=True)
_JAMS = tuple(fault for fault in JAM_FAULTS if fault.name in ("jam-feeder", "jam-flip", "jam-output"))
"""The ways that its cards go."""


async def start(options: dict[str, Any]) -> MagicardEmulator:
    """Start a printer. Options, all of them optional:

    - `model` ("Enduro", which turns cards; or "Pronto": narrower, one side, the words of its head the other way round);
    - `usbip`: HOST:PORT to be exported at, as bus 1-1 (127.0.0.1 and a free port), or `tcp`: HOST:PORT to listen on;
    - `out`: a directory for NNN-front.png, NNN-back.png and NNN.json of every card that comes out;
    - `cards` (50): blanks in the feeder, `output_capacity` (100);
    - `ribbon` ("YMCKO"; or YMCKOK, YMCK, KO, K, none), `prints`: how many sides it is still good for (all);
    - `duplex` (true), `stripe` ("hico"; "loco" blanks; "none": the printer has no encoder);
    - `language` ("DEU", as captured; "ENG") of its answers until a job names one;
    - `speed` (1): how fast the clock runs, 0 for instant; `serial` ("20000001"); `seed` (0) of the faults' randomness.

    Raises ValueError that names the option and what was expected; OSError when an address cannot be had.
    """
    values = check_options(_OPTIONS, options)
    if values["tcp"] and values["usbip"]:
        raise ValueError("usbip: expected either tcp or usbip")
    emulator = MagicardEmulator(values)
    await emulator.open()
    return emulator


class MagicardEmulator(CardPrinterEmulator):
    """A printer that runs. Bench verbs take and return the messages of the bench service."""

    def __init__(self, values: dict[str, Any]) -> None:
        clock = Clock(values["speed"])
        board = FaultBoard((*LINK_FAULTS, *_JAMS, *DEVICE_FAULTS), clock)
        machine = CardMachine(clock, board, bin_capacity=0, output_capacity=values["output_capacity"], near_empty=0)
        machine.blank = Blank(high=values["stripe"] != "loco", has_chip=False)
        model = MODELS[values["model"]]
        self.state = State(
            model=model,
            duplex=model.duplex and values["duplex"],
            tracks=values["stripe"] != "none",
            machine=machine,
            ribbon=self.ribbon_of(values),
            board=board,
            language=values["language"],
        )
        super().__init__(board, machine, self.state, values)
        device = Device(self.state, clock, pause=self.pause, resume=self.resume)
        self.plug_in(device, clock, USB, device.port_status)

    async def open_cover(self, request: bench.OpenCoverRequest) -> bench.OpenCoverResponse:
        """Open the cover: nothing moves."""
        answer = await super().open_cover(request)
        self.device.go_on()
        return answer

    async def close_cover(self, request: bench.CloseCoverRequest) -> bench.CloseCoverResponse:
        """Close it: what waits is done."""
        answer = await super().close_cover(request)
        self.device.go_on()
        return answer

    async def remove_jam(self, request: bench.RemoveJamRequest) -> bench.RemoveJamResponse:
        """Take out a card that is stuck or inside."""
        answer = await super().remove_jam(request)
        self.device.go_on()
        return answer


_OPTIONS: Table = {
    "model": (one_of(MODELS), "Enduro"),
    "tcp": (address, None),
    "usbip": (address, None),
    "out": (text, None),
    "cards": (whole(0, 500), 50),
    "output_capacity": (whole(0, 10_000), 100),
    "ribbon": (one_of([*RIBBONS, "none"]), "YMCKO"),
    "prints": (whole(0, 1000), 0),
    "duplex": (flag, True),
    "stripe": (one_of(["hico", "loco", "none"]), "hico"),
    "language": (one_of(["DEU", "ENG"]), "DEU"),
    "speed": (number(0, 1000), 1.0),
    "serial": (text, "20000001"),
    "seed": (whole(0, 2**32), 0),
}
