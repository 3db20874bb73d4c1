"""The messages between a virtual card reader and a virtual card, of the vsmartcard project
(virtualsmartcard/src/vpcd/vpcd.c and vpcd.h; docs, virtualsmartcard, "Creating a Virtual Smart Card"). No I/O.

Every message is its length, two bytes with the high one first, and so many bytes. The reader speaks first. Its
messages of one byte are controls; of these only GET_ATR is answered, by the ATR or, where there is no card, by an empty
message. All others are command APDUs, each answered by its response APDU.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

__all__ = ["MAX_MESSAGE", "Control", "MessageDecoder", "encode_control", "encode_message"]

MAX_MESSAGE = 0xFFFF


class Control(IntEnum):
    """What a reader's message of one byte says (vpcd.h)."""

    POWER_OFF = 0
    POWER_ON = 1
    RESET = 2
    GET_ATR = 4


def encode_message(data: bytes) -> bytes:
    """Raises ValueError for more than 65535 bytes."""
    if len(data) > MAX_MESSAGE:
        raise ValueError(f"expected at most {MAX_MESSAGE} bytes, got {len(data)}")
    return len(data).to_bytes(2, "big") + data


def encode_control(control: Control) -> bytes:
    """One of the reader's controls."""
    return encode_message(bytes([control]))


class MessageDecoder:
    """Takes in bytes in any pieces. Any bytes are messages; holds at most one that is not whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def held(self) -> int:
        """Bytes of the message that has not come whole."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that have come whole."""
        self._buffer += data
        at = 0
        found: list[bytes] = []
        while len(self._buffer) - at >= 2:
            end = at + 2 + int.from_bytes(self._buffer[at : at + 2], "big")
            if len(self._buffer) < end:
                break
            found.append(bytes(self._buffer[at + 2 : end]))
            at = end
        del self._buffer[:at]
        return iter(found)
