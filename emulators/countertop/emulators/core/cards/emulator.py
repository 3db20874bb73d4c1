"""What every emulated card printer has around its device: a link by choice, cards that are laid down, power, ribbon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.bus import Bus, TcpBus
from countertop.emulators.core.cards.bench import CardBench
from countertop.emulators.core.cards.machine import CardMachine
from countertop.emulators.core.cards.queued import QueuedPeer
from countertop.emulators.core.cards.ribbon import Ribbon
from countertop.emulators.core.cards.shelf import Shelf
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LinkFaults
from countertop.emulators.core.usb.device import UsbDescriptors
from countertop.emulators.core.usb.printer_class import UsbPrinterBus

__all__ = ["CardPrinterEmulator", "UsbIdentity"]


@dataclass(frozen=True, slots=True)
class UsbIdentity:
    """What it is on USB."""

    vendor_id: int
    product_id: int
    maker: str
    default: bool = False
    """It is on USB unless `tcp` is given; else it is on TCP unless `usbip` is."""


class RibbonHolder(Protocol):
    """Where the ribbon is."""

    ribbon: Ribbon | None


class CardPrinterEmulator(CardBench):
    """Base. A subclass makes its `device` with `pause` and `resume` of this, then calls `plug_in`."""

    device: QueuedPeer[Any]

    def __init__(self, board: FaultBoard, machine: CardMachine, holder: RibbonHolder, values: dict[str, Any]) -> None:
        super().__init__(board, machine)
        self._holder = holder
        self._values = values
        self._shelf = Shelf(values["out"])
        machine.on_gone = self._shelf.keep
        machine.load(values["cards"])
        self._link: LinkFaults
        self._bus: Bus

    @staticmethod
    def ribbon_of(values: dict[str, Any]) -> Ribbon | None:
        """The ribbon that the options `ribbon` and `prints` say."""
        return None if values["ribbon"] == "none" else Ribbon.full(values["ribbon"], values["prints"])

    def pause(self) -> None:
        """For the device: take in nothing more."""
        self._link.pause_reading()

    def resume(self) -> None:
        """For the device: take in again."""
        self._link.resume_reading()

    def plug_in(self, device: QueuedPeer[Any], clock: Clock, usb: UsbIdentity, port_status: Callable[[], int]) -> None:
        """Put the device on the link that the options `tcp` and `usbip` say."""
        self.device = device
        self._link = LinkFaults(device, self._board, clock, Random(self._values["seed"]))
        self._bus = self._link.bind(self._make_bus(usb, port_status))

    def _make_bus(self, usb: UsbIdentity, port_status: Callable[[], int]) -> Bus:
        values = self._values
        if values["tcp"] or not (values["usbip"] or usb.default):
            place: tuple[str, int] = values["tcp"] or ("127.0.0.1", 0)
            return TcpBus(self._link, *place)
        host, port = values["usbip"] or ("127.0.0.1", 0)
        model = values["model"]
        return UsbPrinterBus(
            self._link,
            UsbDescriptors(
                usb.vendor_id,
                usb.product_id,
                manufacturer=usb.maker,
                product=f"{usb.maker} {model}",
                serial=values["serial"],
            ),
            device_id=f"MFG:{usb.maker};MDL:{model};CLS:PRINTER;",
            status=port_status,
            reset=self.device.soft_reset,
            host=host,
            port=port,
        )

    @property
    def link_url(self) -> str:
        """`tcp://host:port` or `usbip://host:port/1-1`; the same until `close`."""
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

    async def load_ribbon(self, request: bench.LoadRibbonRequest) -> bench.LoadRibbonResponse:
        """Put in a ribbon, or take it out."""
        try:
            self._holder.ribbon = None if request.absent else Ribbon.full(request.type or "YMCKO", request.prints)
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
