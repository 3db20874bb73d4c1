"""Faults of the link that every emulated device can have, as a filter between the device and its bus."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import TypeVar

from countertop.emulators.core.bus import Bus, Peer
from countertop.emulators.core.clock import Clock, Timer
from countertop.emulators.core.faults import FaultBoard, FaultSpec

__all__ = ["LINK_FAULTS", "LinkFaults"]

LINK_FAULTS = (
    FaultSpec("stall", "The device hangs: it takes in nothing and answers late, when the fault ends. Never counted."),
    FaultSpec("slow-drain", "The device takes in 960 bytes a second, as at 9600 bit/s. Never counted."),
    FaultSpec("disconnect", "The link breaks; by count: it comes back at once and breaks again at the next bytes."),
    FaultSpec("mute", "The device takes in and does everything, but the reply is lost."),
    FaultSpec("corrupt-reply", "One bit of the reply is wrong."),
    FaultSpec("noise", "Up to 16 random bytes come before the reply."),
    FaultSpec("split-replies", "The reply comes one byte at a time."),
)
"""The table of these faults; a device adds its own."""

BusT = TypeVar("BusT", bound=Bus)

_SLOW_BYTES = 32
_SLOW_SECONDS = _SLOW_BYTES / 960
_OUTBOX_LIMIT = 65536


class LinkFaults:
    """Stands between a bus and a device: a Peer for the bus, and the bus for the device.

    Wire it up as `link = LinkFaults(device, board, clock, random)`, `bus = link.bind(TcpBus(link))`. The board's table
    must hold LINK_FAULTS. The device pauses, unplugs and replugs through this, never through the bus. A reply is what
    the device writes with one call.
    """

    def __init__(self, device: Peer, board: FaultBoard, clock: Clock, random: Random) -> None:
        self._device = device
        self._board = board
        self._clock = clock
        self._random = random
        self._bus: Bus | None = None
        self._write_to_bus: Callable[[bytes], None] | None = None
        self._held = bytearray()  # read from the bus, not yet taken in: at most one read
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._sender: asyncio.Handle | None = None
        self._slow: Timer | None = None
        self._device_paused = False
        self._pumping = False
        self._wanted = True
        board.subscribe(self._fault_changed)

    def bind(self, bus: BusT) -> BusT:
        """Name the bus; returns it."""
        self._bus = bus
        return bus

    @property
    def bus(self) -> Bus:
        """The bus. Raises RuntimeError before `bind`."""
        if self._bus is None:
            raise RuntimeError("the link was not bound to a bus")
        return self._bus

    # What the device may ask of its link

    def pause_reading(self) -> None:
        """Nothing more is taken in until `resume_reading`."""
        self._device_paused = True
        self._pump()

    def resume_reading(self) -> None:
        """Take in bytes again."""
        self._device_paused = False
        self._pump()

    def unplug(self) -> None:
        """Break the link."""
        self._wanted = False
        self.bus.unplug()

    def replug(self) -> None:
        """Bring the link back, unless the fault `disconnect` keeps it down. Raises OSError when its place is taken."""
        self._wanted = True
        if not self._board.active("disconnect") or self._board.counted("disconnect"):
            self.bus.replug()

    # What the bus tells

    def connected(self, write: Callable[[bytes], None]) -> None:
        """See Peer."""
        self._write_to_bus = write
        self._device.connected(self._write)

    def received(self, data: bytes) -> None:
        """See Peer."""
        if self._board.active("disconnect"):
            self._disconnect()
            return
        self._held += data
        self._pump()

    def disconnected(self) -> None:
        """See Peer."""
        self._write_to_bus = None
        self._held.clear()
        self._outbox.clear()
        self._outbox_bytes = 0
        for pending in (self._sender, self._slow):
            if pending is not None:
                pending.cancel()
        self._sender = self._slow = None
        self._device.disconnected()
        self._pump()

    # Taking in

    def _pump(self) -> None:
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._held and not self._blocked():
                self._take_in()
        finally:
            self._pumping = False
        if self._held or self._blocked():
            self.bus.pause_reading()
        else:
            self.bus.resume_reading()

    def _blocked(self) -> bool:
        return self._device_paused or self._slow is not None or self._board.active("stall")

    def _take_in(self) -> None:
        limits = [len(self._held), self._board.bytes_until_next() or len(self._held)]
        if self._board.active("slow-drain"):
            limits.append(_SLOW_BYTES)
            self._slow = self._clock.call_later(_SLOW_SECONDS, self._slow_over)
        chunk = bytes(self._held[: min(limits)])
        del self._held[: len(chunk)]
        self._device.received(chunk)
        self._board.count_bytes(len(chunk))

    def _slow_over(self) -> None:
        self._slow = None
        self._pump()

    # Answering

    def _write(self, data: bytes) -> None:
        if self._write_to_bus is None or not data or self._board.take("mute"):
            return
        if self._board.take("corrupt-reply"):
            data = self._flip_one_bit(data)
        if self._board.take("noise"):
            data = self._random.randbytes(self._random.randint(1, 16)) + data
        if self._board.take("split-replies"):
            self._post([data[index : index + 1] for index in range(len(data))])
        elif self._outbox or self._board.active("stall"):
            self._post([data])
        else:
            self._write_to_bus(data)

    def _flip_one_bit(self, data: bytes) -> bytes:
        bit = self._random.randrange(len(data) * 8)
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        return bytes(flipped)

    def _post(self, pieces: list[bytes]) -> None:
        size = sum(map(len, pieces))
        if self._outbox_bytes + size > _OUTBOX_LIMIT:
            self.bus.dropped_bytes += size
            return
        self._outbox.extend(pieces)
        self._outbox_bytes += size
        self._send_later()

    def _send_later(self) -> None:
        if self._outbox and self._sender is None and not self._board.active("stall"):
            self._sender = asyncio.get_running_loop().call_soon(self._send_piece)

    def _send_piece(self) -> None:
        self._sender = None
        if self._outbox and self._write_to_bus is not None and not self._board.active("stall"):
            piece = self._outbox.popleft()
            self._outbox_bytes -= len(piece)
            self._write_to_bus(piece)
            self._send_later()

    # Faults that act by themselves

    def _fault_changed(self, name: str, began: bool) -> None:
        if name == "disconnect":
            if began:
                self._disconnect()
            elif self._wanted:
                self.bus.replug()
        elif name in ("stall", "slow-drain"):
            if name == "slow-drain" and not began and self._slow is not None:
                self._slow.cancel()
                self._slow = None
            self._send_later()
            self._pump()

    def _disconnect(self) -> None:
        counted = self._board.counted("disconnect")
        self.bus.unplug()
        self._board.take("disconnect")
        if counted and self._wanted:
            self.bus.replug()
