"""Printing a receipt: laid out, encoded, sent as a job, and printed anew where that was wished."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.connected import Connected
from countertop.drivers.escpos.counters import Counters
from countertop.drivers.escpos.encode import Encoded, encode, preamble
from countertop.drivers.escpos.evidence import PrintEvidence
from countertop.drivers.escpos.job import PrintJob
from countertop.drivers.escpos.manner import FENCE, Manner
from countertop.drivers.escpos.mark import marked, without_mark
from countertop.drivers.escpos.mending import MENDABLE, until_mended
from countertop.drivers.escpos.profiles import Profile
from countertop.sdk.device import Run
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.sdk.receipt import lay_out
from countertop.v1 import error_pb2, receipt_printer_pb2
from countertop.v1.receipt_pb2 import Receipt
from countertop.v1.receipt_printer_pb2 import BlocksPrinted, PrintRequest, PrintResult

__all__ = ["Printing"]

# A receipt with more bytes than this is laid out beside the event loop.
_BIG_RECEIPT = 4096
_CUT_LEFTOVER = b"\x1dV\x42\x00"


class Printing:
    """Prints on one connected printer, one receipt at a time."""

    def __init__(self, printer: Connected):
        self._printer = printer
        # not those of the connection before: the printer may still send one of them
        given = printer.options.first_process_id
        self._next_id = (
            protocol.process_id_number(given.encode("ascii")) if given else secrets.randbelow(protocol.PROCESS_IDS)
        )

    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        """Print a receipt, and again under the mark where an interruption asks for that. Raises DeviceFault with the
        effect, CountertopError(NOT_SUPPORTED), InvalidRequest.
        """
        wish = request.interruption
        if wish == receipt_printer_pb2.INTERRUPTION_REPRINT and not self._printer.profile.clear:
            raise CountertopError(
                error_pb2.REASON_NOT_SUPPORTED,
                "This printer cannot drop what it holds (DLE DC4 8), so that a receipt cannot be voided and reprinted; "
                "use CONTINUE or VOID.",
            )
        waits = wish == receipt_printer_pb2.INTERRUPTION_CONTINUE
        manner = replace(self._printer.manner, waits_for_people=waits)
        mark = bool(request.options.copy_of)
        try:
            return await self.print_receipt(request.receipt, run, run.emit, manner, mark=mark)
        except DeviceFault as fault:
            if wish != receipt_printer_pb2.INTERRUPTION_REPRINT:
                raise
            return await self._reprint(request, run, manner, fault)

    async def _reprint(self, request: PrintRequest, run: Run, manner: Manner, fault: DeviceFault) -> PrintResult:
        """Once the cause is mended: the whole receipt anew, under the mark, as often as it is interrupted again."""
        session, board, seconds = self._printer.session, self._printer.board, self._printer.options.answer_seconds
        while fault.effect == error_pb2.PHYSICAL_EFFECT_PARTIAL and fault.reason in MENDABLE and run.time_left > 0:
            run.stop(fault.reason, MENDABLE[fault.reason])
            await until_mended(session, board, run, seconds, recover=protocol.RECOVER_AND_CLEAR)
            if board.blocking():
                break
            run.working()
            run.progress(0, len(request.receipt.blocks), "blocks")
            try:
                result = await self.print_receipt(request.receipt, run, run.emit, manner, mark=True, earlier=True)
            except DeviceFault as again:
                if again.effect == error_pb2.PHYSICAL_EFFECT_NONE:
                    again.effect = error_pb2.PHYSICAL_EFFECT_PARTIAL  # of the attempt before
                fault = again
            else:
                result.reprinted = True
                return result
        raise fault

    async def print_receipt(
        self,
        receipt: Receipt,
        run: Run,
        on_confirmed: Callable[[BlocksPrinted], None],
        manner: Manner,
        *,
        mark: bool = False,
        earlier: bool = False,
    ) -> PrintResult:
        """Print a receipt once, under the `mark` or not; `earlier` says that a part of it is on paper already."""
        printer, total = self._printer, len(receipt.blocks)
        encoded = await self._encoded(receipt, manner, mark=mark)
        counters = printer.counters.now
        await printer.refuse_unless_ready("print")
        if counters is printer.counters.now:
            await printer.counters.refresh_cuts()
        start, cuts_before = await self._start(manner)
        evidence = self._evidence(encoded, receipt, manner, cuts_before, earlier)
        ids = protocol.process_ids(self._next_id)
        self._next_id += len(encoded.chunks)
        job = PrintJob(printer.session, printer.board, manner, run, ids, total, on_confirmed)
        printer.listener = job.on_event
        try:
            await run.commit_point("first byte", evidence.kept())
            await job.print(start, encoded)
        except DeviceFault:
            self._count_used(run, receipt, job.blocks_out, job.dots_out)
            raise
        finally:
            if job.began:
                printer.leftover = not job.complete
                printer.counters.forget()
            printer.listener = None
        paper_mm = self._count_used(run, receipt, total, encoded.dots)
        return PrintResult(
            confirmation=manner.confirmation,
            blocks=total,
            bytes=job.bytes_sent,
            paper_mm=paper_mm,
            rasterised_lines=encoded.rasterised_lines,
            missing_glyphs=encoded.missing_glyphs,
        )

    # -- before it --

    async def _encoded(self, receipt: Receipt, manner: Manner, *, mark: bool) -> Encoded:
        laid_out, profile = marked(receipt) if mark else receipt, self._printer.profile
        if receipt.ByteSize() > _BIG_RECEIPT or self._printer.options.text == "raster":
            encoded = await asyncio.to_thread(self._encode, laid_out, profile, manner.window)
        else:
            encoded = self._encode(laid_out, profile, manner.window)
        return without_mark(encoded) if mark else encoded

    def _encode(self, receipt: Receipt, profile: Profile, window: int) -> Encoded:
        options = self._printer.options
        return encode(
            lay_out(receipt, profile.paper),
            profile,
            raster_text=options.text == "raster",
            cut_feed=min(255, profile.paper.dots(options.cut_feed_mm)),
            strip_bytes=max(512, window // 2),
        )

    async def _start(self, manner: Manner) -> tuple[bytes, int]:
        """The bytes before a receipt, and how many cuts are in them; first gets rid of what a failed one has left."""
        printer = self._printer
        start = preamble(printer.profile)
        if not printer.leftover:
            return start, 0
        if not await printer.drop_rest() and manner.confirmation == FENCE:
            await printer.session.drain_status(printer.options.answer_seconds)
        if printer.options.cut_leftover and printer.profile.cutter != "none":
            return start + _CUT_LEFTOVER, 1
        return start, 0

    # -- what is kept and counted of it --

    def _evidence(
        self, encoded: Encoded, receipt: Receipt, manner: Manner, cuts_before: int, earlier: bool
    ) -> PrintEvidence:
        """What `reconcile` needs; call it right before the commit point."""
        cuts = self._cuts(receipt, len(receipt.blocks))
        return PrintEvidence.of(
            encoded,
            profile=self._printer.profile.name,
            confirmation=manner.confirmation,
            first_id=self._next_id,
            total=len(receipt.blocks),
            cuts=cuts + cuts_before if cuts else 0,
            ends_with_cut=bool(cuts) and receipt.blocks[-1].HasField("cut"),
            counters=self._printer.counters.now or Counters(),
            earlier=earlier,
        )

    def _cuts(self, receipt: Receipt, blocks: int) -> int:
        """How often this printer cuts within the first blocks of a receipt."""
        if self._printer.profile.cutter == "none":
            return 0
        return sum(block.HasField("cut") for block in receipt.blocks[:blocks])

    def _count_used(self, run: Run, receipt: Receipt, blocks: int, dots: int) -> float:
        """Count what so much of a receipt has used up; the paper in millimetres."""
        paper_mm = round(dots * 25.4 / self._printer.profile.dpi, 2)
        if dots or blocks:
            run.used("paper_mm", paper_mm)
            run.used("cuts", self._cuts(receipt, blocks))
        return paper_mm
