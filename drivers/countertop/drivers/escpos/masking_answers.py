"""What may be kept of a printer's answers: all that the decoder understands, but the serial number."""

from __future__ import annotations

from countertop.drivers.escpos import protocol

__all__ = ["AnswerMasker"]

GARBAGE = 0xFF
"""Fits no answer, at any place: it stays garbage for the driver."""
_X, _ZERO = ord("x"), ord("0")
_FLOW = b"\x11\x13"
_HEADERS = b"\x35\x37\x39\x3b\x3d\x5f"
_INFO, _REPORT = 0x5F, 0x37
_MOST_BLOCK = 4 * protocol.MAX_BLOCK
"""Bytes of a block that are held, XON and XOFF among them."""
_MOST_AWAITED = 64


class AnswerMasker:
    """Status bytes, automatic status, process ids and the printer's information stay, where they were asked for. Other
    bytes become FF, text of other blocks x, the serial number 0.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        """An automatic status or a block that has begun."""
        self._in_block = False
        self._overlong = False
        self._bytes_awaited = 0
        self._texts_awaited = 0
        self._newest = 0

    def asked(self, command: bytes) -> None:
        """The driver has sent this command."""
        if command[:2] == b"\x1dr" or (command[:2] == b"\x1dI" and command[2] < protocol.INFO_FIRMWARE):
            self._bytes_awaited = min(self._bytes_awaited + 1, _MOST_AWAITED)
        elif command[:2] in (b"\x1dI", b"\x1dg"):
            self._texts_awaited = min(self._texts_awaited + 1, _MOST_AWAITED)
            self._newest = command[2] if command[1:2] == b"I" else 0

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they came; what is judged."""
        out = bytearray()
        for byte in data:
            if byte in _FLOW:
                (self._held or out).append(byte)
                if len(self._held) > _MOST_BLOCK:
                    self._drop(out)
            elif self._overlong and byte >= 0x20:
                out.append(GARBAGE)
            elif self._overlong:
                self._overlong = False
                if byte:
                    self._single(byte, out)
                else:
                    out.append(GARBAGE)
            elif self._in_block:
                self._block(byte, out)
            else:
                self._single(byte, out)
        return bytes(out)

    def end(self) -> bytes:
        """What is held, as garbage."""
        out = bytearray()
        self._drop(out)
        return bytes(out)

    def _drop(self, out: bytearray) -> None:
        out += bytes(byte if byte in _FLOW else GARBAGE for byte in self._held)
        self._overlong = self._in_block and len(self._held) > protocol.MAX_BLOCK
        self._held.clear()
        self._in_block = False

    def _single(self, byte: int, out: bytearray) -> None:
        if self._held:
            if byte & 0x90 == 0:
                self._held.append(byte)
                if sum(held not in _FLOW for held in self._held) == 4:
                    out += self._held
                    self._held.clear()
                return
            self._drop(out)
        if byte & 0x93 == 0x10 or byte in _HEADERS:
            self._held.append(byte)
            self._in_block = byte in _HEADERS
        elif byte & 0x93 == 0x12:
            out.append(byte)
        elif byte & 0x90 == 0 and self._bytes_awaited:
            self._bytes_awaited -= 1
            out.append(byte)
        else:
            out.append(GARBAGE)

    def _block(self, byte: int, out: bytearray) -> None:
        if byte == 0:
            out += self._masked_block()
            out.append(0)
            self._held.clear()
            self._in_block = False
        elif byte < 0x20:  # no block holds control characters: its NUL was lost
            self._drop(out)
            self._overlong = False
            self._single(byte, out)
        else:
            self._held.append(byte)
            if len(self._held) > protocol.MAX_BLOCK:
                self._drop(out)

    def _masked_block(self) -> bytes:
        header, body = self._held[0], bytes(byte for byte in self._held[1:] if byte not in _FLOW)
        if header == _INFO and self._texts_awaited:
            self._texts_awaited -= 1
            if self._newest != protocol.INFO_SERIAL:
                return bytes(self._held)
            return self._with_body(_ZERO)
        if header == _REPORT and (body == b"\x25" or (body[:1] == b"\x22" and len(body) == 5)):
            return bytes(self._held)
        return self._with_body(_X)

    def _with_body(self, fill: int) -> bytes:
        return bytes((self._held[0], *(byte if byte in _FLOW else fill for byte in self._held[1:])))
