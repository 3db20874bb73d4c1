"""What the camera's frames mean. No I/O.

::

    command         answer                                              unasked
    H hello         ASCII: model;serial;firmware;width;height;fps       J picture: a JPEG file
    S status        one byte of StatusBit
    B begin         empty: pictures are sent
    X end           empty: they are not
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntFlag

from countertop.sdk import ProtocolFault
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Reason

__all__ = ["LONGEST", "PICTURE", "REFUSALS", "Command", "Identity", "StatusBit", "parse_status"]

LONGEST = 1 << 20
"""Bytes of payload that the camera sends at most: a picture."""
PICTURE = "J"
REFUSALS: dict[int, Reason] = {
    1: error_pb2.REASON_PROTOCOL_ERROR,  # it does not know the command
}


class Command(Enum):
    """What the camera can be asked."""

    HELLO = "H"
    STATUS = "S"
    BEGIN = "B"
    END = "X"


class StatusBit(IntFlag):
    """How the camera is."""

    SENDING = 0x01


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the camera is, and what it sends."""

    model: str
    serial: str
    firmware: str
    width: int
    height: int
    fps: float

    @classmethod
    def parse(cls, payload: bytes) -> Identity:
        """Raises ProtocolFault."""
        words = payload.decode("ascii", "replace").split(";")
        numbers = words[3:]
        if len(words) != 6 or not all(number.isascii() and number.isdecimal() for number in numbers):
            raise ProtocolFault("hello", "model;serial;firmware;width;height;fps", f"{len(words)} fields")
        width, height, fps = (int(number[:6]) for number in numbers)
        return cls(words[0], words[1], words[2], width, height, float(fps))


def parse_status(payload: bytes) -> StatusBit:
    """Raises ProtocolFault."""
    if len(payload) != 1:
        raise ProtocolFault("status", "1 byte", f"{len(payload)} bytes")
    return StatusBit(payload[0])
