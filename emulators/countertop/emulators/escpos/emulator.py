"""A receipt printer on TCP or a pty, with its bench."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.bench import FaultBench
from countertop.emulators.core.bus import Bus, PtyBus, TcpBus
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LINK_FAULTS, LinkFaults
from countertop.emulators.escpos.device import DEVICE_FAULTS, FULL_ROLL_MM, Machine, MachineSettings
from countertop.emulators.escpos.models import MODELS
from countertop.emulators.escpos.options import printer_options
from countertop.emulators.escpos.paper import Receipt
from countertop.v1.image_pb2 import Image

__all__ = ["EscPosEmulator", "start"]

_SERIAL_BUFFER, _TCP_BUFFER = 4096, 16384
"""Receive buffers of TM-T88III on its serial port, and of the UB-E02 network board."""
_MAX_PNG_BYTES = 768 * 1024


async def start(options: dict[str, Any]) -> EscPosEmulator:
    """Start a printer. Options, all of them optional:

    - `tcp`: HOST:PORT to listen on (127.0.0.1 and a free port), or `pty`: path of a serial port, true for a free one;
    - `out`: a directory for NNN.png and NNN.txt of every receipt;
    - `model` ("TM-T88VI"), `width_dots` or `columns` (of font A), `dpi` (the model's);
    - `speed_mm_s` (150): how fast paper moves; `speed` (1): how fast the clock runs, 0 for instant;
    - `kanji` (true): Kanji mode after power-on; `gb18030_4byte` (true): the font has four-byte characters;
    - `paper_mm` (80000), `cutter_distance` (80 dots between head and cutter), `seed` (0) of the faults' randomness.

    Raises ValueError that names the option and what was expected; OSError when the address cannot be had.
    """
    emulator = EscPosEmulator(printer_options(options))
    try:
        await emulator.open()
    except ValueError as error:
        raise ValueError(f"pty: {error}") from None
    return emulator


class EscPosEmulator(FaultBench):
    """A printer that runs. Bench verbs take and return the messages of the bench service."""

    def __init__(self, values: dict[str, Any]) -> None:
        model, serial = MODELS[values["model"]], bool(values["pty"])
        clock = Clock(values["speed"])
        super().__init__(FaultBoard((*LINK_FAULTS, *DEVICE_FAULTS), clock))
        self.machine = Machine(
            clock,
            self._board,
            MachineSettings(
                model=model,
                width_dots=values["width_dots"] or model.width_dots,
                dpi=values["dpi"] or model.dpi,
                speed_mm_s=values["speed_mm_s"],
                kanji=values["kanji"],
                gb18030_4byte=values["gb18030_4byte"],
                paper_mm=values["paper_mm"],
                cutter_distance=values["cutter_distance"],
                buffer_bytes=_SERIAL_BUFFER if serial else _TCP_BUFFER,
                xon_xoff=serial,
            ),
            pause=lambda: self._link.pause_reading(),
            resume=lambda: self._link.resume_reading(),
            on_receipt=self._keep,
        )
        self._link = LinkFaults(self.machine, self._board, clock, Random(values["seed"]))
        self._bus: Bus = self._link.bind(_bus(self._link, values))
        self._out = Path(values["out"]) if values["out"] else None
        self._writing: set[asyncio.Task[None]] = set()

    @property
    def link_url(self) -> str:
        """`tcp://host:port` or `serial:///path?baud=...`; the same until `close`."""
        return self._bus.link_url

    async def open(self) -> None:
        """Listen, and make the output directory."""
        if self._out is not None:
            self._out.mkdir(parents=True, exist_ok=True)
        await self._bus.start()

    async def close(self) -> None:
        """Stop, and write what hangs in the printer. Safe to call twice."""
        self._link.unplug()
        self.machine.power_off()
        self._board.clear()
        await self._bus.close()
        current = self.machine.roll.current
        if current.lines and not current.finished:
            current.finished = True
            self._keep(current)
        await asyncio.gather(*self._writing)

    async def wait_idle(self) -> None:
        """Wait until all that was received is printed, or held by a cause that somebody must mend."""
        await self.machine.wait_idle()

    async def open_cover(self, request: bench.OpenCoverRequest) -> bench.OpenCoverResponse:
        """Open the cover: printing stops."""
        self.machine.set_cover(is_open=True)
        return bench.OpenCoverResponse()

    async def close_cover(self, request: bench.CloseCoverRequest) -> bench.CloseCoverResponse:
        """Close it: printing goes on."""
        self.machine.set_cover(is_open=False)
        return bench.CloseCoverResponse()

    async def load_paper(self, request: bench.LoadPaperRequest) -> bench.LoadPaperResponse:
        """A new roll, of 80 m where no length is given; or none."""
        self.machine.load_paper(0.0 if request.empty else request.mm or FULL_ROLL_MM)
        return bench.LoadPaperResponse()

    async def unplug(self, request: bench.UnplugRequest) -> bench.UnplugResponse:
        """Pull the plug: the link breaks, what is not printed is lost."""
        self._link.unplug()
        self.machine.power_off()
        return bench.UnplugResponse()

    async def replug(self, request: bench.ReplugRequest) -> bench.ReplugResponse:
        """Put it back."""
        self.machine.power_on()
        self._link.replug()
        return bench.ReplugResponse()

    async def power_cycle(self, request: bench.PowerCycleRequest) -> bench.PowerCycleResponse:
        """Off and on; the link stays."""
        self.machine.power_cycle()
        return bench.PowerCycleResponse()

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """Receipts, the oldest first; the paper that still hangs in the printer is the last. Pictures are cut to what
        a message can carry.
        """
        roll = self.machine.roll
        receipts = [*roll.receipts, *([roll.current] if roll.current.lines else [])]
        total = receipts[-1].number if receipts else 0
        wanted = [receipt for receipt in receipts if receipt.number > request.skip][: request.limit or 1]
        outputs = [await self._output(receipt, text_only=request.text_only) for receipt in wanted]
        return bench.GetOutputResponse(outputs=outputs, total=total)

    async def _output(self, receipt: Receipt, *, text_only: bool) -> bench.Output:
        output = bench.Output(number=receipt.number, finished=receipt.finished, text=receipt.text)
        if not text_only:
            receipt = replace(receipt, strips=list(receipt.strips))  # printing may go on meanwhile
            data = await asyncio.to_thread(receipt.png)
            if len(data) <= _MAX_PNG_BYTES:
                digest = hashlib.sha256(data).digest()
                image = Image(
                    media_type="image/png", width=receipt.width, height=receipt.height, data=data, sha256=digest
                )
                output.image.CopyFrom(image)
        return output

    def _keep(self, receipt: Receipt) -> None:
        if self._out is not None:
            task = asyncio.create_task(self._write(receipt, self._out))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    @staticmethod
    async def _write(receipt: Receipt, out: Path) -> None:
        def write() -> None:
            (out / f"{receipt.number:03d}.png").write_bytes(receipt.png())
            (out / f"{receipt.number:03d}.txt").write_text(receipt.text, encoding="utf-8")

        await asyncio.to_thread(write)


def _bus(link: LinkFaults, values: dict[str, Any]) -> Bus:
    if values["pty"]:
        return PtyBus(link, None if values["pty"] is True else values["pty"])
    host, port = values["tcp"] or ("127.0.0.1", 0)
    return TcpBus(link, host, port)
