"""The emulated reader with its bench: documents that are laid on it and taken away, a plug."""

from __future__ import annotations

from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LINK_FAULTS
from countertop.emulators.core.options import Table, check_options, flag, number, text

from acme.emulator.device import DEVICE_FAULTS, AcmeDevice
from acme.emulator.documents import Chip, encode_document, invented_resident
from acme.emulator.plugged import OPTIONS, Plugged

__all__ = ["AcmeEmulator", "start"]

BAUD = 115200
LARGEST_PHOTO = 65536


async def start(options: dict[str, Any]) -> AcmeEmulator:
    """Start a reader. Options, all of them optional:

    - `pty` (true): the path at which the serial port appears, or `tcp`: HOST:PORT to listen on;
    - `serial` ("AR100001"): its serial number;
    - `card` (false): the invented resident's card lies there at the start;
    - `read_seconds` (0.1): how long it reads;
    - `speed` (1): how fast its clock runs, 0 for instant; `seed` (0): of the faults' randomness.

    Raises ValueError that names the option and what was expected, OSError when the address cannot be had.
    """
    values = check_options(_OPTIONS, {"pty": "tcp" not in options} | options)
    emulator = AcmeEmulator(values)
    if values["card"]:
        await emulator.insert_card(bench.InsertCardRequest())
    try:
        await emulator.open()
    except ValueError as error:
        raise ValueError(f"pty: {error}") from None
    return emulator


class AcmeEmulator(Plugged):
    """A reader that runs. Bench verbs raise ValueError that names the field when a request cannot be carried out."""

    def __init__(self, values: dict[str, Any]) -> None:
        clock = Clock(values["speed"])
        super().__init__(FaultBoard((*LINK_FAULTS, *DEVICE_FAULTS), clock))
        self.device = AcmeDevice(clock, self._board, values["serial"], values["read_seconds"])
        self.plug_in(self.device, clock, values, baud=BAUD)

    async def insert_card(self, request: bench.InsertCardRequest) -> bench.InsertCardResponse:
        """Lay a document on the reader; without `card`, the invented resident's."""
        document = request.card if request.HasField("card") else invented_resident()
        if len(document.photo.raw) > LARGEST_PHOTO:
            raise ValueError(f"card.photo.raw: expected at most {LARGEST_PHOTO} bytes")
        self.device.lay(Chip(encode_document(document), document.photo.raw))
        return bench.InsertCardResponse()

    async def remove_card(self, request: bench.RemoveCardRequest) -> bench.RemoveCardResponse:
        """Take it away."""
        return bench.RemoveCardResponse(removed=self.device.lift())

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """A reader puts nothing into the world."""
        return bench.GetOutputResponse()


_OPTIONS: Table = {
    **OPTIONS,
    "serial": (text, "AR100001"),
    "card": (flag, False),
    "read_seconds": (number(0, 3600), 0.1),
}
