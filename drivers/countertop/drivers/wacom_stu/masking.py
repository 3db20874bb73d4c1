"""What may be kept of an STU pad's link: which reports went, not what was written, shown or agreed on."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress

from countertop.drivers.wacom_stu import reports
from countertop.drivers.wacom_stu.framing import FrameCutter, rewrite
from countertop.drivers.wacom_stu.masked_pen import PenMask
from countertop.drivers.wacom_stu.pen import SIZES as PEN_SIZES
from countertop.drivers.wacom_stu.pen import PenDecoder
from countertop.sdk import ProtocolFault
from countertop.sdk.trace import Masker

__all__ = ["StuMasker", "StuSerialMasker"]

KEPT = {
    reports.STATUS: 5,
    reports.RESET: 2,
    reports.INFORMATION: 13,
    reports.CAPABILITY: 15,
    reports.END_CAPTURE: 2,
    reports.PRIME: 17,
    reports.BASE: 3,
    reports.CLEAR_SCREEN: 2,
    reports.INKING_MODE: 2,
    reports.INK_THRESHOLD: 5,
    reports.START_IMAGE: 2,
    reports.END_IMAGE: 2,
    reports.OPTION_MODE: 2,
    reports.ENCRYPTION_COMMAND: 4,
    reports.ENCRYPTION_STATUS: 10,
    reports.GET: 2,
    reports.RESULT: 2,
}
"""How many bytes of a report stay, its id included. Of all others the id stays: public keys, session numbers, events of
PIN pads, and whatever is not known. Of a command of encryption its parameters stay, and neither modulus nor key.
"""
WHITE = b"\xff"


class StuMasker(Masker):
    """Of a pad on HID. Each report keeps its length, and its id but where the pen is encrypted.

    - Pen: the place is the middle of the writing area, or of the button that it is on; the pressure tells on which side
      of the pad's thresholds it was. Time, count and switches stay.
    - Encrypted pen: a report that the driver can open becomes the one in the clear that says as much (33 becomes 34; 10
      and 31 become 01 with the later half of the pair), filled up with zeros. One that it cannot open is blanked, and
      is a fault to the driver again.
    - Keys: public keys, the RSA modulus, the pad's encrypted key and the session's number are 0. What is kept holds
      neither ciphertext nor anything that a key could be computed from.
    - Pictures are white; blocks keep their lengths, so that the size of a compressed picture is told.
    - Serial numbers: as many noughts, or 1 where it is a number; one that says none goes on to say none.

    A replay shows how the pad was found and set up, that a key was agreed on (it is 0 then), when strokes began and
    ended, buttons pressed, lost samples, faults of the pad; of pairs, which pads of version 1 send encrypted, every
    other sample. It shows no shape, no pressure, no picture, and no encryption of the pen.
    """

    def __init__(self, decoder: Callable[[], PenDecoder], thresholds: tuple[int, int]) -> None:
        """`decoder`: the driver's, when it is asked. `thresholds`: those of a pad that tells none."""
        self._pen = PenMask(decoder, thresholds)
        self._default = thresholds

    def sent(self, data: bytes) -> bytes:
        """One report, set by the driver."""
        return self._masked(data)

    def received(self, data: bytes) -> bytes:
        """One report, as input or as an answer."""
        with suppress(ProtocolFault):  # what the driver refuses tells nothing here either
            self._learn(data)
        return self._masked(data)

    def end(self) -> tuple[bytes, bytes]:
        """Nothing is held back."""
        return b"", b""

    def _learn(self, report: bytes) -> None:
        if report[:1] == bytes([reports.CAPABILITY]):
            self._pen.measure(reports.parse_capability(report))
        elif report[:1] == bytes([reports.INK_THRESHOLD]) and len(report) >= reports.SIZES[reports.INK_THRESHOLD]:
            on, off = struct.unpack("<HH", report[1:5])
            self._pen.thresholds = (on, off) if on else self._default

    def _masked(self, report: bytes) -> bytes:
        if not report:
            return b""
        match report[0]:
            case pen if pen in PEN_SIZES:
                return self._pen.mask(report)
            case reports.IMAGE_BLOCK:
                return _white(report)
            case reports.UID:
                return _one(report)
            case reports.UID2 | reports.ESERIAL:
                return _noughts(report)
            case kind:
                return report[: KEPT.get(kind, 1)].ljust(len(report), b"\0")


def _white(report: bytes) -> bytes:
    """A piece of a picture."""
    room = len(report) - 3
    if room < 0:
        return report[:1].ljust(len(report), b"\0")
    length = min(room, int.from_bytes(report[1:3], "little"))
    return (report[:1] + length.to_bytes(2, "little") + WHITE * length).ljust(len(report), b"\0")


def _one(report: bytes) -> bytes:
    """A serial number of 4 bytes; 0, which is none, stays none."""
    return (report[:1] + bytes([0, 0, 0, any(report[1:5])])).ljust(len(report), b"\0")[: len(report)]


def _noughts(report: bytes) -> bytes:
    """A serial number in letters, up to the first 0; one that is nothing but blanks stays none."""
    text = report[1:].split(b"\0")[0]
    told = text.decode("ascii", "replace").strip()
    return (report[:1] + (b"0" if told else b" ") * len(text)).ljust(len(report), b"\0")


class StuSerialMasker(Masker):
    """Of a pad on a serial line: as `StuMasker`, for the reports in frames, whose CRCs are right again. What is no
    whole frame, or has a wrong CRC, is dropped by the driver and becomes 0 here. Keeps one frame of each direction.
    """

    def __init__(self, masker: StuMasker, crc_initial: int) -> None:
        self._reports = masker
        self._crc_initial = crc_initial
        self._sent, self._received = FrameCutter(crc_initial), FrameCutter(crc_initial)

    def sent(self, data: bytes) -> bytes:
        """Whole frames, and what stands between them."""
        return self._through(self._sent, data, self._reports.sent)

    def received(self, data: bytes) -> bytes:
        """Whole frames, and what stands between them."""
        return self._through(self._received, data, self._reports.received)

    def end(self) -> tuple[bytes, bytes]:
        """Frames that have begun are blank."""
        return bytes(self._sent.pending), bytes(self._received.pending)

    def _through(self, cutter: FrameCutter, data: bytes, mask: Callable[[bytes], bytes]) -> bytes:
        return b"".join(
            rewrite(raw, mask(report), self._crc_initial) if report else bytes(len(raw))
            for raw, report in cutter.feed(data)
        )
