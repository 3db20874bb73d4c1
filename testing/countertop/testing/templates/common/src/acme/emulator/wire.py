"""The wire from the device's side: commands come in, answers and reports go out.

Written apart from the driver's framing, so that a mistake in one does not hide behind the same one in the other.
"""

from __future__ import annotations

import struct
from binascii import crc_hqx
from dataclasses import dataclass

__all__ = ["Command", "CommandReader", "pack"]

HEADER = struct.Struct(">BBHBB")
"""STX, upper and lower part of the length, number, letter."""
LONGEST = 65536
"""The device's memory for one command, in bytes."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the host wants."""

    number: int
    letter: str
    data: bytes


def pack(number: int, letter: str, data: bytes = b"") -> bytes:
    """A frame of the device."""
    inside = HEADER.pack(2, len(data) >> 16, len(data) & 0xFFFF, number, ord(letter))[1:] + data
    return b"\x02" + inside + struct.pack(">H", crc_hqx(inside, 0))


class CommandReader:
    """Puts commands together from bytes as they come. What is none is skipped; keeps at most LONGEST + 8 bytes."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[Command]:
        """The commands that are complete now."""
        held, commands, at = self._held + data, [], 0
        while (at := held.find(b"\x02", at)) >= 0 and len(held) - at >= HEADER.size:
            _, upper, lower, number, letter = HEADER.unpack_from(held, at)
            size = upper << 16 | lower
            end = at + HEADER.size + size
            if size <= LONGEST and len(held) < end + 2:
                break
            good = size <= LONGEST and crc_hqx(held[at + 1 : end], 0) == int.from_bytes(held[end : end + 2])
            if good:
                commands.append(Command(number, chr(letter), held[at + HEADER.size : end]))
            at = end + 2 if good else at + 1
        self._held = held[at:] if at >= 0 else b""
        return commands

    def reset(self) -> None:
        """Forget what has begun."""
        self._held = b""
