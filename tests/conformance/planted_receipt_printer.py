"""Receipt printers' drivers that are broken on purpose, one in each way that the suite must find."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from countertop.drivers.escpos.driver import EscPosPrinter
from countertop.sdk.device import Evidence, Options, Run, Settlement, Unsettled
from countertop.sdk.errors import CountertopError, DeviceFault, LinkFault
from countertop.sdk.links import LinkUrl
from countertop.testing.conformance import ReceiptPrinterConformance
from countertop.v1 import error_pb2, receipt_printer_pb2
from countertop.v1.device_pb2 import DeviceInfo
from countertop.v1.error_pb2 import PhysicalEffect, Reason
from countertop.v1.operation_pb2 import PROMPT_KIND_UNSPECIFIED, PromptKind
from countertop.v1.receipt_pb2 import Receipt
from countertop.v1.receipt_printer_pb2 import OpenDrawerRequest, OpenDrawerResult, PrintRequest, PrintResult
from tests.conformance.planted import Planted
from tests.conformance.proxied_run import Defiant, Late, Passed

__all__ = ["PLANTED"]

PROCESS_ID = receipt_printer_pb2.CONFIRMATION_PROCESS_ID


def _with(request: PrintRequest, change: Callable[[Receipt], None]) -> PrintRequest:
    changed = PrintRequest()
    changed.CopyFrom(request)
    change(changed.receipt)
    return changed


def _whole(request: PrintRequest) -> PrintResult:
    return PrintResult(confirmation=PROCESS_ID, blocks=len(request.receipt.blocks), paper_mm=1)


class LosesALine(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        def lose(receipt: Receipt) -> None:
            del receipt.blocks[1]

        result = await super().print(_with(request, lose), run)
        result.blocks += 1
        return result


class NeverCuts(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        def uncut(receipt: Receipt) -> None:
            kept = [block for block in receipt.blocks if not block.HasField("cut")]
            del receipt.blocks[:]
            receipt.blocks.extend(kept)

        return await super().print(_with(request, uncut), run)


class CommitsLate(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        late = Late(run)
        result = await super().print(request, late)
        await late.come()
        return result


class DefiesTheJournal(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        defiant = Defiant(run)
        result = await super().print(request, defiant)
        defiant.end()
        return result

    async def open_drawer(self, request: OpenDrawerRequest, run: Run) -> OpenDrawerResult:
        defiant = Defiant(run)
        result = await super().open_drawer(request, defiant)
        defiant.end()
        return result


class _Uncancellable(Passed):
    async def commit_point(self, step: str, evidence: Evidence | None = None) -> None:
        try:
            await self.run.commit_point(step, evidence or {})
        except asyncio.CancelledError:
            return


class CannotBeCancelled(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        return await super().print(request, _Uncancellable(run))


class _Quiet(Passed):
    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        if done != total:
            self.run.progress(done, total, unit)


class NeverSaysThatItIsDone(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        return await super().print(request, _Quiet(run))


class ClaimsProcessIds(EscPosPrinter):
    """It only writes."""

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options.model_copy(update={"confirm": "written"}))

    async def connect(self) -> DeviceInfo:
        info = await super().connect()
        info.receipt_printer.confirmation = PROCESS_ID
        return info

    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        result = await super().print(request, run)
        result.confirmation = PROCESS_ID
        return result


class LeavesOutMistakes(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        def without_codes(receipt: Receipt) -> None:
            kept = [block for block in receipt.blocks if not block.HasField("barcode")]
            del receipt.blocks[:]
            receipt.blocks.extend(kept)

        return await super().print(_with(request, without_codes), run)


class AsciiOnly(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        def to_ascii(receipt: Receipt) -> None:
            for block in receipt.blocks:
                for span in block.paragraph.spans:
                    span.text = span.text.encode("ascii", "replace").decode("ascii")

        return await super().print(_with(request, to_ascii), run)


class _Swallows(EscPosPrinter):
    """Takes one fault for success."""

    swallowed: ClassVar[Reason]

    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        try:
            return await super().print(request, run)
        except DeviceFault as fault:
            if fault.reason != self.swallowed:
                raise
            return _whole(request)


class SwallowsPaperOut(_Swallows):
    swallowed = error_pb2.REASON_PAPER_OUT


class SwallowsTheCover(_Swallows):
    swallowed = error_pb2.REASON_COVER_OPEN


class SaysPartialBeforehand(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        try:
            return await super().print(request, run)
        except DeviceFault as fault:
            fault.effect = error_pb2.PHYSICAL_EFFECT_PARTIAL
            raise


class LeavesLeftovers(EscPosPrinter):
    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options.model_copy(update={"cut_leftover": False}))


class _Silent(Passed):
    def stop(self, reason: Reason, prompt: PromptKind = PROMPT_KIND_UNSPECIFIED) -> None:
        """Says nothing."""


class GoesOnSilently(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        return await super().print(request, _Silent(run))


class HidesReprints(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        result = await super().print(request, run)
        result.reprinted = False
        return result


class WaitsForEver(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        while True:
            try:
                return await super().print(request, run)
            except DeviceFault:
                await asyncio.sleep(0.1)


class RefusesItsDrawer(EscPosPrinter):
    async def open_drawer(self, request: OpenDrawerRequest, run: Run) -> OpenDrawerResult:
        raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "This driver opens no drawer.")


class CallsLossesHarmless(EscPosPrinter):
    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        try:
            return await super().print(request, run)
        except LinkFault as fault:
            fault.effect = error_pb2.PHYSICAL_EFFECT_NONE
            raise


class _Settles(EscPosPrinter):
    """Always to the same effect."""

    effect: ClassVar[PhysicalEffect]

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        total = unsettled.evidence.get("total", 0)
        result = PrintResult(confirmation=PROCESS_ID, blocks=total if isinstance(total, int) else 0)
        return Settlement(self.effect, "It is as it is.", result)


class SettlesAsComplete(_Settles):
    effect = error_pb2.PHYSICAL_EFFECT_COMPLETE


class SettlesAsNone(_Settles):
    effect = error_pb2.PHYSICAL_EFFECT_NONE


class _Kept(Passed):
    """An operation that is over; nobody hears of its commit points."""

    async def commit_point(self, step: str, evidence: Evidence | None = None) -> None:
        """Nothing is kept."""


class PrintsAnew(EscPosPrinter):
    """Once the printer is back."""

    last: ClassVar[list[tuple[PrintRequest, Run]]] = []

    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        self.last[:] = [(request, run)]
        return await super().print(request, run)

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        settlement = await super().reconcile(unsettled)
        request, run = self.last[0]
        await super().print(request, _Kept(run))
        return settlement


def _planted(name: str, broken: type[EscPosPrinter], number: str, speed: float = 0) -> Planted:
    return Planted(name, ReceiptPrinterConformance, broken, number, {"speed": speed})


PLANTED = [
    _planted("loses a line", LosesALine, "P-01"),
    _planted("never cuts", NeverCuts, "P-02"),
    _planted("commits when all is printed", CommitsLate, "P-03"),
    _planted("prints although the journal failed", DefiesTheJournal, "P-04"),
    _planted("prints although it was cancelled", CannotBeCancelled, "P-05"),
    _planted("never tells that all is printed", NeverSaysThatItIsDone, "P-06"),
    _planted("claims confirmations that it does not get", ClaimsProcessIds, "P-07", speed=5),
    _planted("leaves out what has a mistake", LeavesOutMistakes, "P-08"),
    _planted("prints Chinese as question marks", AsciiOnly, "P-09"),
    _planted("says that a part is printed when paper is out beforehand", SaysPartialBeforehand, "P-10"),
    _planted("takes an open cover for success", SwallowsTheCover, "P-11"),
    _planted("takes the end of the paper for success", SwallowsPaperOut, "P-12"),
    _planted("takes a cover that is opened meanwhile for success", SwallowsTheCover, "P-13"),
    _planted("leaves a stopped receipt to the next customer", LeavesLeftovers, "P-14"),
    _planted("goes on without saying that it stopped", GoesOnSilently, "P-15"),
    _planted("hides that it printed anew", HidesReprints, "P-16"),
    _planted("waits for ever for a person", WaitsForEver, "P-17"),
    _planted("refuses its own drawer", RefusesItsDrawer, "P-18"),
    _planted("opens the drawer although the journal failed", DefiesTheJournal, "P-19"),
    _planted("says that nothing was printed when the line breaks", CallsLossesHarmless, "P-20"),
    _planted("settles every print as complete", SettlesAsComplete, "P-21"),
    _planted("settles every print as none", SettlesAsNone, "P-22"),
    _planted("prints anew when the printer is back", PrintsAnew, "P-23"),
    _planted("settles what it does not know as none", SettlesAsNone, "P-24"),
]
