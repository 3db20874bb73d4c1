"""The driver for receipt printers that speak ESC/POS."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.encode import Encoded, encode, preamble
from countertop.drivers.escpos.evidence import Counters, PrintEvidence
from countertop.drivers.escpos.identify import Identity, identify
from countertop.drivers.escpos.job import MENDABLE, Manner, PrintJob, until_mended
from countertop.drivers.escpos.mark import marked, without_mark
from countertop.drivers.escpos.options import EscPosOptions
from countertop.drivers.escpos.profiles import Profile, load_profile
from countertop.drivers.escpos.protocol import Event
from countertop.drivers.escpos.reconcile import Findings, judge, read_counters, settle_buffers
from countertop.drivers.escpos.session import Session
from countertop.drivers.escpos.slip import test_slip
from countertop.drivers.escpos.status import EOT_BITS, StatusBoard
from countertop.sdk.device import Options, ReceiptPrinter, Run, Settlement, Unsettled, internal_health
from countertop.sdk.errors import CountertopError, DeviceFault, LinkFault, NoAnswer
from countertop.sdk.links import LinkUrl, SerialLink, TcpLink, UsbBulkLink
from countertop.sdk.receipt import lay_out
from countertop.v1 import device_pb2, error_pb2, operation_pb2, receipt_printer_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceStatus
from countertop.v1.receipt_pb2 import Receipt
from countertop.v1.receipt_printer_pb2 import OpenDrawerRequest, OpenDrawerResult, PrintRequest, PrintResult

__all__ = ["EscPosPrinter"]

_TCP_BUFFER = 16384
# A TM-T88III calls its buffer full with 128 bytes left, and has room again with 256.
_SPARE_BYTES = 512
_TCP_BYTES_PER_SECOND = 1e6
_UNASKED_IDS = 16
# Links of printers in which a part of a failed print hangs.
_LEFTOVERS: set[str] = set()
# A receipt with more bytes than this is laid out beside the event loop.
_BIG_RECEIPT = 4096

_CONFIRMATIONS = {
    "process-id": receipt_printer_pb2.CONFIRMATION_PROCESS_ID,
    "fence": receipt_printer_pb2.CONFIRMATION_FENCE,
    "written": receipt_printer_pb2.CONFIRMATION_WRITTEN,
}


class EscPosPrinter(ReceiptPrinter):
    """A receipt printer that speaks ESC/POS, over a serial port or TCP."""

    name = "escpos"
    links = (SerialLink, TcpLink, UsbBulkLink)
    options_type: ClassVar[type[Options]] = EscPosOptions

    def __init__(self, url: LinkUrl, options: Options):
        super().__init__(url, options)
        assert isinstance(options, EscPosOptions)
        self._options = options
        self._board = StatusBoard()
        self._session: Session | None = None
        self._identity: Identity | None = None
        self._job: PrintJob | None = None
        self._bytes_per_second = _TCP_BYTES_PER_SECOND
        # not those of the instance before: the printer may still send one of them
        self._next_id = secrets.randbelow(protocol.PROCESS_IDS)
        self._unasked_ids: deque[bytes] = deque(maxlen=_UNASKED_IDS)
        self._counters: Counters | None = None

    @property
    def _leftover(self) -> bool:
        """A part of a failed print hangs in the printer; that outlives the connection, and this instance."""
        return self.url.text in _LEFTOVERS

    @_leftover.setter
    def _leftover(self, there: bool) -> None:
        (_LEFTOVERS.add if there else _LEFTOVERS.discard)(self.url.text)

    # -- connection --

    async def connect(self) -> DeviceInfo:
        """Open the link and identify the printer. A printer that does not know GS I is taken for a generic one.

        Raises LinkFault(DEVICE_OFFLINE), and NoAnswer for a printer that answers nothing at all, unless `confirm` is
        "written".
        """
        link = await self.open_link()
        self._bytes_per_second = int(link.url.query.get("baud", "9600")) / 10
        self._session = Session(link, self._on_event)
        try:
            self._identity = await identify(self._session, self._board, self._options)
            await self._read_counters()
            await self._session.send(protocol.AUTOMATIC_STATUS_ON, self._options.answer_seconds)
        except BaseException:
            await self.disconnect()
            raise
        return self._device_info(self._identity)

    async def disconnect(self) -> None:
        """End the reader and close the link."""
        if self._session is not None:
            await self._session.close()

    def _device_info(self, identity: Identity) -> DeviceInfo:
        profile = identity.profile
        capabilities = device_pb2.ReceiptPrinterCapabilities(
            width_dots=profile.width_dots,
            columns=profile.paper.columns,
            dpi=profile.dpi,
            cutter=profile.cutter != "none",
            drawer=profile.drawer,
            chinese_text=bool(profile.kanji),
            confirmation=self._manner().confirmation,
            profile=profile.name,
        )
        return DeviceInfo(
            vendor=identity.vendor,
            model=identity.model,
            serial=identity.serial,
            firmware=identity.firmware,
            receipt_printer=capabilities,
        )

    def _manner(self) -> Manner:
        identity, options = self._known(), self._options
        profile, tcp = identity.profile, self.url.scheme == "tcp"
        best = "process-id" if profile.process_id else "fence" if profile.gs_r else "written"
        return Manner(
            confirmation=_CONFIRMATIONS[best if options.confirm == "auto" else options.confirm],
            realtime=identity.realtime,
            clear=profile.clear,
            window=options.window_bytes or max(profile.buffer_bytes, _TCP_BUFFER if tcp else 0) - _SPARE_BYTES,
            answer_seconds=options.answer_seconds,
            stall_seconds=options.stall_seconds,
            slowest_mm_per_second=options.slowest_mm_per_second,
            dpi=profile.dpi,
            bytes_per_second=_TCP_BYTES_PER_SECOND if tcp else self._bytes_per_second,
        )

    def _known(self) -> Identity:
        assert self._identity is not None, "connected"
        return self._identity

    def _open(self) -> Session:
        assert self._session is not None, "connected"
        return self._session

    def _on_event(self, event: Event) -> None:
        if isinstance(event, protocol.AutomaticStatus):
            before = self._board.signs
            self._board.asb(event.value)
            if self._board.signs != before:
                self.report(self._board.status())
        elif self._job is not None:
            self._job.on_event(event)
        elif isinstance(event, protocol.ProcessId):
            self._unasked_ids.append(event.value)

    # -- status --

    async def status(self) -> DeviceStatus:
        """Ask with DLE EOT 1 to 4, one after the other. Raises NoAnswer, LinkFault."""
        session = self._open()
        session.check()
        if self._known().realtime and (session.idle or not self._board.blocking()):
            for n in EOT_BITS:
                self._board.eot(n, await session.realtime_status(n, self._options.answer_seconds))
        if session.idle:
            await self._read_counters()
        if self._known().provisional and not self._board.blocking():
            # connected while the printer was out of order and did not tell its model
            raise LinkFault(error_pb2.REASON_DEVICE_OFFLINE, "The printer is ready again; it will be identified anew.")
        return self._board.status()

    async def reset(self, request: device_pb2.ResetDeviceRequest, run: Run) -> device_pb2.ResetDeviceResult:
        """Drop what the printer holds, recover from a cutter error whose cause is gone, ask how it is."""
        await self._drop_rest()
        await self._open().send(protocol.INITIALIZE + protocol.AUTOMATIC_STATUS_ON, self._options.answer_seconds)
        return device_pb2.ResetDeviceResult(status=await self.status())

    async def _drop_rest(self) -> bool:
        """Whether the printer says that it holds nothing any more."""
        session, seconds = self._open(), self._options.answer_seconds
        if self._known().profile.clear:
            try:
                await session.clear_buffers(seconds)
            except NoAnswer:
                pass
            else:
                return True
        await session.send(protocol.RECOVER_AND_CLEAR, seconds)
        return False

    async def check_health(self, request: device_pb2.CheckHealthRequest, run: Run) -> device_pb2.CheckHealthResult:
        """INTERNAL asks for the status; EXTERNAL prints a short test slip; INTERACTIVE has a person open and close the
        cover, and watches the sensor.
        """
        result = internal_health(await self.status())
        if request.level == device_pb2.HEALTH_LEVEL_INTERACTIVE and result.healthy:
            passed = await self._cover_is_seen(run)
            detail = (
                "The cover was seen to open and to close." if passed else "The cover was not seen to open and close."
            )
            result.findings.append(device_pb2.HealthFinding(item="cover sensor", passed=passed, detail=detail))
            result.healthy = passed
        if request.level == device_pb2.HEALTH_LEVEL_EXTERNAL and result.healthy:
            slip = test_slip(self._known().profile.name)
            printed = await self._print(slip, run, lambda blocks: None, self._manner())
            how = receipt_printer_pb2.Confirmation.Name(printed.confirmation).removeprefix("CONFIRMATION_")
            detail = f"A test slip was printed; confirmed by {how}."
            result.findings.append(device_pb2.HealthFinding(item="test slip", passed=True, detail=detail))
        return result

    async def _cover_is_seen(self, run: Run) -> bool:
        for prompt, is_open in (
            (operation_pb2.PROMPT_KIND_OPEN_COVER, True),
            (operation_pb2.PROMPT_KIND_CLOSE_COVER, False),
        ):
            run.prompt(prompt)
            while any(item.reason == error_pb2.REASON_COVER_OPEN for item in self._board.blocking()) != is_open:
                if run.time_left <= 0:
                    return False
                await self._open().heard(min(self._options.answer_seconds, run.time_left))
                await self.status()
        run.working()
        return True

    # -- printing --

    async def print(self, request: PrintRequest, run: Run) -> PrintResult:
        """Print a receipt.

        Raises DeviceFault with effect NONE when the printer is not ready; PARTIAL, naming the block reached, when it
        stops half-way; UNKNOWN when the link is lost or the printer cannot tell. InvalidRequest for a document that
        cannot be laid out.
        """
        wish = request.interruption
        if wish == receipt_printer_pb2.INTERRUPTION_REPRINT and not self._known().profile.clear:
            raise CountertopError(
                error_pb2.REASON_NOT_SUPPORTED,
                "This printer cannot drop what it holds (DLE DC4 8), so that a receipt cannot be voided and reprinted; "
                "use CONTINUE or VOID.",
            )
        manner = replace(self._manner(), waits_for_people=wish == receipt_printer_pb2.INTERRUPTION_CONTINUE)
        mark = bool(request.options.copy_of)
        try:
            return await self._print(request.receipt, run, run.emit, manner, mark=mark)
        except DeviceFault as fault:
            if wish != receipt_printer_pb2.INTERRUPTION_REPRINT:
                raise
            return await self._reprint(request, run, manner, fault)

    async def _reprint(self, request: PrintRequest, run: Run, manner: Manner, fault: DeviceFault) -> PrintResult:
        """Once the cause is mended: the whole receipt anew, under the mark, as often as it is interrupted again."""
        while fault.effect == error_pb2.PHYSICAL_EFFECT_PARTIAL and fault.reason in MENDABLE and run.time_left > 0:
            run.stop(fault.reason, MENDABLE[fault.reason])
            seconds = self._options.answer_seconds
            await until_mended(self._open(), self._board, run, seconds, recover=protocol.RECOVER_AND_CLEAR)
            if self._board.blocking():
                break
            run.working()
            run.progress(0, len(request.receipt.blocks), "blocks")
            try:
                result = await self._print(request.receipt, run, run.emit, manner, mark=True, earlier=True)
            except DeviceFault as again:
                if again.effect == error_pb2.PHYSICAL_EFFECT_NONE:
                    again.effect = error_pb2.PHYSICAL_EFFECT_PARTIAL  # of the attempt before
                fault = again
            else:
                result.reprinted = True
                return result
        raise fault

    async def _print(
        self,
        receipt: Receipt,
        run: Run,
        on_confirmed: Callable[[receipt_printer_pb2.BlocksPrinted], None],
        manner: Manner,
        *,
        mark: bool = False,
        earlier: bool = False,
    ) -> PrintResult:
        profile, total = self._known().profile, len(receipt.blocks)
        laid_out = marked(receipt) if mark else receipt
        if receipt.ByteSize() > _BIG_RECEIPT or self._options.text == "raster":
            encoded = await asyncio.to_thread(self._encode, laid_out, profile, manner.window)
        else:
            encoded = self._encode(laid_out, profile, manner.window)
        if mark:
            encoded = without_mark(encoded)
        counters = self._counters
        await self._refuse_unless_ready("print")
        if counters is not None and counters is self._counters:
            await self._refresh_cuts(counters)
        start, cuts_before = await self._start(profile, manner)
        evidence = self._evidence(encoded, receipt, manner, cuts_before, earlier)
        ids = protocol.process_ids(self._next_id)
        self._next_id += len(encoded.chunks)
        self._job = job = PrintJob(self._open(), self._board, manner, run, ids, total, on_confirmed)
        try:
            await run.commit_point("first byte", evidence.kept())
            await job.print(start, encoded)
        except DeviceFault:
            self._count_used(run, receipt, job.blocks_out, job.dots_out)
            raise
        finally:
            if job.began:
                self._leftover = not job.complete
                self._counters = None
            self._job = None
        paper_mm = self._count_used(run, receipt, total, encoded.dots)
        return PrintResult(
            confirmation=manner.confirmation,
            blocks=total,
            bytes=job.bytes_sent,
            paper_mm=paper_mm,
            rasterised_lines=encoded.rasterised_lines,
            missing_glyphs=encoded.missing_glyphs,
        )

    def _evidence(
        self, encoded: Encoded, receipt: Receipt, manner: Manner, cuts_before: int, earlier: bool
    ) -> PrintEvidence:
        """What `reconcile` needs; call it right before the commit point."""
        cuts = self._cuts(receipt, len(receipt.blocks))
        return PrintEvidence.of(
            encoded,
            profile=self._known().profile.name,
            confirmation=manner.confirmation,
            first_id=self._next_id,
            total=len(receipt.blocks),
            cuts=cuts + cuts_before if cuts else 0,
            ends_with_cut=bool(cuts) and receipt.blocks[-1].HasField("cut"),
            counters=self._counters or Counters(),
            earlier=earlier,
        )

    def _cuts(self, receipt: Receipt, blocks: int) -> int:
        """How often this printer cuts within the first blocks of a receipt."""
        if self._known().profile.cutter == "none":
            return 0
        return sum(block.HasField("cut") for block in receipt.blocks[:blocks])

    def _count_used(self, run: Run, receipt: Receipt, blocks: int, dots: int) -> float:
        """Count what so much of a receipt has used up; the paper in millimetres."""
        paper_mm = round(dots * 25.4 / self._known().profile.dpi, 2)
        if dots or blocks:
            run.used("paper_mm", paper_mm)
            run.used("cuts", self._cuts(receipt, blocks))
        return paper_mm

    async def _read_counters(self) -> None:
        """Ask for the counters as they are between two prints."""
        if self._known().profile.counters and self._counters is None and not self._board.blocking():
            self._counters = await read_counters(self._open(), self._options.identify_seconds)
            if self._counters == Counters():  # it does not know GS g 2 after all: not asked again
                profile = replace(self._known().profile, counters=False)
                self._identity = replace(self._known(), profile=profile)

    async def _refresh_cuts(self, counters: Counters) -> None:
        """Ask for the cut counter again: a self test or another host may have cut since, and that cut would be taken
        for the receipt's.
        """
        if not self._known().profile.counters:
            return
        self._counters = None  # also when this is cancelled
        with contextlib.suppress(NoAnswer):
            cuts = await self._open().counter(protocol.COUNTER_CUTS, self._options.identify_seconds)
            self._counters = replace(counters, cuts=cuts)

    # -- after a loss --

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        """Ask the printer what became of a print. Raises NoAnswer, LinkFault while it is not ready to tell."""
        evidence = PrintEvidence.from_kept(unsettled.evidence)
        if evidence is None:
            return Settlement(error_pb2.PHYSICAL_EFFECT_UNKNOWN, "The printer cannot tell what became of it.")
        profile = load_profile(evidence.profile) if self._known().provisional else self._known().profile
        clear = profile.clear if self._options.clear is None else self._options.clear
        seconds = self._options.answer_seconds
        await settle_buffers(self._open(), self._board, clear=clear, answer_seconds=seconds)
        self._counters = None
        await self._read_counters()
        settlement = judge(
            evidence,
            Findings(tuple(self._unasked_ids), self._counters or Counters(), int(unsettled.operation.progress.done)),
            counters_survive_power_loss=self._options.counters_survive_power_loss,
        )
        self._leftover = settlement.effect != error_pb2.PHYSICAL_EFFECT_COMPLETE
        if unsettled.verb == "check_health" and settlement.result is not None:
            finding = device_pb2.HealthFinding(item="test slip", passed=True, detail=settlement.message)
            result = device_pb2.CheckHealthResult(healthy=True, findings=[finding])
            return replace(settlement, result=result)
        return settlement

    def _encode(self, receipt: Receipt, profile: Profile, window: int) -> Encoded:
        return encode(
            lay_out(receipt, profile.paper),
            profile,
            raster_text=self._options.text == "raster",
            cut_feed=min(255, profile.paper.dots(self._options.cut_feed_mm)),
            strip_bytes=max(512, window // 2),
        )

    async def _refuse_unless_ready(self, step: str) -> None:
        await self.status()
        for condition in self._board.blocking():
            raise DeviceFault(
                condition.reason,
                step=step,
                expected="a printer that is ready",
                got=error_pb2.Reason.Name(condition.reason).removeprefix("REASON_"),
                action=condition.action,
                effect=error_pb2.PHYSICAL_EFFECT_NONE,
            )

    async def _start(self, profile: Profile, manner: Manner) -> tuple[bytes, int]:
        """The bytes before a receipt, and how many cuts are in them; first gets rid of what a failed one has left."""
        start = preamble(profile)
        if not self._leftover:
            return start, 0
        if not await self._drop_rest() and manner.confirmation == receipt_printer_pb2.CONFIRMATION_FENCE:
            await self._open().drain_status(self._options.answer_seconds)
        if self._options.cut_leftover and profile.cutter != "none":
            return start + b"\x1dV\x42\x00", 1
        return start, 0

    # -- drawer --

    async def open_drawer(self, request: OpenDrawerRequest, run: Run) -> OpenDrawerResult:
        """Give the pulse, and look at the drawer's switch before and after."""
        options, session = self._options, self._open()
        if not self._known().profile.drawer:
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "This printer has no drawer connector.")
        await self._refuse_unless_ready("open drawer")
        before = self._board.drawer_high
        await run.commit_point("drawer pulse")
        pulse = protocol.pulse(request.drawer or 1, options.drawer_on_ms, options.drawer_off_ms)
        try:
            await session.send(pulse, options.answer_seconds)
            return OpenDrawerResult(reported_open=await self._sprang_open(before))
        except DeviceFault as fault:
            fault.effect = error_pb2.PHYSICAL_EFFECT_UNKNOWN
            raise

    async def _sprang_open(self, before: bool) -> bool:
        """Whether the switch says so within the time that a drawer takes."""
        wanted = {"high": True, "low": False, "auto": not before}[self._options.drawer_open_level]
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.drawer_seconds
        while self._board.drawer_high != wanted:
            if self._known().realtime:
                value = await self._open().realtime_status(1, self._options.answer_seconds)
                self._board.eot(1, value)
            left = deadline - loop.time()
            if self._board.drawer_high == wanted or left <= 0:
                break
            await self._open().heard(min(left, 0.05))
        return self._board.drawer_high == wanted
