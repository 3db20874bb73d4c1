"""Checkpoints: records that the terminal's own key signs, so that a chain cannot be made anew without it.

The signature covers the terminal's name, the number and hash of the record before, and the time. That hash stands for
every record before it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from countertop.server.audit.record import Entry, time_text
from countertop.server.caller import INSIDE

if TYPE_CHECKING:
    from countertop.sdk.ink.signer import Signer

__all__ = ["CHECKPOINT", "CHECKPOINT_RECORDS", "CHECKPOINT_SECONDS", "checkpoint", "is_checkpoint", "is_signed"]

CHECKPOINT = "checkpoint"
CHECKPOINT_RECORDS = 1_000
"""After so many records there is one."""
CHECKPOINT_SECONDS = 300.0
"""After so long there is one, where there was anything new."""
_PURPOSE = "countertop audit checkpoint 1"
"""Nothing else that the key signs begins like this."""
_FIELDS = ["number", "time", "what", "door", "identity", "details", "prev"]
_DETAILS = ["terminal", "algorithm", "key", "signature"]


def checkpoint(signer: Signer, terminal_id: str, number: int, head: str, time_ns: int) -> Entry:
    """The checkpoint that follows the record of a number and hash."""
    signature = signer.sign(_message(terminal_id, number, head, time_text(time_ns)))
    details: dict[str, str | int | bool] = {
        "terminal": terminal_id,
        "algorithm": signer.algorithm,
        "key": signer.public_key.hex(),
        "signature": signature.hex(),
    }
    return Entry(time_ns, CHECKPOINT, INSIDE, details=details)


def is_checkpoint(record: dict[str, Any]) -> bool:
    """It calls itself one, or has something of one."""
    return record["what"] == CHECKPOINT or "signature" in record.get("details", ())


def is_signed(record: dict[str, Any]) -> bool:
    """Its signature fits itself and its key, whoever's that is. Raises CountertopError(NOT_SUPPORTED) where the package
    `cryptography` is missing.
    """
    from countertop.sdk.ink.signer import VERIFIERS

    details = record.get("details", {})
    if list(record) != _FIELDS or list(details) != _DETAILS or record["what"] != CHECKPOINT:
        return False
    if (record["door"], record["identity"]) != (INSIDE.door, INSIDE.identity):
        return False
    verifier = VERIFIERS.get(str(details["algorithm"]))
    try:
        key, signature = bytes.fromhex(details["key"]), bytes.fromhex(details["signature"])
    except (TypeError, ValueError):
        return False
    if verifier is None or (key.hex(), signature.hex()) != (details["key"], details["signature"]):
        return False
    message = _message(str(details["terminal"]), record["number"] - 1, record["prev"], record["time"])
    return verifier(key, signature, message)


def _message(terminal_id: str, number: int, head: str, time: str) -> bytes:
    return json.dumps([_PURPOSE, terminal_id, number, head, time], separators=(",", ":")).encode("ascii")
