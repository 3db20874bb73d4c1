"""Cuts what a client sends into commands and text. Sans-IO, total on any bytes, in bounded memory."""

from __future__ import annotations

import re
from dataclasses import dataclass

from countertop.emulators.escpos.framing import DLE, ESC, FS, GS, MAX_COMMAND_BYTES, MORE, command_length

__all__ = ["Token", "Tokenizer"]

_CONTROL = re.compile(rb"[\x00-\x1f]")
_PREFIXES = (DLE, ESC, FS, GS)
_NAMES = {DLE: "DLE", ESC: "ESC", FS: "FS", GS: "GS"}
_CONTROLS = {0x09: "HT", 0x0A: "LF", 0x0C: "FF", 0x0D: "CR", 0x18: "CAN"}


@dataclass(frozen=True, slots=True)
class Token:
    """`name` is "text", "HT", "LF", "FF", "CR", "CAN", "ignored", "oversize", or a command such as "GS v"."""

    name: str
    raw: bytes


class Tokenizer:
    """Feed bytes, take tokens. Adjacent text comes in as many tokens as it arrived in pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skip = 0
        self._need = 0

    @property
    def waiting(self) -> int:
        """Bytes that came and are in no token yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add bytes."""
        if self._skip:
            swallowed = min(self._skip, len(data))
            self._skip -= swallowed
            data = data[swallowed:]
        self._buffer += data

    def clear(self) -> None:
        """Forget what is in no token yet."""
        self._buffer.clear()
        self._skip = self._need = 0

    def next(self) -> Token | None:
        """The next token; None until more bytes come."""
        buffer = self._buffer
        if not buffer or len(buffer) < self._need:
            return None
        first = buffer[0]
        if first >= 0x20:
            control = _CONTROL.search(buffer)
            return self._take("text", control.start() if control else len(buffer))
        if first not in _PREFIXES:
            return self._take(_CONTROLS.get(first, "ignored"), 1)
        length = command_length(buffer)
        if length == MORE:
            return None
        if length > MAX_COMMAND_BYTES:
            self._skip = max(0, length - len(buffer))
            self._need = 0
            del buffer[:length]
            return Token("oversize", b"")
        if length > len(buffer):
            self._need = length
            return None
        self._need = 0
        return self._take(self._name(buffer), length)

    def _take(self, name: str, length: int) -> Token:
        raw = bytes(self._buffer[:length])
        del self._buffer[:length]
        return Token(name, raw)

    @staticmethod
    def _name(buffer: bytearray) -> str:
        prefix, code = buffer[0], buffer[1]
        if prefix == DLE:
            return f"DLE {code:02X}"
        return f"{_NAMES[prefix]} {chr(code) if 0x20 <= code < 0x7F else format(code, '02X')}"
