"""What a person can mend, and waiting for that."""

from __future__ import annotations

import asyncio
import contextlib

from countertop.drivers.escpos.session import Session
from countertop.drivers.escpos.status import EOT_BITS, StatusBoard
from countertop.sdk.device import Run
from countertop.sdk.errors import NoAnswer
from countertop.v1 import error_pb2, operation_pb2
from countertop.v1.error_pb2 import Reason
from countertop.v1.operation_pb2 import PromptKind

__all__ = ["MENDABLE", "until_mended"]

MENDABLE: dict[Reason, PromptKind] = {
    error_pb2.REASON_PAPER_OUT: operation_pb2.PROMPT_KIND_LOAD_PAPER,
    error_pb2.REASON_COVER_OPEN: operation_pb2.PROMPT_KIND_CLOSE_COVER,
    error_pb2.REASON_CUTTER_ERROR: operation_pb2.PROMPT_KIND_UNSPECIFIED,
    error_pb2.REASON_WAITING_FOR_RECOVERY: operation_pb2.PROMPT_KIND_UNSPECIFIED,
    error_pb2.REASON_PAPER_FEEDING: operation_pb2.PROMPT_KIND_UNSPECIFIED,
    error_pb2.REASON_PRINTER_OFFLINE: operation_pb2.PROMPT_KIND_UNSPECIFIED,
}
"""What a person can mend, and what to ask for."""
_RECOVERABLE = frozenset({error_pb2.REASON_CUTTER_ERROR, error_pb2.REASON_WAITING_FOR_RECOVERY})
_RECOVER_SECONDS = 2.0


async def until_mended(
    session: Session, board: StatusBoard, run: Run, answer_seconds: float, *, recover: bytes
) -> None:
    """Return when nothing blocks the printer any more, or the operation's time is up. Raises LinkFault.

    `recover` is sent now and then while it stands still after a cutter error: it is obeyed once the cause is gone.
    """
    loop = asyncio.get_running_loop()
    next_try = 0.0
    while (blocking := board.blocking()) and run.time_left > 0:
        if loop.time() >= next_try and session.idle and any(item.reason in _RECOVERABLE for item in blocking):
            next_try = loop.time() + _RECOVER_SECONDS
            await session.send(recover, answer_seconds)
        await session.heard(min(answer_seconds, run.time_left))
        if session.idle:
            with contextlib.suppress(NoAnswer):
                for n in EOT_BITS:
                    board.eot(n, await session.realtime_status(n, answer_seconds))
