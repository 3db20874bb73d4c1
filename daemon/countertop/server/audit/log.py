"""The audit as the daemon uses it: records are taken without waiting, and are on the disk when `flush` returns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.sdk.errors import CountertopError
from countertop.server.audit.chain import Chain
from countertop.server.audit.files import AppendFile, OpenFile
from countertop.server.audit.record import entry
from countertop.server.audit.writer import Writer
from countertop.server.caller import Caller
from countertop.server.signing_key import SigningKey
from countertop.v1 import error_pb2

if TYPE_CHECKING:
    from countertop.sdk.ink.signer import Signer

__all__ = ["AUDIT_DAYS", "FOLDER", "AuditLog"]

FOLDER = "audit"
"""In the state directory."""
AUDIT_DAYS = 400
CLOSE_SECONDS = 5.0


class AuditLog:
    """Adds to the chain in a folder, from any thread. Trouble with the disk is logged; only `flush` raises it."""

    def __init__(
        self,
        folder: Path,
        signer: Callable[[], Signer] | SigningKey,
        *,
        terminal_id: str,
        days: int = AUDIT_DAYS,
        open_file: OpenFile = AppendFile,
    ) -> None:
        """Nothing is read or imported here: that is left to the writer's thread. Files whose records are all older than
        `days` are deleted.
        """
        self.folder = folder
        sign = signer.signer if isinstance(signer, SigningKey) else signer
        self._writer = Writer(Chain(folder, open_file), sign, terminal_id, days)
        self._closed = False

    def record(
        self,
        what: str,
        caller: Caller,
        *,
        method: str = "",
        device_id: str = "",
        operation_id: str = "",
        outcome: str = "",
        **details: str | int | bool,
    ) -> None:
        """Add a record; never waits, never raises. Text is cut where it is too long. Nothing in it may be customer
        data.
        """
        self._writer.put(entry(time.time_ns(), what, caller, method, device_id, operation_id, outcome, details))

    async def flush(self) -> None:
        """Returns when all that was recorded before is on the disk. Raises CountertopError(JOURNAL_FAILED) when it
        cannot be written now; it is then written as soon as it can be.
        """
        if self._closed:
            raise CountertopError(error_pb2.REASON_JOURNAL_FAILED, "The daemon is stopping; the audit is closed.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle(error: OSError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                text = f"The audit cannot be written: {error}. Free space on its disk, or call an engineer."
                future.set_exception(CountertopError(error_pb2.REASON_JOURNAL_FAILED, text))

        def told(error: OSError | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, error)

        self._writer.wait(told)
        await future

    def close(self) -> None:
        """Write what is left, and end. Blocks while the disk takes it, at most CLOSE_SECONDS. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._writer.close(CLOSE_SECONDS)
