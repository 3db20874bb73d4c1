"""The commands that this driver sends, by their lengths, and what of each may be kept in a recording.

It is no table of ESC/POS: what `encode`, `codes`, `raster`, `session` and `job` never make is unknown here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["MOST_HEAD", "Tail", "UnknownCommandError", "command_tail"]

MOST_HEAD = 18
"""Bytes that are held until a command is known."""


class UnknownCommandError(Exception):
    """The driver sends no such command."""


@dataclass(frozen=True, slots=True)
class Tail:
    """What follows a command's head, and is printed."""

    length: int = 0
    """Bytes."""
    fill: int = 0
    """The byte that is kept instead of each."""


_NOTHING = Tail()
_INK, _DIGIT = 0, ord("0")
_FIXED: dict[bytes, int] = {
    b"\x10\x04": 3, b"\x10\x05": 3,
    b"\x1b@": 2, b"\x1bR": 3, b"\x1bJ": 3, b"\x1b3": 3, b"\x1b$": 4, b"\x1bE": 3, b"\x1b-": 3, b"\x1bM": 3,
    b"\x1bt": 3, b"\x1bp": 5,
    b"\x1c.": 2, b"\x1c&": 2, b"\x1cS": 4, b"\x1c-": 3,
    b"\x1da": 3, b"\x1dP": 4, b"\x1d!": 3, b"\x1dB": 3, b"\x1dL": 4, b"\x1dh": 3, b"\x1dw": 3, b"\x1df": 3,
    b"\x1dH": 3, b"\x1dr": 3, b"\x1dI": 3,
}  # fmt: skip
"""Whole lengths of commands that print nothing of themselves, by their first two bytes."""
_MOST_DISABLED = 9
"""Parameters of GS ( D: one, and a pair for each of four functions."""
_SETTINGS = {
    (49, 65): 4, (49, 67): 3, (49, 69): 3, (49, 81): 3,
    (48, 65): 3, (48, 66): 3, (48, 67): 3, (48, 68): 3, (48, 81): 3,
}  # fmt: skip
"""Lengths of GS ( k by code and function; function 80 carries the data."""
_CODE128, _EAN = 73, (67, 68)


def command_tail(head: bytes) -> Tail | None:
    """What follows the command that begins with these bytes; None while it takes more of them to tell. Give it one byte
    more each time. Raises UnknownCommandError.
    """
    if head == b"\n":
        return _NOTHING
    if len(head) < 2:
        if head[0] in b"\x10\x1b\x1c\x1d":
            return None
        raise UnknownCommandError
    length = _FIXED.get(head[:2])
    if length is not None:
        return _whole(head, length)
    reader = _OTHERS.get(head[:2])
    if reader is None:
        raise UnknownCommandError
    return reader(head)


def _whole(head: bytes, length: int) -> Tail | None:
    return _NOTHING if len(head) == length else None


def _literal(head: bytes, *beginnings: bytes) -> None:
    """Raises UnknownCommandError unless one of these may be the command's beginning."""
    if not any(beginning.startswith(head[: len(beginning)]) for beginning in beginnings):
        raise UnknownCommandError


def _realtime(head: bytes) -> Tail | None:
    """DLE DC4 1 and 8: pulse, clear."""
    if len(head) < 3:
        return None
    if head[2] == 1:
        return _whole(head, 5)
    clear = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
    _literal(head, clear)
    return _whole(head, len(clear))


def _cut(head: bytes) -> Tail | None:
    _literal(head, b"\x1dVA", b"\x1dVB")
    return _whole(head, 4)


def _counter(head: bytes) -> Tail | None:
    _literal(head, b"\x1dg2\x00")
    return _whole(head, 6)


def _barcode(head: bytes) -> Tail | None:
    """GS k m n: the data of Code 128 begin with their code set."""
    if len(head) < 4:
        return None
    kind, length = head[2], head[3]
    if kind in _EAN:
        return Tail(length, _DIGIT)
    if kind != _CODE128 or length < 2:
        raise UnknownCommandError
    _literal(head[4:], b"{A", b"{B", b"{C")
    return Tail(length - 2, _DIGIT) if len(head) == 6 else None


def _raster(head: bytes) -> Tail | None:
    """GS v 0."""
    _literal(head, b"\x1dv0\x00")
    if len(head) < 8:
        return None
    return Tail(_number(head, 4, 2) * _number(head, 6, 2), _INK)


def _graphics(head: bytes) -> Tail | None:
    """GS 8 L, function 112: ten parameters, and the dots."""
    _literal(head[:3], b"\x1d8L")
    _literal(head[7:13], b"0p0\x01\x011")
    if len(head) < 17:
        return None
    dots = (_number(head, 13, 2) + 7) // 8 * _number(head, 15, 2)
    if _number(head, 3, 4) != dots + 10:
        raise UnknownCommandError
    return Tail(dots, _INK)


def _extended(head: bytes) -> Tail | None:
    """GS ( with a letter and a length."""
    if len(head) < 3:
        return None
    if head[2:3] == b"H":
        _literal(head, b"\x1d(H\x06\x0000")
        return _whole(head, 11)
    if head[2:3] == b"L":
        _literal(head, b"\x1d(L\x02\x0002")
        return _whole(head, 7)
    if head[2:3] not in (b"D", b"k"):
        raise UnknownCommandError
    if len(head) < 5:
        return None
    length = _number(head, 3, 2)
    if head[2:3] == b"k":
        return _symbol(head, length)
    if length > _MOST_DISABLED:
        raise UnknownCommandError
    return _whole(head, 5 + length)


def _symbol(head: bytes, length: int) -> Tail | None:
    """GS ( k: code, function, parameters."""
    if len(head) < 8:
        return None
    code, function = head[5], head[6]
    if function == 80 and code in (48, 49) and head[7] == ord("0") and length >= 3:
        return Tail(length - 3, _DIGIT)
    if _SETTINGS.get((code, function)) != length:
        raise UnknownCommandError
    return _whole(head, 5 + length)


def _number(head: bytes, at: int, size: int) -> int:
    return int.from_bytes(head[at : at + size], "little")


_OTHERS: dict[bytes, Callable[[bytes], Tail | None]] = {
    b"\x10\x14": _realtime,
    b"\x1dV": _cut,
    b"\x1dg": _counter,
    b"\x1dk": _barcode,
    b"\x1dv": _raster,
    b"\x1d8": _graphics,
    b"\x1d(": _extended,
}
