"""An Evolis printer on TCP or USB/IP, with its bench."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from countertop.emulators.core.cards.card import Blank
from countertop.emulators.core.cards.chip import Chip
from countertop.emulators.core.cards.contacts import CHIP_FAULTS, Contacts
from countertop.emulators.core.cards.emulator import CardPrinterEmulator, UsbIdentity
from countertop.emulators.core.cards.machine import JAM_FAULTS, CardMachine, Habit, Station
from countertop.emulators.core.cards.ribbon import RIBBONS
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LINK_FAULTS
from countertop.emulators.core.options import Table, address, check_options, flag, number, one_of, text, whole
from countertop.emulators.core.usb.printer_class import BUSY, ERROR, PAPER_EMPTY, READY
from countertop.emulators.evolis.device import DEVICE_FAULTS, Device
from countertop.emulators.evolis.models import MODELS
from countertop.emulators.evolis.state import State

__all__ = ["EvolisEmulator", "start"]

USB = UsbIdentity(0x0F49, 0x0A00, "Evolis")
"""The product is a Zenius; those of other models are not known."""


async def start(options: dict[str, Any]) -> EvolisEmulator:
    """Start a printer. Options, all of them optional:

    - `model` ("KC200B", for kiosks: bezel and reject bin; or "Primacy": output hopper and reject box);
    - `tcp`: HOST:PORT to listen on (127.0.0.1 and a free port), or `usbip`: HOST:PORT to be exported at, as bus 1-1;
    - `chip`: HOST:PORT where the reader at the contact station finds the chip (127.0.0.1 and a free port);
    - `out`: a directory for NNN-front.png, NNN-back.png and NNN.json of every card that comes out;
    - `cards` (50): blanks in the feeder, `near_empty` (5), `bin_capacity` (30), `output_capacity` (100);
    - `ribbon` ("YMCKO"; or YMCKOK, YMCK, KO, K, none), `prints`: how many it is still good for (all);
    - `duplex` (true), `stripe` ("hico"; "loco" blanks; "none": the printer has no encoder);
    - `customer` ("takes"; "leaves", "pushes-back"), `customer_seconds` (1): when, on the emulator's clock;
    - `draws_in` (false): it draws in a card that is pushed into its bezel by itself, without `Sib`;
    - `speed` (1): how fast the clock runs, 0 for instant; `serial` ("10000001"); `seed` (0) of the faults' randomness.

    Raises ValueError that names the option and what was expected; OSError when an address cannot be had.
    """
    values = check_options(_OPTIONS, options)
    if values["tcp"] and values["usbip"]:
        raise ValueError("usbip: expected either tcp or usbip")
    emulator = EvolisEmulator(values)
    await emulator.open()
    return emulator


class EvolisEmulator(CardPrinterEmulator):
    """A printer that runs. Bench verbs take and return the messages of the bench service."""

    def __init__(self, values: dict[str, Any]) -> None:
        clock = Clock(values["speed"])
        board = FaultBoard((*LINK_FAULTS, *JAM_FAULTS, *CHIP_FAULTS, *DEVICE_FAULTS), clock)
        machine = CardMachine(
            clock,
            board,
            bin_capacity=values["bin_capacity"],
            output_capacity=values["output_capacity"],
            near_empty=values["near_empty"],
        )
        machine.blank = Blank(high=values["stripe"] != "loco")
        machine.accepts = values["draws_in"]
        machine.habit, machine.patience = Habit(values["customer"]), values["customer_seconds"]
        model = MODELS[values["model"]]
        self.state = State(
            model=model,
            serial=values["serial"],
            duplex=model.duplex and values["duplex"],
            tracks=() if values["stripe"] == "none" else (1, 2, 3),
            machine=machine,
            ribbon=self.ribbon_of(values),
            board=board,
        )
        super().__init__(board, machine, self.state, values)
        device = Device(self.state, clock, pause=self.pause, resume=self.resume)
        self.plug_in(device, clock, USB, self._port_status)
        self._contacts = Contacts(self._chip, board)

    def _port_status(self) -> int:
        machine = self.machine
        if machine.cover_open or machine.station is Station.JAMMED:
            return ERROR
        empty = not machine.counts.supply and machine.station is Station.NONE
        return (BUSY if self.device.busy else READY) | (PAPER_EMPTY if empty else 0)

    def _chip(self) -> Chip | None:
        card = self.machine.card
        return card.chip if card is not None and self.machine.station is Station.CONTACT else None

    @property
    def link_url(self) -> str:
        """`tcp://host:port?chip=...` or `usbip://host:port/1-1?chip=...`; the same until `close`."""
        host, port = self._contacts.address
        return f"{super().link_url}?chip={quote(f'vpcd://{host}:{port}', safe='')}"

    async def open(self) -> None:
        """Listen, for the chip's reader too."""
        await self._contacts.start(*self._values["chip"])
        try:
            await super().open()
        except BaseException:
            await self._contacts.close()
            raise

    async def close(self) -> None:
        """Stop. Safe to call twice."""
        await super().close()
        await self._contacts.close()


_OPTIONS: Table = {
    "model": (one_of(MODELS), "KC200B"),
    "tcp": (address, None),
    "usbip": (address, None),
    "chip": (address, ("127.0.0.1", 0)),
    "out": (text, None),
    "cards": (whole(0, 500), 50),
    "near_empty": (whole(0, 500), 5),
    "bin_capacity": (whole(0, 10_000), 30),
    "output_capacity": (whole(0, 10_000), 100),
    "ribbon": (one_of([*RIBBONS, "none"]), "YMCKO"),
    "prints": (whole(0, 1000), 0),
    "duplex": (flag, True),
    "stripe": (one_of(["hico", "loco", "none"]), "hico"),
    "draws_in": (flag, False),
    "customer": (one_of([habit.value for habit in Habit]), "takes"),
    "customer_seconds": (number(0, 600), 1.0),
    "speed": (number(0, 1000), 1.0),
    "serial": (text, "10000001"),
    "seed": (whole(0, 2**32), 0),
}
