"""What the printer's frames mean. No I/O.

::

    command     payload                                     answer
    H hello                                                 ASCII: model;serial;firmware
    S status                                                bits (1), place (1), cards fed (4), prints left (2), ribbon
    F feed                                                  empty: a blank is at the print head
    M move      place (1)                                   empty: the card is there
    I take in                                               1 when a card was taken in from the exit, 0 for none
    W write     coercivity (1), track (1), ASCII            empty: the track is written
    R read      track (1)                                   state (1), ASCII
    P panel     side (1), letter (1), last (1), data        empty: kept; the data of all parts is one zlib stream
    G print                                                 empty: the panels are on the card
    X clear                                                 empty: no panel is kept

Panels are 1016 by 648 dots: C, M, Y with a byte of density a dot, K and O with a bit, rows from the top. The printer
counts the cards that it has fed, through power failures.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, IntFlag

from countertop.sdk import ProtocolFault
from countertop.v1 import card_pb2, card_printer_pb2, error_pb2
from countertop.v1.card_pb2 import CardPlace
from countertop.v1.card_printer_pb2 import TrackState
from countertop.v1.error_pb2 import Reason

__all__ = [
    "LONGEST",
    "PLACES",
    "REFUSALS",
    "Command",
    "Identity",
    "Status",
    "StatusBit",
    "parse_identity",
    "parse_track",
]

LONGEST = 256
"""Bytes of payload that the printer sends at most."""
REFUSALS: dict[int, Reason] = {
    1: error_pb2.REASON_PROTOCOL_ERROR,  # it does not know the command
    2: error_pb2.REASON_COVER_OPEN,
    3: error_pb2.REASON_CARDS_OUT,
    4: error_pb2.REASON_CARD_JAMMED,
    5: error_pb2.REASON_NO_CARD_INSIDE,
    6: error_pb2.REASON_CARD_INSIDE,
    7: error_pb2.REASON_RETAIN_BIN_FULL,
    8: error_pb2.REASON_RIBBON_OUT,
    9: error_pb2.REASON_RIBBON_WRONG,
    10: error_pb2.REASON_STRIPE_WRITE_FAILED,
}
PLACES: dict[int, CardPlace] = {
    0: card_pb2.CARD_PLACE_NONE,
    1: card_pb2.CARD_PLACE_PRINT,
    2: card_pb2.CARD_PLACE_TRANSPORT,
    3: card_pb2.CARD_PLACE_EXIT,
    4: card_pb2.CARD_PLACE_JAMMED,
    5: card_pb2.CARD_PLACE_RETAIN_BIN,
}
_TRACK_STATES: dict[int, TrackState] = {
    0: card_printer_pb2.TRACK_STATE_BLANK,
    1: card_printer_pb2.TRACK_STATE_READ,
    2: card_printer_pb2.TRACK_STATE_DAMAGED,
}
_STATUS = struct.Struct(">BBIH")


class Command(Enum):
    """What the printer can be asked."""

    HELLO = "H"
    STATUS = "S"
    FEED = "F"
    MOVE = "M"
    TAKE_IN = "I"
    WRITE_STRIPE = "W"
    READ_STRIPE = "R"
    PANEL = "P"
    PRINT = "G"
    CLEAR = "X"


class StatusBit(IntFlag):
    """What its sensors see."""

    COVER_OPEN = 0x01
    CARDS_OUT = 0x02
    CARDS_NEAR_END = 0x04
    BIN_FULL = 0x08


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the printer is."""

    model: str
    serial: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Status:
    """Sensors and counters."""

    bits: StatusBit
    place: CardPlace
    fed: int
    """Cards that it has ever fed."""
    prints_left: int
    ribbon: str
    """Letters of the ribbon's panels; empty when there is none."""

    @classmethod
    def parse(cls, payload: bytes) -> Status:
        """Raises ProtocolFault."""
        if not _STATUS.size <= len(payload) <= _STATUS.size + 8:
            raise ProtocolFault("status", f"{_STATUS.size} bytes and a ribbon", f"{len(payload)} bytes")
        bits, place, fed, left = _STATUS.unpack_from(payload)
        ribbon = payload[_STATUS.size :].decode("ascii", "replace")
        return cls(StatusBit(bits), PLACES.get(place, card_pb2.CARD_PLACE_UNSPECIFIED), fed, left, ribbon)


def parse_identity(payload: bytes) -> Identity:
    """Raises ProtocolFault."""
    words = payload.decode("ascii", "replace").split(";")
    if len(words) != 3:
        raise ProtocolFault("hello", "model;serial;firmware", f"{len(words)} fields")
    return Identity(*words)


def parse_track(payload: bytes) -> tuple[TrackState, str]:
    """How a track is, and what is on it. Raises ProtocolFault, which never tells what is on it."""
    if not payload or payload[0] not in _TRACK_STATES or not payload.isascii():
        raise ProtocolFault("read stripe", "a state and ASCII", f"{len(payload)} bytes")
    return _TRACK_STATES[payload[0]], payload[1:].decode("ascii")
