"""Queries and their answers. Sans-IO.

`01 ,REQ,ERR, 1C 03` is answered with `01 STA text LF MM:mm LF (c....) 03`: text and what stands before the number are
in the printer's language, the number is `00:00` when all is well (captured from an Alto).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from countertop.sdk import ProtocolFault
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Reason

__all__ = ["GOOD", "MAX_ANSWER", "NOT_FED", "REASONS", "Answer", "AnswerReader", "query"]

SOH, ETX = b"\x01", b"\x03"
MAX_ANSWER = 1024
"""Bytes of an answer that are waited for; the longest that was captured has 105."""
GOOD, NOT_FED = "00:00", "11:01"
REASONS: dict[str, Reason] = {NOT_FED: error_pb2.REASON_CARDS_OUT}
"""Of error numbers, as far as they are known: a card was not drawn in."""
_NUMBER = re.compile(r"(?<!\d)(\d{1,3}):(\d{1,3})(?!\d)")


def query(name: str) -> bytes:
    """ERR asks for the error that stands; CAN drops the job, OKY goes on, CLN cleans."""
    return f"\x01,REQ,{name},\x1c\x03".encode("ascii")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to ERR."""

    number: str
    """`11:01`; empty when there was none in it."""


class AnswerReader:
    """Puts answers together from bytes as they come; noise between them is skipped."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that are complete now. Raises ProtocolFault for one that does not end."""
        self._rest += data
        *whole, rest = bytes(self._rest).split(ETX)
        self._rest = bytearray(rest[rest.rindex(SOH) :] if SOH in rest else b"")
        if len(self._rest) > MAX_ANSWER:
            self._rest.clear()
            raise ProtocolFault("answer", f"03 within {MAX_ANSWER} bytes", f"{len(rest)} bytes without one")
        texts = [frame.rpartition(SOH)[2] for frame in whole if SOH in frame]
        return [_answer(text) for text in texts if text.startswith(b"STA")]


def _answer(text: bytes) -> Answer:
    """The number stands in a line of its own, after the text."""
    for line in reversed(text.decode("latin-1").split("\n")):
        found = _NUMBER.search(line)
        if found:
            return Answer(f"{int(found[1]):02d}:{int(found[2]):02d}")
    return Answer("")
