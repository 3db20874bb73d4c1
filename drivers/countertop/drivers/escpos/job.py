"""One receipt on its way: sent in a window, confirmed as it comes out, stopped in a known place."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.encode import Encoded
from countertop.drivers.escpos.manner import FENCE, PROCESS_ID, Manner
from countertop.drivers.escpos.mending import MENDABLE, until_mended
from countertop.drivers.escpos.protocol import Event, Pending
from countertop.drivers.escpos.session import Session
from countertop.drivers.escpos.status import EOT_BITS, StatusBoard
from countertop.sdk.device import Run
from countertop.sdk.errors import DeviceFault, LinkFault, NoAnswer, reason_info
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import PhysicalEffect, Reason
from countertop.v1.receipt_printer_pb2 import BlocksPrinted

__all__ = ["PrintJob"]

_TRUE_CONFIRMATIONS = frozenset({PROCESS_ID, FENCE})
_BATCH_BYTES = 1024
# Key of the mark that a GS r made; a process id is never empty.
_FENCE = b""

# The printer goes on by itself when these pass.
_PASSING = frozenset({error_pb2.REASON_HEAD_OVERHEATED})


@dataclass(frozen=True, slots=True)
class _Mark:
    """A place in the stream that the printer will confirm."""

    bytes: int
    blocks: int
    dots: int


class PrintJob:
    """Sends an encoded receipt and knows how far it came."""

    def __init__(
        self,
        session: Session,
        board: StatusBoard,
        manner: Manner,
        run: Run,
        ids: Iterator[bytes],
        total: int,
        on_confirmed: Callable[[BlocksPrinted], None],
    ):
        self._session = session
        self._board = board
        self._manner = manner
        self._run = run
        self._on_confirmed = on_confirmed
        self._ids = ids
        self._total = total
        self._marks: OrderedDict[bytes, _Mark] = OrderedDict()
        self._sent = _Mark(0, 0, 0)
        self._confirmed = _Mark(0, 0, 0)
        self._all_sent = False
        self.began = False
        """Something may have left."""
        self.complete = False
        """All is confirmed."""

    @property
    def bytes_sent(self) -> int:
        """Bytes sent, requests for confirmation included."""
        return self._sent.bytes

    @property
    def blocks_out(self) -> int:
        """Blocks that are surely on paper; 0 where the printer cannot tell."""
        return self._confirmed.blocks if self._manner.confirmation in _TRUE_CONFIRMATIONS else 0

    @property
    def dots_out(self) -> int:
        """Paper that was surely fed, in dots; 0 where the printer cannot tell."""
        return self._confirmed.dots if self._manner.confirmation in _TRUE_CONFIRMATIONS else 0

    # -- what the printer says --

    def on_event(self, event: Event) -> None:
        """Take an event of the session."""
        match event:
            case protocol.ProcessId(value) if value in self._marks:
                self._confirm(value)
            case protocol.StatusByte() if _FENCE in self._marks:
                self._confirm(_FENCE)

    def _confirm(self, key: bytes) -> None:
        mark = self._marks[key]
        while key in self._marks:  # an id confirms all before it: the printer may have dropped theirs
            self._marks.popitem(last=False)
        blocks = self._confirmed.blocks
        self._confirmed = mark
        if mark.blocks > blocks:
            self._on_confirmed(BlocksPrinted(blocks=mark.blocks, confirmation=self._manner.confirmation))
            self._run.progress(mark.blocks, self._total, "blocks")

    # -- sending --

    async def print(self, preamble: bytes, encoded: Encoded) -> None:
        """Return when all is confirmed. Raises DeviceFault, LinkFault with the effect."""
        try:
            await self._send_all(preamble, encoded)
            self._all_sent = True
            await self._wait(lambda: self._outstanding == 0)
        except LinkFault as fault:
            raise self._lost(fault) from fault
        except _Stop as stop:
            fault_found = await self._stopped(stop)
            if fault_found:
                raise fault_found from None
        self.complete = True

    async def _send_all(self, preamble: bytes, encoded: Encoded) -> None:
        batch, dots, blocks = bytearray(preamble), 0, 0
        for chunk in encoded.chunks:
            if blocks and len(batch) + len(chunk.data) > _BATCH_BYTES:
                await self._send(batch, blocks, dots)
                batch, dots = bytearray(), 0
            batch += chunk.data
            dots += chunk.dots
            blocks = chunk.blocks
            if self._manner.confirmation == PROCESS_ID:
                self._mark(next(self._ids), batch, blocks, dots)
        await self._send(batch, blocks, dots)

    def _mark(self, key: bytes, batch: bytearray, blocks: int, dots: int) -> None:
        """Have this place confirmed, after what the batch holds so far."""
        if key:
            batch += protocol.process_id(key)
        else:
            batch += protocol.status(1)
            self._session.expect(Pending.STATUS)
        self._marks[key] = _Mark(self._sent.bytes + len(batch), blocks, self._sent.dots + dots)

    async def _send(self, batch: bytearray, blocks: int, dots: int) -> None:
        """Send whole commands when there is room in the window."""
        await self._wait(lambda: self._outstanding == 0 or self._outstanding + len(batch) <= self._manner.window)
        if self._manner.confirmation == FENCE and not self._marks:
            self._mark(_FENCE, batch, blocks, dots)
        self._session.begin_send(bytes(batch))
        self.began = True
        self._sent = _Mark(self._sent.bytes + len(batch), blocks, self._sent.dots + dots)
        await self._wait(lambda: self._session.idle)

    @property
    def _outstanding(self) -> int:
        return self._sent.bytes - self._confirmed.bytes

    # -- waiting --

    async def _wait(self, done: Callable[[], bool]) -> None:
        """Wait until `done`. Raises _Stop, LinkFault."""
        loop = asyncio.get_running_loop()
        confirmed, deadline = self._confirmed, loop.time() + self._patience()
        while not done():
            try:
                passing = self._look_for_faults()
            except _Stop as stop:
                if not self._manner.waits_for_people or stop.reason not in MENDABLE:
                    raise
                await self._until_mended(stop)
                deadline = loop.time() + self._patience()
                continue
            if passing or self._confirmed is not confirmed:
                confirmed, deadline = self._confirmed, loop.time() + self._patience()
            time_left = self._run.time_left
            if time_left <= 0:
                raise _Stop(error_pb2.REASON_DEVICE_TIMEOUT)
            if loop.time() >= deadline:
                raise _Stop(error_pb2.REASON_NO_ANSWER)
            if self._session.idle and self._outstanding and not self._marks:
                await self._ask_for_confirmation()
                continue
            seconds = min(time_left, deadline - loop.time(), self._manner.answer_seconds)
            if not await self._session.heard(max(seconds, 0)) and self._session.idle and self._manner.realtime:
                await self._poll()

    async def _until_mended(self, stop: _Stop) -> None:
        """Wait for a person; what the printer holds stays there, and comes out then. Raises _Stop when time is up."""
        self._run.stop(stop.reason, MENDABLE[stop.reason])
        await until_mended(
            self._session, self._board, self._run, self._manner.answer_seconds, recover=protocol.RECOVER_AND_CONTINUE
        )
        if self._board.blocking():
            raise stop
        self._run.working()

    def _patience(self) -> float:
        """Seconds in which some confirmation must come."""
        paper = (self._sent.dots - self._confirmed.dots) * 25.4 / self._manner.dpi
        wire = self._outstanding / self._manner.bytes_per_second
        return self._manner.stall_seconds + paper / self._manner.slowest_mm_per_second + wire

    def _look_for_faults(self) -> bool:
        """Raise _Stop for what needs a person; whether something stands that passes by itself."""
        blocking = self._board.blocking()
        for condition in blocking:
            if condition.reason not in _PASSING:
                raise _Stop(condition.reason, condition.action)
        return bool(blocking)

    async def _ask_for_confirmation(self) -> None:
        if self._manner.confirmation == FENCE:
            batch = bytearray()
            self._mark(_FENCE, batch, self._sent.blocks, 0)
            self._session.begin_send(bytes(batch))
            self._sent = _Mark(self._sent.bytes + len(batch), self._sent.blocks, self._sent.dots)
            return
        if self._manner.realtime:  # answered on reception: all before it has left the wire
            await self._poll()
            self._look_for_faults()
        self._confirmed = self._sent
        self._run.progress(self._sent.blocks, self._total, "blocks")

    async def _poll(self) -> None:
        """Ask how the printer is, in case that it does not report by itself."""
        try:
            for n in EOT_BITS:
                self._board.eot(n, await self._session.realtime_status(n, self._manner.answer_seconds))
        except NoAnswer:
            return  # the deadline decides

    # -- ending early --

    def _lost(self, fault: LinkFault) -> LinkFault:
        if not self.began:
            return LinkFault(fault.reason, fault.message, step="print", effect=error_pb2.PHYSICAL_EFFECT_NONE)
        message = f"The connection to the printer was lost. {self._how_far()}"
        return LinkFault(
            error_pb2.REASON_LINK_LOST, message, step="print", got=fault.got, effect=error_pb2.PHYSICAL_EFFECT_UNKNOWN
        )

    async def _stopped(self, stop: _Stop) -> DeviceFault | None:
        """Drop what the printer still holds and say what came out; None if all had come out after all."""
        cleared = await self._clear()
        if self._all_sent and not self._outstanding and self._manner.confirmation in _TRUE_CONFIRMATIONS:
            return None
        self._run.progress(self._confirmed.blocks, self._total, "blocks")
        message = f"{reason_info(stop.reason).en} {self._how_far()}"
        action = stop.action
        if not cleared:
            message += " The printer did not drop the rest of what it holds: that may still come out."
            action = f"{action or reason_info(stop.reason).app} Tear off what comes out then."
        return DeviceFault(
            stop.reason,
            message,
            step="print",
            expected="confirmation of the print",
            got=Reason.Name(stop.reason).removeprefix("REASON_"),
            action=action,
            effect=self._effect(cleared),
        )

    def _how_far(self) -> str:
        if self._manner.confirmation in _TRUE_CONFIRMATIONS:
            return f"Printed up to block {self._confirmed.blocks} of {self._total}."
        return f"How much of its {self._total} blocks was printed, the printer cannot tell."

    def _effect(self, cleared: bool) -> PhysicalEffect:
        known = self._manner.confirmation in _TRUE_CONFIRMATIONS and (cleared or not self._all_sent)
        return error_pb2.PHYSICAL_EFFECT_PARTIAL if known else error_pb2.PHYSICAL_EFFECT_UNKNOWN

    async def _clear(self) -> bool:
        """DLE DC4 8, between commands; whether the printer says that it dropped everything."""
        if not self._manner.clear:
            return False
        try:
            await self._session.clear_buffers(self._manner.answer_seconds)
        except (NoAnswer, LinkFault):
            return False
        return True


class _Stop(Exception):
    """The job cannot go on."""

    def __init__(self, reason: Reason, action: str = ""):
        super().__init__(reason)
        self.reason = reason
        self.action = action
