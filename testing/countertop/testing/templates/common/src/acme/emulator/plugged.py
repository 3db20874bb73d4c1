"""The emulated device on its link, and the hands that pull and put back its plug."""

from __future__ import annotations

from random import Random
from typing import Any, Protocol

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.bench import FaultBench
from countertop.emulators.core.bus import Bus, PtyBus, TcpBus
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LinkFaults
from countertop.emulators.core.options import Table, address, number, text, whole

from acme.emulator.line import Line

__all__ = ["OPTIONS", "Plugged"]

OPTIONS: Table = {
    "tcp": (address, None),
    "pty": (lambda value: value if isinstance(value, bool) else text(value), None),
    "speed": (number(0, 1000), 1.0),
    "seed": (whole(0, 2**32), 0),
}
"""What every emulator of this distribution takes: HOST:PORT to listen on, or the path of a serial port (true: in a
private folder); how fast its clock runs, 0 for instant; the seed of the faults' randomness."""


class Powered(Protocol):
    """The device, as far as its plug is concerned."""

    line: Line

    def power_off(self) -> None:
        """What it held in memory is lost."""


class Plugged(FaultBench):
    """Base of the emulator. A subclass calls `plug_in` when it is made."""

    def __init__(self, board: FaultBoard) -> None:
        super().__init__(board)
        self._powered: Powered
        self._link: LinkFaults
        self._bus: Bus

    def plug_in(self, device: Powered, clock: Clock, values: dict[str, Any], *, baud: int) -> None:
        """Put the device on the link that the options say; without one, on a free TCP port of loopback."""
        self._powered = device
        self._link = LinkFaults(device.line, self._board, clock, Random(values["seed"]))
        if values["pty"]:
            path = None if values["pty"] is True else values["pty"]
            self._bus = self._link.bind(PtyBus(self._link, path, baud=baud))
        else:
            host, port = values["tcp"] or ("127.0.0.1", 0)
            self._bus = self._link.bind(TcpBus(self._link, host, port, output_limit=1 << 20))

    @property
    def link_url(self) -> str:
        """`tcp://host:port` or `serial:///path?baud=...`; the same until `close`."""
        return self._bus.link_url

    async def open(self) -> None:
        """Put it on its link. Raises OSError for an address that cannot be had, ValueError for a path that is taken."""
        await self._bus.start()

    async def close(self) -> None:
        """End it, and free its port. Safe to call twice."""
        self._link.unplug()
        self._powered.power_off()
        self._board.clear()
        await self._bus.close()

    async def unplug(self, request: bench.UnplugRequest) -> bench.UnplugResponse:
        """Pull the plug: the link breaks, and what the device held in memory is lost."""
        self._link.unplug()
        self._powered.power_off()
        return bench.UnplugResponse()

    async def replug(self, request: bench.ReplugRequest) -> bench.ReplugResponse:
        """Put it back."""
        self._link.replug()
        return bench.ReplugResponse()

    async def power_cycle(self, request: bench.PowerCycleRequest) -> bench.PowerCycleResponse:
        """Off and on; the link stays."""
        self._powered.power_off()
        return bench.PowerCycleResponse()
