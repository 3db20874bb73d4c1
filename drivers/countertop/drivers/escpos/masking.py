"""What may be kept of a receipt printer's traffic: how it was talked to, nothing of what was printed."""

from __future__ import annotations

import re

from countertop.drivers.escpos.masking_answers import AnswerMasker
from countertop.drivers.escpos.masking_commands import UnknownCommandError, command_tail
from countertop.drivers.escpos.protocol import AUTOMATIC_STATUS_ON, INITIALIZE
from countertop.sdk.trace import Masker

__all__ = ["EscPosMasker"]

_TEXT = re.compile(rb"[\x20-\xff]+")
_START = INITIALIZE + AUTOMATIC_STATUS_ON
"""Begins every receipt. All its bytes differ."""


class EscPosMasker(Masker):
    """Every byte of text is an x, whatever its code page or font; pictures are white; bar codes and symbols hold zeros.
    Commands stay, with their lengths, and so do requests and their answers, but for the printer's serial number.

    From a command on that the driver does not know, all is zeros, up to the beginning of the next receipt. At most some
    600 bytes are held.
    """

    def __init__(self) -> None:
        self._answers = AnswerMasker()
        self._head = bytearray()
        self._rest = 0
        self._fill = 0
        self._lost = False

    def sent(self, data: bytes) -> bytes:
        """Holds back the head of a command until it is known."""
        out, at = bytearray(), 0
        while at < len(data):
            if self._rest:
                count = min(self._rest, len(data) - at)
                self._rest -= count
                out += bytes((self._fill,)) * count
                at += count
            elif self._lost:
                self._look_for_start(data[at], out)
                at += 1
            elif not self._head and (text := _TEXT.match(data, at)):
                out += b"x" * (text.end() - at)
                at = text.end()
            else:
                self._take(data[at], out)
                at += 1
        return bytes(out)

    def received(self, data: bytes) -> bytes:
        """Holds back an answer until it is whole."""
        return self._answers.feed(data)

    def end(self) -> tuple[bytes, bytes]:
        """Half a command is zeros, half an answer FF."""
        held = bytes(len(self._head))
        self._head.clear()
        return held, self._answers.end()

    def _take(self, byte: int, out: bytearray) -> None:
        """One more byte of a command's head."""
        self._head.append(byte)
        try:
            tail = command_tail(bytes(self._head))
        except UnknownCommandError:
            out += bytes(len(self._head))
            self._head.clear()
            self._lost = True
            return
        if tail is not None:
            out += self._head
            self._answers.asked(bytes(self._head))
            self._head.clear()
            self._rest, self._fill = tail.length, tail.fill

    def _look_for_start(self, byte: int, out: bytearray) -> None:
        if byte != _START[len(self._head)]:
            out += bytes(len(self._head))
            self._head.clear()
        if byte != _START[len(self._head)]:
            out.append(0)
            return
        self._head.append(byte)
        if len(self._head) == len(_START):
            out += self._head
            self._head.clear()
            self._lost = False
