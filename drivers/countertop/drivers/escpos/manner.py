"""How to talk to a printer: what it answers, how much it takes at once, how long to wait for it."""

from __future__ import annotations

from dataclasses import dataclass

from countertop.drivers.escpos.identify import Identity
from countertop.drivers.escpos.options import EscPosOptions
from countertop.sdk.links import LinkUrl
from countertop.v1 import receipt_printer_pb2
from countertop.v1.receipt_printer_pb2 import Confirmation

__all__ = ["FENCE", "PROCESS_ID", "Manner", "manner_of"]

PROCESS_ID = receipt_printer_pb2.CONFIRMATION_PROCESS_ID
FENCE = receipt_printer_pb2.CONFIRMATION_FENCE
_TCP_BUFFER = 16384
# A TM-T88III calls its buffer full with 128 bytes left, and has room again with 256.
_SPARE_BYTES = 512
_TCP_BYTES_PER_SECOND = 1e6

_CONFIRMATIONS = {
    "process-id": PROCESS_ID,
    "fence": FENCE,
    "written": receipt_printer_pb2.CONFIRMATION_WRITTEN,
}


@dataclass(frozen=True, slots=True)
class Manner:
    """How to talk to this printer."""

    confirmation: Confirmation
    realtime: bool
    """It answers DLE EOT."""
    clear: bool
    """It obeys DLE DC4 8."""
    window: int
    """Most bytes on the way that the printer has not confirmed: what its receive buffer takes, so that a real-time
    command always reaches it."""
    answer_seconds: float
    """Time for the answer to a real-time command."""
    stall_seconds: float
    """Time without any confirmation, beside the time for the paper and the wire."""
    slowest_mm_per_second: float
    dpi: int
    bytes_per_second: float
    """Speed of the wire."""
    waits_for_people: bool = False
    """A print that stops for something that a person can mend waits for that, and goes on."""


def manner_of(identity: Identity, options: EscPosOptions, link: LinkUrl) -> Manner:
    """The manner for a printer that was identified, over an open link with this URL."""
    profile, tcp = identity.profile, link.scheme == "tcp"
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
        bytes_per_second=_TCP_BYTES_PER_SECOND if tcp else int(link.query.get("baud", "9600")) / 10,
    )
