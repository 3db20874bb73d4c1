"""A Magicard printer on USB/IP or TCP, with its bench."""

from __future__ import annotations

from random import Random
from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.bus import Bus, TcpBus
from countertop.emulators.core.cards.bench import CardBench
from countertop.emulators.core.cards.card import Blank
from countertop.emulators.core.cards.machine import JAM_FAULTS, CardMachine
from countertop.emulators.core.cards.ribbon import RIBBONS, Ribbon
from countertop.emulators.core.cards.shelf import Shelf
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LINK_FAULTS, LinkFaults
from countertop.emulators.core.options import Table, address, check_options, flag, number, one_of, text, whole
from countertop.emulators.core.usb.device import UsbDescriptors
from countertop.emulators.core.usb.printer_class import UsbPrinterBus
from countertop.emulators.magicard.device import DEVICE_FAULTS, Device
from countertop.emulators.magicard.models import MODELS
from countertop.emulators.magicard.state import State

__all__ = ["MagicardEmulator", "start"]

VENDOR, PRODUCT = 0x0C1F, 0x2800
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


class MagicardEmulator(CardBench):
    """A printer that runs. Bench verbs take and return the messages of the bench service."""

    def __init__(self, values: dict[str, Any]) -> None:
        clock = Clock(values["speed"])
        board = FaultBoard((*LINK_FAULTS, *_JAMS, *DEVICE_FAULTS), clock)
        machine = CardMachine(clock, board, bin_capacity=0, output_capacity=values["output_capacity"], near_empty=0)
        super().__init__(board, machine)
        machine.blank = Blank(high=values["stripe"] != "loco", has_chip=False)
        machine.load(values["cards"])
        self._shelf = Shelf(values["out"])
        machine.on_gone = self._shelf.keep
        model, kind = MODELS[values["model"]], values["ribbon"]
        self.state = State(
            model=model,
            duplex=model.duplex and values["duplex"],
            tracks=values["stripe"] != "none",
            machine=machine,
            ribbon=None if kind == "none" else Ribbon.full(kind, values["prints"]),
            board=board,
            language=values["language"],
        )
        self.device = Device(
            self.state, clock, pause=lambda: self._link.pause_reading(), resume=lambda: self._link.resume_reading()
        )
        self._link = LinkFaults(self.device, board, clock, Random(values["seed"]))
        self._bus: Bus = self._link.bind(self._make_bus(values))

    def _make_bus(self, values: dict[str, Any]) -> Bus:
        if values["tcp"]:
            return TcpBus(self._link, *values["tcp"])
        host, port = values["usbip"] or ("127.0.0.1", 0)
        name = f"Magicard {values['model']}"
        return UsbPrinterBus(
            self._link,
            UsbDescriptors(VENDOR, PRODUCT, manufacturer="Magicard", product=name, serial=values["serial"]),
            device_id=f"MFG:Magicard;MDL:{values['model']};CLS:PRINTER;",
            status=self.device.port_status,
            reset=self.device.soft_reset,
            host=host,
            port=port,
        )

    @property
    def link_url(self) -> str:
        """`usbip://host:port/1-1` or `tcp://host:port`; the same until `close`."""
        return self._bus.link_url

    async def open(self) -> None:
        """Listen, and make the output directory."""
        self._shelf.open()
        await self._bus.start()

    async def close(self) -> None:
        """Stop. Safe to call twice."""
        self._link.unplug()
        self.device.power_off()
        self._board.clear()
        await self._bus.close()
        await self._shelf.close()

    async def wait_idle(self) -> None:
        """Wait until all that was received is done, or held up by an error."""
        await self.device.wait_idle()

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

    async def load_ribbon(self, request: bench.LoadRibbonRequest) -> bench.LoadRibbonResponse:
        """Put in a ribbon, or take it out."""
        try:
            self.state.ribbon = None if request.absent else Ribbon.full(request.type or "YMCKO", request.prints)
        except ValueError as error:
            raise ValueError(f"type: {error}") from None
        return bench.LoadRibbonResponse()

    async def unplug(self, request: bench.UnplugRequest) -> bench.UnplugResponse:
        """Pull the plug: the link breaks, memory is lost, a card that moves stays where it is."""
        self._link.unplug()
        self.device.power_off()
        return bench.UnplugResponse()

    async def replug(self, request: bench.ReplugRequest) -> bench.ReplugResponse:
        """Put it back."""
        self.device.power_on()
        self._link.replug()
        return bench.ReplugResponse()

    async def power_cycle(self, request: bench.PowerCycleRequest) -> bench.PowerCycleResponse:
        """Off and on; the link stays."""
        self.device.power_cycle()
        return bench.PowerCycleResponse()


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
