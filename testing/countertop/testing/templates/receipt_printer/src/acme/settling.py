"""What became of a job that was cut off, by the counters that the printer keeps. No I/O."""

from __future__ import annotations

from countertop.sdk import Evidence, Settlement
from countertop.v1 import error_pb2, receipt_printer_pb2
from countertop.v1.receipt_printer_pb2 import OpenDrawerResult, PrintResult

from acme.protocol import Status

__all__ = ["settle_drawer", "settle_print"]

COMPLETE, PARTIAL = error_pb2.PHYSICAL_EFFECT_COMPLETE, error_pb2.PHYSICAL_EFFECT_PARTIAL
NONE, UNKNOWN = error_pb2.PHYSICAL_EFFECT_NONE, error_pb2.PHYSICAL_EFFECT_UNKNOWN


def settle_print(evidence: Evidence, status: Status) -> Settlement:
    """What the printer's newest job says of the one that was cut off."""
    job, steps, blocks = (evidence.get(name) for name in ("job", "steps", "blocks"))
    if not (isinstance(job, int) and isinstance(steps, int) and isinstance(blocks, int)):
        return Settlement(UNKNOWN, "It is not known any more which of the printer's jobs it was.")
    if status.job == job - 1 or (status.job == job and not status.begun):
        return Settlement(NONE, "Nothing was printed: the printer has not begun with it.")
    if status.job != job:
        return Settlement(UNKNOWN, "The printer has printed something else since; look for the receipt.")
    if status.done >= steps:
        confirmation = receipt_printer_pb2.CONFIRMATION_PROCESS_ID
        result = PrintResult(confirmation=confirmation, blocks=blocks)
        return Settlement(COMPLETE, "The printer has counted every line of the receipt.", result)
    return Settlement(PARTIAL, f"The printer stopped after line {status.done} of {steps}; the rest was dropped.")


def settle_drawer(evidence: Evidence, status: Status) -> Settlement:
    """The printer counts its pulses."""
    before = evidence.get("pulses")
    if before == status.pulses:
        return Settlement(NONE, "The printer has given no pulse since.")
    if isinstance(before, int) and status.pulses == before + 1:
        return Settlement(COMPLETE, "The printer has counted the pulse.", OpenDrawerResult())
    return Settlement(UNKNOWN, "The printer's count of pulses does not tell; look at the drawer.")
