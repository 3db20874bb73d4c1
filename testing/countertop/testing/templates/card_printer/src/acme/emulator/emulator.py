"""The emulated printer with its bench: cards, ribbon, cover, a customer, a plug."""

from __future__ import annotations

from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.cards.bench import CardBench
from countertop.emulators.core.cards.machine import JAM_FAULTS, CardMachine, Habit
from countertop.emulators.core.cards.ribbon import RIBBONS, Ribbon
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LINK_FAULTS
from countertop.emulators.core.options import Table, check_options, number, one_of, text, whole

from acme.emulator.device import DEVICE_FAULTS, AcmeDevice
from acme.emulator.plugged import OPTIONS, Plugged

__all__ = ["AcmeEmulator", "start"]

BAUD = 115200


async def start(options: dict[str, Any]) -> AcmeEmulator:
    """Start a printer. Options, all of them optional:

    - `tcp` ("127.0.0.1:0"): HOST:PORT to listen on, or `pty`: the path at which the serial port appears;
    - `serial` ("AC100001"): its serial number;
    - `cards` (50): blanks in the feeder, `near_empty` (5), `bin_capacity` (30);
    - `ribbon` ("YMCKO"; or KO, K, ..., none), `prints`: how many it is still good for (all);
    - `customer` ("takes"; "leaves", "pushes-back"), `customer_seconds` (1): when, on the emulator's clock;
    - `speed` (1): how fast its clock runs, 0 for instant; `seed` (0): of the faults' randomness.

    Raises ValueError that names the option and what was expected, OSError when the address cannot be had.
    """
    emulator = AcmeEmulator(check_options(_OPTIONS, options))
    try:
        await emulator.open()
    except ValueError as error:
        raise ValueError(f"pty: {error}") from None
    return emulator


class AcmeEmulator(Plugged, CardBench):
    """A printer that runs. Bench verbs take and return the messages of the bench service."""

    def __init__(self, values: dict[str, Any]) -> None:
        clock = Clock(values["speed"])
        board = FaultBoard((*LINK_FAULTS, *JAM_FAULTS, *DEVICE_FAULTS), clock)
        machine = CardMachine(
            clock,
            board,
            bin_capacity=values["bin_capacity"],
            output_capacity=0,
            near_empty=values["near_empty"],
        )
        machine.habit, machine.patience = Habit(values["customer"]), values["customer_seconds"]
        machine.load(values["cards"])
        CardBench.__init__(self, board, machine)
        kind = values["ribbon"]
        ribbon = None if kind == "none" else Ribbon.full(kind, values["prints"])
        self.device = AcmeDevice(clock, board, machine, ribbon, values["serial"])
        self.plug_in(self.device, clock, values, baud=BAUD)

    async def load_ribbon(self, request: bench.LoadRibbonRequest) -> bench.LoadRibbonResponse:
        """Put in a ribbon, or take it out."""
        try:
            ribbon = None if request.absent else Ribbon.full(request.type or "YMCKO", request.prints)
        except ValueError as error:
            raise ValueError(f"type: {error}") from None
        self.device.ribbon = ribbon
        return bench.LoadRibbonResponse()


_OPTIONS: Table = {
    **OPTIONS,
    "serial": (text, "AC100001"),
    "cards": (whole(0, 500), 50),
    "near_empty": (whole(0, 500), 5),
    "bin_capacity": (whole(0, 10_000), 30),
    "ribbon": (one_of([*RIBBONS, "none"]), "YMCKO"),
    "prints": (whole(0, 1000), 0),
    "customer": (one_of([habit.value for habit in Habit]), "takes"),
    "customer_seconds": (number(0, 600), 1.0),
}
