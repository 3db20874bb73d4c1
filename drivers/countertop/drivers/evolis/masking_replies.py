"""What may be kept of an Evolis printer's answers: what says of the printer, in the forms that the driver knows."""

from __future__ import annotations

import re

from countertop.drivers.evolis.protocol import reason_of

__all__ = ["masked_reply", "masked_track"]

_WORDS = re.compile(r"[A-Z ]{1,40}")
_PLAIN = frozenset({"OK", "CARD", "NO CARD", "SMART CARD", "CONTACTLESS CARD"})
_NUMBER = re.compile(r"\s*\d{1,9}\s*")
_LETTERS = re.compile(r"[A-Za-z]{1,12}")
_TEXT = re.compile(r"[ -~]{1,40}")
_FORMS = {
    "Rco": _NUMBER,
    "Rrt": _NUMBER,
    "Rse": re.compile(r"\s*\d{1,3}[.,]\d{1,4}\s*Volts?\s*", re.IGNORECASE),
    "Rem": re.compile(r"\d{1,2}(?:;\d{1,2})?"),
    "Rr": _LETTERS,
    "Rfv": _TEXT,
    "Rtp": _TEXT,
}
"""Forms of answers, by what was asked."""
_EDGES = b"\r\n "


def masked_track(data: bytes) -> bytes:
    """As many zeros; sentinels stay at its ends."""
    if len(data) < 2:
        return b"0" * len(data)
    first = data[:1] if data[:1] in (b"%", b";", b"+") else b"0"
    last = b"?" if first != b"0" and data[-1:] == b"?" else b"0"
    return first + b"0" * (len(data) - 2) + last


def masked_reply(name: str, reply: bytes) -> bytes:
    """What may be kept of the answer to the command of this name, its NUL left out; the name is empty where no command
    that the driver knows was answered. As long as the answer.
    """
    told = reply.strip(_EDGES)
    if not told or _is_kept(name, told.decode("latin-1")):
        return reply
    start = reply.index(told)
    masked = masked_track(told) if name == "Rmb" else (b"0" if name == "Rsn" else b"x") * len(told)
    return reply[:start] + masked + reply[start + len(told) :]


def _is_kept(name: str, told: str) -> bool:
    if told in _PLAIN or (reason_of(told) is not None and _WORDS.fullmatch(told.upper())):
        return name != "Rmb" or told == "OK" or reason_of(told) is not None
    form = _FORMS.get(name)
    return form is not None and form.fullmatch(told) is not None
