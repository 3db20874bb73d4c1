"""What the printer's frames mean. No I/O.

::

    command         payload                             answer
    H hello                                             ASCII: model;serial;firmware
    S status                                            bits (1), job (4), begun (2), done (2), finished (1), pulses (4)
    B begin         job (4)                             empty: the next steps are this job's
    T text          step (2), height (2), runs          empty, once it is printed
    G graphic       step (2), x (2), bytes a row (1), rows      the same
    F feed          step (2), dots (2)                  the same
    C cut           step (2), full (1)                  the same
    E end           steps (2)                           empty: the job is finished
    A abort                                             empty: the job is over; what hangs out is cut off by the next
    D drawer        connector (1)                       empty, once the pulse was given

A run of text: x (2), style (1), scale (1), length (1), UTF-8. Steps count from 1 in each job. The printer keeps the
number of its newest job, how many of its steps it has begun and done, and its drawer pulses, through power failures,
which end the job.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntFlag

from countertop.sdk import ProtocolFault
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Reason

__all__ = ["LONGEST", "REFUSALS", "Command", "Identity", "Status", "StatusBit", "Style", "encode_run", "parse_identity"]

LONGEST = 128
"""Bytes of payload that the printer sends at most."""
LONGEST_RUN = 255
REFUSALS: dict[int, Reason] = {
    1: error_pb2.REASON_PROTOCOL_ERROR,  # it does not know the command, or not in this state
    2: error_pb2.REASON_PAPER_OUT,
    3: error_pb2.REASON_COVER_OPEN,
    4: error_pb2.REASON_CUTTER_ERROR,
    5: error_pb2.REASON_PRINTER_FAULT,  # no job is open: its power failed meanwhile
}
_STATUS = struct.Struct(">BIHHBI")


class Command(Enum):
    """What the printer can be asked."""

    HELLO = "H"
    STATUS = "S"
    BEGIN = "B"
    TEXT = "T"
    GRAPHIC = "G"
    FEED = "F"
    CUT = "C"
    END = "E"
    ABORT = "A"
    DRAWER = "D"


class StatusBit(IntFlag):
    """How the printer is."""

    PAPER_OUT = 0x01
    PAPER_NEAR_END = 0x02
    COVER_OPEN = 0x04
    CUTTER_ERROR = 0x08


class Style(IntFlag):
    """How a run of text looks."""

    BOLD = 0x01
    UNDERLINE = 0x02
    INVERTED = 0x04
    SMALL = 0x08


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the printer is."""

    model: str
    serial: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Status:
    """How the printer is, and what it has done."""

    bits: StatusBit
    job: int
    """Its newest job, begun or finished; 0 before the first."""
    begun: int
    """Steps of that job whose printing has begun."""
    done: int
    """Steps of that job that are on the paper, whole."""
    finished: bool
    pulses: int
    """Drawer pulses that it has ever given."""

    @classmethod
    def parse(cls, payload: bytes) -> Status:
        """Raises ProtocolFault."""
        if len(payload) != _STATUS.size:
            raise ProtocolFault("status", f"{_STATUS.size} bytes", f"{len(payload)} bytes")
        bits, job, begun, done, finished, pulses = _STATUS.unpack(payload)
        return cls(StatusBit(bits), job, begun, done, bool(finished), pulses)


def parse_identity(payload: bytes) -> Identity:
    """Raises ProtocolFault."""
    words = payload.decode("ascii", "replace").split(";")
    if len(words) != 3:
        raise ProtocolFault("hello", "model;serial;firmware", f"{len(words)} fields")
    return Identity(*words)


def encode_run(x: int, style: Style, width: int, height: int, text: str) -> bytes:
    """A run of text; one that is too long for the wire is sent as several, of which only the first has a place."""
    return b"".join(
        struct.pack(">HBBB", x if index == 0 else 0xFFFF, style, width << 4 | height, len(part)) + part
        for index, part in enumerate(_parts(text))
    )


def _parts(text: str) -> Iterable[bytes]:
    """Pieces of at most LONGEST_RUN bytes, no character torn."""
    part = b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(part) + len(encoded) > LONGEST_RUN:
            yield part
            part = b""
        part += encoded
    yield part
