"""The wire protocol of Topaz pads: bytes in, packets out.

A packet is five bytes: a status byte and two halves each of x and y (two open drivers agree on positions of eight bits;
the rest is of one, which follows the vendor's Java SDK)::

    format      status                          half of a coordinate      x, and y alike
    EIGHT_BIT   1 near . type type type . down  0 and 7 bits              (b2 & 1F) << 7 | b1
    SEVEN_BIT   1 . . type type type . down     0 and 6 bits              (b2 & 3F) << 6 | b1

The first bit of a byte tells the status byte from the others, so that whatever was lost or added on the way, the next
packet is found again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

__all__ = [
    "LARGEST",
    "POSITIONS",
    "SIZE",
    "DeviceIdentity",
    "Format",
    "Packet",
    "PacketCutter",
    "PacketDecoder",
    "Position",
    "Pressure",
    "Reply",
    "known_status",
    "packet_type",
    "read_packet",
    "write_place",
]

SIZE = 5
LARGEST = 0x0FFF
POSITIONS = frozenset({0, 1, 4})
IDENTITY, REPLY, PRESSURE = 2, 3, 7


class Format(Enum):
    """How many bits a byte on the line has."""

    EIGHT_BIT = "8bit"
    SEVEN_BIT = "7bit"
    """One source only, whose rule for finding status bytes leaves no room for twelve bits: the rule here is that of
    the other format with one bit less."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where the pen is, in the pad's own units from its own origin, 0 to 4095."""

    x: int
    y: int
    near: bool
    down: bool


@dataclass(frozen=True, slots=True)
class Pressure:
    """Pressure, 0 to 1023."""

    value: int


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """What the pad says of itself."""

    model: int
    """The maker's number of the model, 0 to 63."""
    serial: int
    """18 bits."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a command, of which nothing more is known."""

    data: bytes


Packet: TypeAlias = Position | Pressure | DeviceIdentity | Reply


@dataclass(frozen=True, slots=True)
class _Shape:
    sync: int
    near: int
    low: int
    """Bits of a coordinate's lower half."""
    high: int
    """Mask of its upper half."""
    spare: int
    """Bits of the upper half's byte that no coordinate has."""


_SHAPES = {
    Format.EIGHT_BIT: _Shape(sync=0x80, near=0x40, low=7, high=0x1F, spare=0x60),
    Format.SEVEN_BIT: _Shape(sync=0x40, near=0x04, low=6, high=0x3F, spare=0),
}


class PacketCutter:
    """Cuts a stream into packets and what stands before, between and after them. Keeps at most four bytes."""

    def __init__(self, form: Format) -> None:
        self._sync = _SHAPES[form].sync
        self._bytes = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a packet that has begun, 0 to 4."""
        return len(self._bytes)

    def feed(self, data: bytes) -> list[bytes]:
        """Take in bytes: the stream in pieces, however it is split. One of SIZE bytes is a packet; a shorter one is a
        packet that was cut off, or a byte that belongs to none.
        """
        pieces: list[bytes] = []
        for byte in data:
            if byte & self._sync:
                if self._bytes:
                    pieces.append(bytes(self._bytes))
                self._bytes.clear()
            elif not self._bytes:
                pieces.append(bytes([byte]))
                continue
            self._bytes.append(byte)
            if len(self._bytes) == SIZE:
                pieces.append(bytes(self._bytes))
                self._bytes.clear()
        return pieces


class PacketDecoder:
    """Finds packets in a stream, whatever stands before, between and after them. Keeps at most four bytes. A position
    whose x and y are both 4095 is noise.

    `strict` drops positions with bits that no coordinate has (one source does, and so loses damaged ones; the other
    does not look at them).
    """

    def __init__(self, form: Format = Format.EIGHT_BIT, *, strict: bool = True) -> None:
        self.dropped = 0
        """Bytes and packets that were none: damage on the line, mostly."""
        self._form = form
        self._strict = strict
        self._cutter = PacketCutter(form)

    @property
    def pending(self) -> int:
        """Bytes of a packet that has begun, 0 to 4."""
        return self._cutter.pending

    def feed(self, data: bytes) -> list[Packet]:
        """Take in bytes; the same bytes give the same packets, however they are split."""
        packets: list[Packet] = []
        for piece in self._cutter.feed(data):
            packet = read_packet(piece, self._form, strict=self._strict) if len(piece) == SIZE else None
            if packet is None:
                self.dropped += 1
            else:
                packets.append(packet)
        return packets


def packet_type(raw: bytes) -> int:
    """The type that a packet's status byte names, 0 to 7."""
    return raw[0] >> 2 & 7


def known_status(raw: bytes, form: Format) -> int:
    """A packet's status byte with those bits alone that mean something."""
    shape = _SHAPES[form]
    return raw[0] & (shape.sync | shape.near | 7 << 2 | 1)


def read_packet(raw: bytes, form: Format, *, strict: bool) -> Packet | None:
    """What a packet of SIZE bytes says; None for a position that is noise or damaged, and for the reserved types."""
    kind = packet_type(raw)
    if kind in POSITIONS:
        return _position(raw, _SHAPES[form], strict)
    seven = [byte & 0x7F for byte in raw]
    if kind == PRESSURE:
        return Pressure((seven[4] & 7) << 7 | seven[3])
    if kind == IDENTITY:
        first, second = seven[1] | seven[2] << 7, seven[3] | seven[4] << 7
        return DeviceIdentity((first & 0xFC) >> 2, (first & 3) << 16 | second)
    if kind == REPLY:
        return Reply(raw[1:])
    return None  # 5 and 6 are reserved


def write_place(x: int, y: int, form: Format) -> bytes:
    """The four bytes of a position behind its status byte; x and y from 0 to 4095."""
    bits = _SHAPES[form].low
    return bytes(half for value in (x, y) for half in (value & (1 << bits) - 1, value >> bits))


def _position(raw: bytes, shape: _Shape, strict: bool) -> Position | None:
    x, y = (_coordinate(raw[at], raw[at + 1], shape) for at in (1, 3))
    if x == y == LARGEST or (strict and (raw[2] | raw[4]) & shape.spare):
        return None
    return Position(x, y, near=bool(raw[0] & shape.near), down=bool(raw[0] & 1))


def _coordinate(low: int, high: int, shape: _Shape) -> int:
    return (high & shape.high) << shape.low | (low & (1 << shape.low) - 1)
