"""Escape commands and their answers. Sans-IO.

A command is `ESC name [;parameter ...] CR`; bitmaps carry bytes between the last `;` and the CR. Every command is
answered, in host error mode, by ASCII text that ends with a NUL (Evolis programming guide A5013, section 3; seen in
three programs).
"""

from __future__ import annotations

import re

from countertop.sdk import ProtocolFault
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Reason

__all__ = ["MAX_REPLY", "ReplyReader", "bitmap", "command", "number", "reason_of", "volts"]

ESC, CR, NUL = b"\x1b", b"\r", b"\0"
MAX_REPLY = 512
"""Bytes of an answer that are waited for; the longest known is the data of a track."""

_REASONS: tuple[tuple[str, Reason], ...] = (
    ("FEEDER EMPTY", error_pb2.REASON_CARDS_OUT),
    ("CARD JAM", error_pb2.REASON_CARD_JAMMED),
    ("COVER OPEN", error_pb2.REASON_COVER_OPEN),
    ("HOPPER DOOR", error_pb2.REASON_COVER_OPEN),
    ("HOPPER FULL", error_pb2.REASON_OUTPUT_FULL),
    ("ERROR HOPPER", error_pb2.REASON_OUTPUT_FULL),
    ("ERR RIB DETECTION", error_pb2.REASON_RIBBON_OUT),
    ("ERR RIBBON TYPE", error_pb2.REASON_RIBBON_WRONG),
    ("ERR RIBBON", error_pb2.REASON_RIBBON_OUT),
    ("ERROR RIBBON", error_pb2.REASON_RIBBON_OUT),
    ("ERROR MAGN", error_pb2.REASON_STRIPE_WRITE_FAILED),
    ("ERR WRITE", error_pb2.REASON_STRIPE_WRITE_FAILED),
    ("ERR READ", error_pb2.REASON_STRIPE_READ_FAILED),
    ("NEED CLEANING", error_pb2.REASON_CLEANING_DUE),
    ("OPT NOT AVAILABLE", error_pb2.REASON_NOT_SUPPORTED),
    ("ERROR CDE", error_pb2.REASON_NOT_SUPPORTED),
    ("ERROR", error_pb2.REASON_PRINTER_FAULT),
    ("ERR ", error_pb2.REASON_PRINTER_FAULT),
)
"""Answers that are errors, by how they begin; the first that fits counts."""
_NUMBER = re.compile(r"\s*(\d{1,9})\s*")
_VOLTS = re.compile(r"\s*(\d{1,3})[.,](\d{1,4})\s*Volts?\s*", re.IGNORECASE)


def command(name: str, *parameters: str | int) -> bytes:
    """`Pcim;F` as it goes over the wire. Raises ValueError for characters that would end a parameter."""
    text = ";".join([name, *map(str, parameters)])
    if not text.isascii() or any(character in text for character in "\x1b\r\0"):
        raise ValueError("expected ASCII without control characters in a parameter")
    return ESC + text.encode("ascii") + CR


def bitmap(name: str, *parameters: str | int, data: bytes) -> bytes:
    """`Db;y;32;` with its bytes, which the printer reads by their number."""
    head = ";".join([name, *map(str, parameters), ""])
    return ESC + head.encode("ascii") + data + CR


class ReplyReader:
    """Puts answers together from bytes as they come."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[str]:
        """The answers that are complete now. Raises ProtocolFault for one that does not end."""
        self._rest += data
        *whole, rest = bytes(self._rest).split(NUL)
        self._rest = bytearray(rest)
        if len(rest) > MAX_REPLY:
            self._rest.clear()
            raise ProtocolFault("answer", f"a NUL within {MAX_REPLY} bytes", f"{len(rest)} bytes without one")
        return [reply.decode("ascii", "replace").strip("\r\n ") for reply in whole]


def reason_of(reply: str) -> Reason | None:
    """Why an answer is an error; None for one that is none."""
    upper = reply.upper()
    return next((reason for start, reason in _REASONS if upper.startswith(start)), None)


def number(reply: str) -> int | None:
    """An answer that is a number; None for any other, such as the `OK` that some models give instead."""
    found = _NUMBER.fullmatch(reply)
    return int(found[1]) if found else None


def volts(reply: str) -> float | None:
    """The voltage of a sensor, `5,00 Volts`; None for any other answer."""
    found = _VOLTS.fullmatch(reply)
    return float(f"{found[1]}.{found[2]}") if found else None
