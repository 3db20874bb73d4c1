"""Takes the audit of an earlier version, a table of the journal, over into the chain: once, in the background."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countertop.server.audit.reading import find
from countertop.server.audit.record import time_text
from countertop.server.caller import INSIDE

if TYPE_CHECKING:
    from countertop.server.audit.log import AuditLog
    from countertop.server.journal.journal import Journal

__all__ = ["IMPORTED", "carry_over"]

IMPORTED = "imported"
_ROWS = 500
"""At once: far fewer than may wait."""


async def carry_over(journal: Journal, audit: AuditLog) -> None:
    """Rows become records `imported` with their number, time and kind, and leave the table when these are on the disk.
    Rows that a daemon carried over before it died are not carried over again. Raises CountertopError(JOURNAL_FAILED);
    what is left is then done by the next start.
    """
    rows = journal.old_audit(0, _ROWS)
    done = await asyncio.to_thread(_carried, audit.folder) if rows else 0
    while rows:
        for number, time, kind, body in rows:
            if number > done:
                _record(audit, number, time, kind, json.loads(body))
        await audit.flush()
        last = rows[-1][0]
        journal.drop_old_audit(last)
        rows = journal.old_audit(last, _ROWS)


def _carried(folder: Path) -> int:
    """The last row that is in the chain."""
    rows = (found.record["details"]["row"] for found in find(folder, what=(IMPORTED,)))
    return max((row for row in rows if isinstance(row, int)), default=0)


def _record(audit: AuditLog, number: int, time: float, kind: str, body: dict[str, Any]) -> None:
    device_id, operation_id = str(body.pop("device_id", "")), str(body.pop("operation_id", ""))
    facts = {"row": number, "at": time_text(round(time * 1e6) * 1000), "kind": kind, **flat(body)}
    audit.record(IMPORTED, INSIDE, device_id=device_id, operation_id=operation_id, **_renamed(facts))


def flat(body: dict[str, Any]) -> dict[str, str | int | bool]:
    """The same facts without lists and tables within."""
    facts: dict[str, str | int | bool] = {}
    for key, value in body.items():
        if isinstance(value, dict):
            facts |= {f"{key} {name}": item for name, item in flat(value).items()}
        elif isinstance(value, list):
            facts[key] = ",".join(map(str, value))
        else:
            facts[key] = value if isinstance(value, str | int) else str(value)
    return facts


def _renamed(facts: dict[str, str | int | bool]) -> dict[str, Any]:
    """What would be taken for a field of the record is told apart."""
    taken = {"what", "caller", "method", "outcome"}
    return {f"{key}_" if key in taken else key: value for key, value in facts.items()}
