"""Telling, on a new connection, what became of a print that was cut off.

A printer that cannot send keeps its newest process id response and sends it when somebody is there again (Epson
reference, GS ( H function 48): that is exactly how far it came. Its cutter counter (GS g 2) that has grown by the
print's cuts, no more and no less, tells the same of the end; it counts everybody's cuts. Counters that have not grown
prove nothing by themselves, since what they counted shortly before a power failure may be lost (Epson reference,
GS g 2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from countertop.drivers.escpos.connected import Connected
from countertop.drivers.escpos.counters import Counters
from countertop.drivers.escpos.evidence import PrintEvidence
from countertop.drivers.escpos.profiles import load_profile
from countertop.drivers.escpos.session import Session
from countertop.drivers.escpos.status import EOT_BITS, StatusBoard
from countertop.sdk.device import Settlement, Unsettled
from countertop.sdk.errors import NoAnswer
from countertop.v1 import error_pb2, receipt_printer_pb2
from countertop.v1.device_pb2 import CheckHealthResult, HealthFinding
from countertop.v1.receipt_printer_pb2 import Confirmation, PrintResult

__all__ = ["Findings", "judge", "settle"]

_COMPLETE = error_pb2.PHYSICAL_EFFECT_COMPLETE
_PARTIAL = error_pb2.PHYSICAL_EFFECT_PARTIAL
_NONE = error_pb2.PHYSICAL_EFFECT_NONE
_UNKNOWN = error_pb2.PHYSICAL_EFFECT_UNKNOWN
_CONFIRMATIONS: dict[int, Confirmation] = {
    0: receipt_printer_pb2.CONFIRMATION_UNSPECIFIED,
    1: receipt_printer_pb2.CONFIRMATION_WRITTEN,
    2: receipt_printer_pb2.CONFIRMATION_FENCE,
    3: receipt_printer_pb2.CONFIRMATION_PROCESS_ID,
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What the printer shows once it holds nothing of the print any more."""

    ids: tuple[bytes, ...]
    """Process ids that it sent on this connection, the newest last."""
    counters: Counters
    blocks_known: int
    """Blocks that were confirmed before the connection was lost."""


async def settle(printer: Connected, unsettled: Unsettled) -> Settlement:
    """Ask the printer what became of a print. Raises NoAnswer, LinkFault while it is not ready to tell."""
    evidence, options = PrintEvidence.from_kept(unsettled.evidence), printer.options
    if evidence is None:
        return Settlement(_UNKNOWN, "The printer cannot tell what became of it.")
    profile = load_profile(evidence.profile) if printer.identity.provisional else printer.profile
    clear = profile.clear if options.clear is None else options.clear
    await _settle_buffers(printer.session, printer.board, clear=clear, answer_seconds=options.answer_seconds)
    printer.counters.forget()
    await printer.counters.read()
    counters, progress = printer.counters.now or Counters(), int(unsettled.operation.progress.done)
    settlement = judge(
        evidence,
        Findings(tuple(printer.unasked_ids), counters, progress),
        counters_survive_power_loss=options.counters_survive_power_loss,
    )
    printer.leftover = settlement.effect != _COMPLETE
    if unsettled.verb == "check_health" and settlement.result is not None:
        finding = HealthFinding(item="test slip", passed=True, detail=settlement.message)
        return replace(settlement, result=CheckHealthResult(healthy=True, findings=[finding]))
    return settlement


async def _settle_buffers(session: Session, board: StatusBoard, *, clear: bool, answer_seconds: float) -> None:
    """Return when everything that the printer received is printed, or dropped because something blocks it.

    Raises NoAnswer, LinkFault: the printer is busy, blocked without a way to clear it, or gone.
    """
    for n in EOT_BITS:
        board.eot(n, await session.realtime_status(n, answer_seconds))
    if board.blocking():
        if not clear:
            raise NoAnswer("wait for the printer to be ready", answer_seconds)
        await session.clear_buffers(answer_seconds)
        return
    try:
        await session.status_byte(1, answer_seconds)  # GS r: answered in its turn, behind all that was received
    except NoAnswer:
        if not clear:
            raise
        await session.clear_buffers(answer_seconds)  # half a command swallowed the question


def judge(evidence: PrintEvidence, findings: Findings, *, counters_survive_power_loss: bool) -> Settlement:
    """What became of the print."""
    numbers = [number for value in findings.ids if (number := evidence.number(value)) is not None]
    confirmed = evidence.confirmation != receipt_printer_pb2.CONFIRMATION_WRITTEN
    known = max([findings.blocks_known if confirmed else 0, *map(evidence.blocks, numbers)])
    how: Confirmation = (
        receipt_printer_pb2.CONFIRMATION_PROCESS_ID if numbers else _CONFIRMATIONS[evidence.confirmation]
    )
    place = f"Printed up to block {min(known, evidence.total)} of {evidence.total}"
    if known >= evidence.total > 0 or (numbers and max(numbers) >= evidence.last_id):
        message = "The printer confirmed the whole receipt."
        return Settlement(_COMPLETE, message, PrintResult(confirmation=how, blocks=evidence.total))
    cut = _grown(evidence.cut_counter, findings.counters.cuts)
    newest = max(numbers, default=None)
    near_the_end = newest is None or newest == evidence.last_id - 1
    # an earlier id contradicts the counter, and so does a cut too many: somebody else has cut there
    if evidence.ends_with_cut and cut == evidence.cuts > 0 and near_the_end:
        message = "The printer's cutter counter has grown by the receipt's cuts: it came out whole."
        fence = receipt_printer_pb2.CONFIRMATION_FENCE
        return Settlement(_COMPLETE, message, PrintResult(confirmation=fence, blocks=evidence.total))
    cut_is_missing = evidence.ends_with_cut and cut is not None and cut < evidence.cuts
    if newest == evidence.last_id - 1 and not cut_is_missing:
        # the link may have broken inside the last GS ( H, behind the last line
        message = f"{place}; whether the rest came out as well, without its process id, the printer cannot tell."
        return Settlement(_UNKNOWN, message)
    if numbers:
        return Settlement(_PARTIAL, f"{place}; the printer kept that process id as its newest, and holds nothing more.")
    lines = _grown(evidence.line_counter, findings.counters.lines)
    if counters_survive_power_loss and cut == 0 and lines is not None:
        if lines == 0 and known == 0 and not evidence.earlier:
            return Settlement(_NONE, "Nothing was printed: the printer's counters have not changed.")
        if evidence.ends_with_cut:
            return Settlement(_PARTIAL, f"{place} at least; the printer's cutter counter has not changed.")
    if lines:
        return Settlement(_UNKNOWN, f"{place} at least: its line counter has grown by {lines} since it was last read.")
    return Settlement(_UNKNOWN, f"{place} at least; whether the rest came out, the printer cannot tell.")


def _grown(before: int, now: int) -> int | None:
    """By how much; None where it is not known, or the counter was reset."""
    return now - before if 0 <= before <= now else None
