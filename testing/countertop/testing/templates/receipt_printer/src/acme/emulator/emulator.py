"""The emulated printer with its bench: cover, paper, plug, and what came out."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LINK_FAULTS
from countertop.emulators.core.options import Table, check_options, number, text
from countertop.v1.image_pb2 import Image

from acme.emulator.device import DEVICE_FAULTS, AcmeDevice
from acme.emulator.paper import WIDTH, Receipt
from acme.emulator.plugged import OPTIONS, Plugged

__all__ = ["AcmeEmulator", "start"]

BAUD = 115200
FULL_ROLL_MM = 80_000.0
LARGEST_PICTURE = 768 * 1024
"""Bytes that a message of the bench carries."""


async def start(options: dict[str, Any]) -> AcmeEmulator:
    """Start a printer. Options, all of them optional:

    - `tcp` ("127.0.0.1:0"): HOST:PORT to listen on, or `pty`: the path at which the serial port appears;
    - `serial` ("AT100001"): its serial number;
    - `mm_per_second` (150): how fast paper moves; `paper_mm` (80000): how much there is;
    - `speed` (1): how fast its clock runs, 0 for instant; `seed` (0): of the faults' randomness.

    Raises ValueError that names the option and what was expected, OSError when the address cannot be had.
    """
    emulator = AcmeEmulator(check_options(_OPTIONS, options))
    try:
        await emulator.open()
    except ValueError as error:
        raise ValueError(f"pty: {error}") from None
    return emulator


class AcmeEmulator(Plugged):
    """A printer that runs. Bench verbs take and return the messages of the bench service."""

    def __init__(self, values: dict[str, Any]) -> None:
        clock = Clock(values["speed"])
        super().__init__(FaultBoard((*LINK_FAULTS, *DEVICE_FAULTS), clock))
        self.device = AcmeDevice(clock, self._board, values["serial"], values["mm_per_second"], values["paper_mm"])
        self.plug_in(self.device, clock, values, baud=BAUD)

    async def open_cover(self, request: bench.OpenCoverRequest) -> bench.OpenCoverResponse:
        """Open the cover: the next line is refused."""
        self.device.cover_open = True
        return bench.OpenCoverResponse()

    async def close_cover(self, request: bench.CloseCoverRequest) -> bench.CloseCoverResponse:
        """Close it."""
        self.device.cover_open = False
        return bench.CloseCoverResponse()

    async def load_paper(self, request: bench.LoadPaperRequest) -> bench.LoadPaperResponse:
        """A new roll, of 80 m where no length is given; or none."""
        self.device.paper.left_mm = 0.0 if request.empty else request.mm or FULL_ROLL_MM
        return bench.LoadPaperResponse()

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """Receipts, the oldest first; the paper that hangs in the printer is the last."""
        receipts = self.device.paper.all()
        wanted = [receipt for receipt in receipts if receipt.number > request.skip][: request.limit or 1]
        outputs = [await _output(receipt, text_only=request.text_only) for receipt in wanted]
        return bench.GetOutputResponse(outputs=outputs, total=receipts[-1].number if receipts else 0)


async def _output(receipt: Receipt, *, text_only: bool) -> bench.Output:
    output = bench.Output(number=receipt.number, finished=receipt.finished, text=receipt.text)
    if not text_only and len(data := await asyncio.to_thread(receipt.png)) <= LARGEST_PICTURE:
        digest = hashlib.sha256(data).digest()
        picture = Image(media_type="image/png", width=WIDTH, height=receipt.height, data=data, sha256=digest)
        output.image.CopyFrom(picture)
    return output


_OPTIONS: Table = {
    **OPTIONS,
    "serial": (text, "AT100001"),
    "mm_per_second": (number(1, 1000), 150.0),
    "paper_mm": (number(0, 100_000), FULL_ROLL_MM),
}
