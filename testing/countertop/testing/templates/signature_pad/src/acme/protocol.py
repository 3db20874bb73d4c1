"""What the pad's frames mean. No I/O.

::

    command         answer                                  unasked
    H hello         ASCII: model;serial;firmware            P pen: sequence, flags, x, y, pressure
    S status        one byte of StatusBit                   K key: 1 accept, 2 clear, 3 cancel
    B begin         empty: pen and keys are sent
    X end           empty: they are not
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, IntFlag

from countertop.sdk import PenSample, ProtocolFault
from countertop.sdk.signing import ButtonPress, PadEvent
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Reason
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, PAD_BUTTON_CANCEL, PAD_BUTTON_CLEAR, PadButton

from acme.framing import Frame

__all__ = ["LONGEST", "PEN", "REFUSALS", "Command", "Events", "Identity", "StatusBit", "parse_identity", "parse_status"]

LONGEST = 128
"""Bytes of payload that the pad sends at most."""
PEN, KEY = "P", "K"
_PEN = struct.Struct(">HBHHH")
_TOUCHES = 0x01
_KEYS: dict[int, PadButton] = {1: PAD_BUTTON_ACCEPT, 2: PAD_BUTTON_CLEAR, 3: PAD_BUTTON_CANCEL}
REFUSALS: dict[int, Reason] = {
    1: error_pb2.REASON_PROTOCOL_ERROR,  # it does not know the command
    2: error_pb2.REASON_PAD_FAULT,
}


class Command(Enum):
    """What the pad can be asked."""

    HELLO = "H"
    STATUS = "S"
    BEGIN = "B"
    END = "X"


class StatusBit(IntFlag):
    """How the pad is."""

    CAPTURING = 0x01
    FAULT = 0x02


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the pad is."""

    model: str
    serial: str
    firmware: str


def parse_identity(payload: bytes) -> Identity:
    """Raises ProtocolFault."""
    words = payload.decode("ascii", "replace").split(";")
    if len(words) != 3:
        raise ProtocolFault("hello", "model;serial;firmware", f"{len(words)} fields")
    return Identity(*words)


def parse_status(payload: bytes) -> StatusBit:
    """Raises ProtocolFault."""
    if len(payload) != 1:
        raise ProtocolFault("status", "1 byte", f"{len(payload)} bytes")
    return StatusBit(payload[0])


class Events:
    """From what the pad sends unasked to pen and buttons. The pad counts its samples in 16 bits; here they go on."""

    def __init__(self) -> None:
        self._last = 0

    def take(self, frame: Frame) -> PadEvent:
        """Raises ProtocolFault for a frame that is neither; what is in it is never told."""
        if frame.letter == PEN and len(frame.payload) == _PEN.size:
            count, flags, x, y, pressure = _PEN.unpack(frame.payload)
            self._last += (count - self._last) & 0xFFFF
            return PenSample(x, y, bool(flags & _TOUCHES), pressure, sequence=self._last)
        if frame.letter == KEY and len(frame.payload) == 1 and frame.payload[0] in _KEYS:
            return ButtonPress(_KEYS[frame.payload[0]])
        raise ProtocolFault("capture", "a pen or a key", f"letter {frame.letter!r}, {len(frame.payload)} bytes")
