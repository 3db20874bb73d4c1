"""What may be kept of a Topaz pad's line: when the pen touched, not where."""

from __future__ import annotations

from countertop.drivers.topaz.models import Box
from countertop.drivers.topaz.packets import (
    LARGEST,
    POSITIONS,
    SIZE,
    DeviceIdentity,
    Format,
    PacketCutter,
    Position,
    Pressure,
    known_status,
    packet_type,
    read_packet,
    write_place,
)
from countertop.sdk.trace import Masker

__all__ = ["TopazMasker"]

COMMANDS = b"\x04\x14"
"""All that the driver ever sends."""
_SENT = bytes(byte if byte in COMMANDS else 0 for byte in range(256))
PRESSED = bytes([0, 0, 0, 4])
"""A pressure of 512."""


class TopazMasker(Masker):
    """Every position is put into the middle of the box, every pressure is 512, the serial number is 0. Packets keep
    their place, their number, their type, and the bits that say that the pen is near or down; the model's number stays.

    So a replay shows the same strokes in number, length in samples and time, and the same silences and damage, but none
    has a shape. A damaged position becomes 4095, 4095, which the driver drops alike; bytes of no packet and the content
    of answers that are not understood become 0. Keeps at most four bytes.
    """

    def __init__(self, form: Format, box: Box, *, strict: bool) -> None:
        self._form = form
        self._strict = strict
        self._cutter = PacketCutter(form)
        self._middle = write_place((box.left + box.right) // 2, (box.top + box.bottom) // 2, form)
        self._noise = write_place(LARGEST, LARGEST, form)

    def sent(self, data: bytes) -> bytes:
        """Commands for a pad's display stay."""
        return data.translate(_SENT)

    def received(self, data: bytes) -> bytes:
        """Whole packets, and what stands between them."""
        return b"".join(map(self._masked, self._cutter.feed(data)))

    def end(self) -> tuple[bytes, bytes]:
        """A packet that has begun is blank."""
        return b"", bytes(self._cutter.pending)

    def _masked(self, piece: bytes) -> bytes:
        if len(piece) < SIZE:
            return bytes(len(piece))
        return bytes([known_status(piece, self._form)]) + self._content(piece)

    def _content(self, piece: bytes) -> bytes:
        match read_packet(piece, self._form, strict=self._strict):
            case Position():
                return self._middle
            case Pressure():
                return PRESSED
            case DeviceIdentity(model=model):
                return bytes([model << 2 & 0x7F, model >> 5, 0, 0])
            case None if packet_type(piece) in POSITIONS:
                return self._noise
        return bytes(SIZE - 1)
