"""What a printer sends back, told apart by its bits, and the requests that make it do so. Sans-IO.

Epson gives every kind of answer its own fixed bits, so that answers to requests and unasked reports can share one
stream (Epson APG, "Transmission status"; TM-T88III specification):

========================== =======================================================================
answer                     form
========================== =======================================================================
DLE EOT n                  one byte, b & 93h == 12h
automatic status (GS a)    four bytes: b & 93h == 10h, then three with b & 90h == 0
GS r n, GS I 1 to 3        one byte, b & 90h == 0: only the pending request tells these two apart
XON, XOFF                  11h, 13h, at any place
GS I 65 .., process id, .. header 35h 37h 39h 3Bh 3Dh or 5Fh, printable bytes, NUL
========================== =======================================================================
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = [
    "AutomaticStatus",
    "BuffersCleared",
    "Decoder",
    "Event",
    "FlowControl",
    "Garbage",
    "IdentityByte",
    "OtherBlock",
    "Pending",
    "PrinterInfo",
    "ProcessId",
    "RealtimeStatus",
    "StatusByte",
]

MAX_BLOCK = 128
"""Bytes of a header-to-NUL block that are kept; printer information is at most 80 (Epson GS I)."""

_XON, _XOFF = 0x11, 0x13
_HEADERS = frozenset(b"\x35\x37\x39\x3b\x3d\x5f")


# -- events ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RealtimeStatus:
    """The answer to DLE EOT n. `solicited` is false for one that nobody asked for: picture data that happened to hold
    a DLE EOT is answered as well (Epson, "Notes of real-time commands").
    """

    value: int
    solicited: bool


@dataclass(frozen=True, slots=True)
class AutomaticStatus:
    """Four bytes of automatic status back (GS a)."""

    value: bytes


@dataclass(frozen=True, slots=True)
class StatusByte:
    """The answer to GS r n."""

    value: int


@dataclass(frozen=True, slots=True)
class IdentityByte:
    """The answer to GS I 1, 2 or 3."""

    value: int


@dataclass(frozen=True, slots=True)
class PrinterInfo:
    """The text of GS I 65 to 69; characters that are not ASCII are replaced."""

    text: str


@dataclass(frozen=True, slots=True)
class ProcessId:
    """What went before this id (GS ( H) is on paper. Four bytes."""

    value: bytes


@dataclass(frozen=True, slots=True)
class BuffersCleared:
    """The answer to DLE DC4 8: nothing is left that could be printed."""


@dataclass(frozen=True, slots=True)
class OtherBlock:
    """A header-to-NUL block of another meaning."""

    header: int
    body: bytes


@dataclass(frozen=True, slots=True)
class FlowControl:
    """XON (`go`) or XOFF came through as data."""

    go: bool


@dataclass(frozen=True, slots=True)
class Garbage:
    """So many bytes fit nothing, or nobody waits for them."""

    count: int


Event = (
    RealtimeStatus
    | AutomaticStatus
    | StatusByte
    | IdentityByte
    | PrinterInfo
    | ProcessId
    | BuffersCleared
    | OtherBlock
    | FlowControl
    | Garbage
)


class Pending(enum.Flag):
    """Which single bytes are waited for."""

    REALTIME = enum.auto()
    STATUS = enum.auto()
    IDENTITY = enum.auto()


NOTHING = Pending(0)


# -- decoder -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Decoder:
    """Turns the printer's bytes into events, however they are cut. Total; holds at most `MAX_BLOCK` bytes.

    Say with `expect` what is waited for before the request leaves; the answer takes it back.
    """

    pending: Pending = NOTHING
    _asb: bytearray = field(default_factory=bytearray)
    _block: bytearray | None = None
    _lost: int = 0

    def expect(self, kind: Pending) -> None:
        """Wait for one byte of this kind. GS r and GS I 1 to 3 cannot be waited for at once."""
        if kind is not Pending.REALTIME:
            self.pending &= Pending.REALTIME
        self.pending |= kind

    def forget(self, kind: Pending) -> None:
        """Wait no longer: the answer did not come."""
        self.pending &= ~kind

    def reset(self) -> None:
        """Drop what has begun to arrive: after a silence nothing belongs to it any more."""
        self._asb.clear()
        self._block = None

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes as they came."""
        events: list[Event] = []
        for byte in data:
            if byte in (_XON, _XOFF):  # may interrupt a block (TM-T88III specification)
                self._emit(events, FlowControl(byte == _XON))
            elif self._block is None or not self._in_block(byte, events):
                self._single(byte, events)
        self._flush(events)
        return events

    def _single(self, byte: int, events: list[Event]) -> None:
        if self._asb:
            if byte & 0x90 == 0:
                self._asb.append(byte)
                if len(self._asb) == 4:
                    self._emit(events, AutomaticStatus(bytes(self._asb)))
                    self._asb.clear()
                return
            self._lost += len(self._asb)
            self._asb.clear()
        if byte & 0x93 == 0x10:
            self._asb.append(byte)
        elif byte & 0x93 == 0x12:
            solicited = bool(self.pending & Pending.REALTIME)
            self.pending &= ~Pending.REALTIME
            self._emit(events, RealtimeStatus(byte, solicited))
        elif byte in _HEADERS:
            self._block = bytearray((byte,))
        elif byte & 0x90 == 0 and self.pending & (Pending.STATUS | Pending.IDENTITY):
            status = bool(self.pending & Pending.STATUS)
            self.pending &= Pending.REALTIME
            self._emit(events, StatusByte(byte) if status else IdentityByte(byte))
        else:
            self._lost += 1

    def _in_block(self, byte: int, events: list[Event]) -> bool:
        """Whether the byte belonged to the block."""
        block = self._block
        assert block is not None
        if byte == 0:
            self._block = None
            if len(block) <= MAX_BLOCK:
                self._emit(events, _block_event(block[0], bytes(block[1:])))
            else:
                self._lost += len(block) + 1
            return True
        if byte < 0x20:  # no block holds control characters: its NUL was lost
            self._lost += len(block)
            self._block = None
            return False
        if len(block) <= MAX_BLOCK:
            block.append(byte)
        else:
            self._lost += 1
        return True

    def _emit(self, events: list[Event], event: Event) -> None:
        self._flush(events)
        events.append(event)

    def _flush(self, events: list[Event]) -> None:
        if self._lost:
            events.append(Garbage(self._lost))
            self._lost = 0


def _block_event(header: int, body: bytes) -> Event:
    if header == 0x5F:
        return PrinterInfo(body.decode("ascii", "replace"))
    if header == 0x37 and body[:1] == b"\x22" and len(body) == 5:
        return ProcessId(body[1:])
    if header == 0x37 and body == b"\x25":
        return BuffersCleared()
    return OtherBlock(header, body)


# -- requests ----------------------------------------------------------------------------------------------------------

INITIALIZE = b"\x1b@"
"""ESC @: settings to power-on values, print buffer dropped. It also ends automatic status."""
AUTOMATIC_STATUS_ON = b"\x1da\xff"
"""GS a 255: report every change at once."""
CLEAR_BUFFERS = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
"""DLE DC4 8: drop what was received but not printed and recover; nothing may follow before the answer 37 25 00."""
RECOVER_AND_CONTINUE = b"\x10\x05\x01"
"""DLE ENQ 1: recover from a cutter error once its cause is gone, and go on where it stopped."""
RECOVER_AND_CLEAR = b"\x10\x05\x02"
"""DLE ENQ 2: recover from a cutter error once its cause is gone, dropping what was received."""

INFO_FIRMWARE, INFO_MAKER, INFO_MODEL, INFO_SERIAL, INFO_LANGUAGE = 65, 66, 67, 68, 69
"""Arguments of GS I that are answered with text."""
ID_MODEL, ID_TYPE, ID_ROM = 1, 2, 3
"""Arguments of GS I that are answered with one byte."""
TYPE_MULTI_BYTE, TYPE_CUTTER = 0x01, 0x02
"""Bits of the answer to GS I 2."""


def realtime_status(n: int) -> bytes:
    """DLE EOT n, 1 to 4: printer, cause of offline, error, paper."""
    return bytes((0x10, 0x04, n))


def status(n: int) -> bytes:
    """GS r n: 1 paper, 2 drawer. Answered when the printer comes to it, and not while paper is out."""
    return bytes((0x1D, 0x72, n))


def identity(n: int) -> bytes:
    """GS I n."""
    return bytes((0x1D, 0x49, n))


def process_id(value: bytes) -> bytes:
    """GS ( H, function 48: ask to be sent `value`, four bytes of 20h to 7Eh, once all before it is on paper."""
    return b"\x1d(H\x06\x0000" + value


def pulse(drawer: int, on_ms: int, off_ms: int) -> bytes:
    """ESC p: the pulse for drawer 1 (connector pin 2) or 2 (pin 5), in turn; times to 510 ms."""
    return bytes((0x1B, 0x70, drawer - 1, min(on_ms // 2, 255), min(off_ms // 2, 255)))


def realtime_pulse(drawer: int, on_ms: int) -> bytes:
    """DLE DC4 1: the pulse at once, even while the printer is offline; in steps of 100 ms, to 800 ms."""
    return bytes((0x10, 0x14, 0x01, drawer - 1, max(1, min(8, on_ms // 100))))


PROCESS_IDS = 95**4
"""How many process ids there are: four characters of 20h to 7Eh (Epson reference, GS ( H)."""
COUNTER_CUTS = 178
COUNTER_LINES = 148
"""Cumulative maintenance counters: autocutter operations, lines fed (Epson reference, GS g 2; Citizen CT-S2000)."""


def counter(n: int) -> bytes:
    """GS g 2: ask for a maintenance counter; answered in its turn by header 5Fh, digits, NUL."""
    return b"\x1dg2\x00" + n.to_bytes(2, "little")


def process_id_number(value: bytes) -> int:
    """Which of the PROCESS_IDS it is, from 0."""
    number = 0
    for byte in value:
        number = number * 95 + byte - 0x20
    return number


def process_ids(first: int) -> Iterator[bytes]:
    """Process ids from the `first`th on, all different until 95**4 of them were used."""
    for number in itertools.count(first):
        rest, digits = number, bytearray(4)
        for place in range(3, -1, -1):
            rest, digit = divmod(rest, 95)
            digits[place] = 0x20 + digit
        yield bytes(digits)
