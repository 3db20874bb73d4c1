"""What may be kept of an Evolis printer's traffic: commands and states, no track, no picture."""

from __future__ import annotations

import re
from collections import deque

from countertop.drivers.evolis.masking_bitmaps import BlankBitmap, bitmap_of
from countertop.drivers.evolis.masking_replies import masked_reply, masked_track
from countertop.drivers.evolis.protocol import MAX_REPLY
from countertop.sdk.trace import Masker

__all__ = ["EvolisMasker"]

ESC, CR, NUL, SEPARATOR = 27, 13, 0, 59
_X = ord("x")
MAX_COMMAND = 512
PADDING_FORGETS = 32
"""So many NULs in a row end what went before: no answer to it is waited for any more."""
_MOST_AWAITED = 256
_KNOWN = re.compile(
    r"(?:Pem|Rem|Rfv|Rsn|Rtp|Psmgr|Pcim|Pcem|Pneab|Pcrm|Pbc|Scs|Ss|Wcb|Si|Sis|Sic|Sib|Se|Ser|Sr|Sv|Smw|Smr|Rmb|Pmc|Pr"
    r"|Rse|Rlr|Rco|Rrt|Rr)(?:;[A-Za-z0-9]{1,12}){0,3}"
)
"""Commands that the driver sends, beside tracks and bitmaps."""
_PADDING = re.compile(rb"\0+")
_TRACK = re.compile(rb"Dm;[123];")


class EvolisMasker(Masker):
    """Tracks that are written or read are zeros between their sentinels, panels are without ink, the serial number is
    zeros; commands and answers that the driver knows stay. Of others only the frame stays, around x. At most some
    1100 bytes are held back.
    """

    def __init__(self) -> None:
        self._command: bytearray | None = None
        """What has come of a command, its ESC left out."""
        self._overlong = False
        self._bitmap: BlankBitmap | None = None
        self._padding = 0
        self._awaited: deque[str] = deque(maxlen=_MOST_AWAITED)
        self._reply = bytearray()
        self._reply_overlong = False

    # --- what is sent ----------------------------------------------------------------------------------------------

    def sent(self, data: bytes) -> bytes:
        """Holds back a command until its CR."""
        out, at = bytearray(), 0
        while at < len(data):
            if self._bitmap is not None:
                blank = self._bitmap.take(len(data) - at)
                out += blank
                at += len(blank)
                self._see_its_end(self._bitmap)
            elif self._command is None:
                at = self._between(data, at, out)
            else:
                self._within(self._command, data[at], out)
                at += 1
        return bytes(out)

    def _between(self, data: bytes, at: int, out: bytearray) -> int:
        padding = _PADDING.match(data, at)
        if padding is not None:
            out += padding.group()
            self._padding += len(padding.group())
            if self._padding >= PADDING_FORGETS:
                self._awaited.clear()
            return padding.end()
        byte, self._padding = data[at], 0
        if byte == ESC:
            self._command, self._overlong = bytearray(), False
        out.append(byte if byte in (ESC, CR) else _X)
        return at + 1

    def _within(self, command: bytearray, byte: int, out: bytearray) -> None:
        if byte in (ESC, CR):
            whole = byte == CR
            name, kept = ("", b"x" * len(command)) if self._overlong or not whole else _masked_command(bytes(command))
            out += kept
            out.append(byte)
            if whole:
                self._awaited.append(name)
            self._command, self._overlong = None if whole else bytearray(), False
        elif self._overlong:
            out.append(_X)
        else:
            command.append(byte)
            self._bitmap = bitmap_of(bytes(command)) if byte == SEPARATOR else None
            if self._bitmap is not None:
                out += command
                self._command = None
                self._see_its_end(self._bitmap)
            elif len(command) > MAX_COMMAND:
                out += b"x" * len(command)
                command.clear()
                self._overlong = True

    def _see_its_end(self, bitmap: BlankBitmap) -> None:
        if bitmap.ended:
            self._bitmap = None
            self._awaited.append("bitmap")

    # --- what comes ------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> bytes:
        """Holds back an answer until its NUL. Answers come in the order of the commands."""
        out = bytearray()
        for byte in data:
            if byte == NUL:
                name = self._awaited.popleft() if self._awaited else ""
                out += masked_reply(name, bytes(self._reply))
                out.append(NUL)
                self._reply.clear()
                self._reply_overlong = False
            elif self._reply_overlong:
                out.append(_X)
            else:
                self._reply.append(byte)
                if len(self._reply) > MAX_REPLY:
                    out += b"x" * len(self._reply)
                    self._reply.clear()
                    self._reply_overlong = True
        return bytes(out)

    def end(self) -> tuple[bytes, bytes]:
        """Half a command, half an answer: x."""
        held, reply = b"x" * len(self._command or b""), b"x" * len(self._reply)
        self._command = None
        self._reply.clear()
        return held, reply


def _masked_command(command: bytes) -> tuple[str, bytes]:
    """Its name, and what may be kept of it."""
    track = _TRACK.match(command)
    if track is not None:
        return "Dm", track.group() + masked_track(command[track.end() :])
    text = command.decode("latin-1")
    return (text.partition(";")[0], command) if _KNOWN.fullmatch(text) else ("", b"x" * len(command))
