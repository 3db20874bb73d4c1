"""The wire protocol of SAM_V modules: bytes in, events out.

A frame, either way (SAM_V protocol sheet)::

    AA AA AA 96 69 | Len, 2 bytes | CMD PARA, or SW1 SW2 SW3 | data | CHK

Len is big endian and counts what follows it; CHK is the XOR of everything from Len to the last byte of data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import reduce
from operator import xor
from typing import NamedTuple

from countertop.sdk import ProtocolFault
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Reason

__all__ = [
    "FIND_CARD",
    "READ_ADDRESS",
    "READ_CARD",
    "READ_CARD_AND_FINGERPRINTS",
    "RESET",
    "SAM_ID",
    "SAM_STATUS",
    "SELECT_CARD",
    "STATUS_WORDS",
    "Broken",
    "CardContent",
    "Command",
    "Decoder",
    "Malformed",
    "Response",
    "describe",
    "encode",
    "parse_sam_id",
    "split_content",
]

PREAMBLE = bytes.fromhex("AAAAAA9669")
MARK = PREAMBLE[1:]
"""What answers are found by: the first AA only gets lines in step, and is lost at times."""

LEAST_LENGTH = 4  # SW1 SW2 SW3 CHK
HEADER = len(MARK) + 2

TEXT_SIZE = 256
PHOTO_SIZE = 1024
TEMPLATE_SIZE = 512
ADDRESS_SIZE = 70


class Command(NamedTuple):
    """A command and what to expect of it."""

    step: str
    """What it does, in words for people."""
    code: bytes
    """CMD and PARA."""
    longest: int
    """Most bytes of data in the answer. A longer one is noise; the margin is for modules that say more."""
    on_air: bool = False
    """It talks to the card, which takes its time."""


# SAM_V protocol sheet; 30 10 and 30 03 after vendors' sample clients.
RESET = Command("reset", b"\x10\xff", 16)
SAM_STATUS = Command("SAM status", b"\x11\xff", 16)
SAM_ID = Command("read SAM id", b"\x12\xff", 32)
FIND_CARD = Command("find card", b"\x20\x01", 32)
SELECT_CARD = Command("select card", b"\x20\x02", 32)
READ_CARD = Command("read base information", b"\x30\x01", 1536, on_air=True)
READ_CARD_AND_FINGERPRINTS = Command("read base information and fingerprints", b"\x30\x10", 2560, on_air=True)
READ_ADDRESS = Command("read additional address", b"\x30\x03", 320, on_air=True)

OK = 0x90
FOUND = 0x9F
WRONG_COMMAND = 0x21
NOT_FOUND = 0x80
NOT_SELECTED = 0x81
NO_CONTENT = 0x91

# SW3: (what it says, the reason that it amounts to). Vendors' headers agree on all but 23, which one of them has.
STATUS_WORDS: dict[int, tuple[str, Reason]] = {
    OK: ("done", error_pb2.REASON_UNSPECIFIED),
    FOUND: ("card found", error_pb2.REASON_UNSPECIFIED),
    0x10: ("checksum of the command wrong", error_pb2.REASON_PROTOCOL_ERROR),
    0x11: ("length of the command wrong", error_pb2.REASON_PROTOCOL_ERROR),
    WRONG_COMMAND: ("command wrong", error_pb2.REASON_NOT_SUPPORTED),
    0x23: ("no authority", error_pb2.REASON_READER_NOT_AUTHORISED),
    0x24: ("unknown error", error_pb2.REASON_DOCUMENT_UNREADABLE),
    0x31: ("card rejects SAM", error_pb2.REASON_DOCUMENT_UNREADABLE),
    0x32: ("SAM rejects card", error_pb2.REASON_DOCUMENT_UNREADABLE),
    0x33: ("information verification error", error_pb2.REASON_DOCUMENT_UNREADABLE),
    0x40: ("unknown card type", error_pb2.REASON_DOCUMENT_UNSUPPORTED),
    0x41: ("read failed", error_pb2.REASON_DOCUMENT_UNREADABLE),
    0x47: ("random number not got", error_pb2.REASON_DOCUMENT_UNREADABLE),
    0x60: ("SAM self-test failed", error_pb2.REASON_READER_SELF_TEST_FAILED),
    0x66: ("SAM not authorised", error_pb2.REASON_READER_NOT_AUTHORISED),
    NOT_FOUND: ("no card found", error_pb2.REASON_NO_DOCUMENT),
    NOT_SELECTED: ("card not selected", error_pb2.REASON_DOCUMENT_UNREADABLE),
    NO_CONTENT: ("item has no content", error_pb2.REASON_NO_SUCH_CONTENT),
}


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of the module."""

    sw1: int
    """With `sw2`: what the card itself answered, for SW3 31, 41, 47 and 81."""
    sw2: int
    sw3: int
    """The module's own status word."""
    data: bytes = field(default=b"", repr=False)  # a person's


class Broken(Enum):
    """What is wrong with a frame."""

    LENGTH = "a length that no answer has"
    CHECKSUM = "a wrong checksum"
    TRUNCATED = "an unfinished frame"


@dataclass(frozen=True, slots=True)
class Malformed:
    """Something began like an answer and was none."""

    broken: Broken


Event = Response | Malformed


def encode(command: Command) -> bytes:
    """The command's frame."""
    body = (len(command.code) + 1).to_bytes(2, "big") + command.code
    return PREAMBLE + body + bytes([reduce(xor, body)])


class Decoder:
    """Finds answers in a stream, whatever stands before, between and after them.

    After a broken frame the search goes on right behind its first byte, so that nothing that follows is lost. Keeps
    at most one unfinished frame: `longest` data bytes and 10 more.
    """

    def __init__(self, longest: int) -> None:
        self.skipped = 0
        """Bytes that belonged to no answer."""
        self._most = LEAST_LENGTH + longest
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Event]:
        """Take in bytes; the same bytes give the same events, however they are split."""
        self._buffer += data
        events: list[Event] = []
        while (event := self._next()) is not None:
            events.append(event)
        return events

    def give_up(self) -> list[Event]:
        """Nothing more will come: look for answers behind what only seemed to begin one, and forget the rest."""
        events: list[Event] = []
        while self._buffer:
            if self._buffer.startswith(MARK):
                events.append(Malformed(Broken.TRUNCATED))
            self._skip(1)
            events += self.feed(b"")
        return events

    def _next(self) -> Event | None:
        start = self._buffer.find(MARK)
        if start < 0:
            self._skip(len(self._buffer) - _ending_of_mark(self._buffer))
            return None
        self._skip(start)
        if len(self._buffer) < HEADER:
            return None
        length = int.from_bytes(self._buffer[len(MARK) : HEADER], "big")
        if not LEAST_LENGTH <= length <= self._most:
            return self._reject(Broken.LENGTH)
        end = HEADER + length
        if len(self._buffer) < end:
            return None
        frame = bytes(self._buffer[len(MARK) : end])
        if reduce(xor, frame):
            return self._reject(Broken.CHECKSUM)
        del self._buffer[:end]
        return Response(frame[2], frame[3], frame[4], frame[5:-1])

    def _reject(self, broken: Broken) -> Malformed:
        self._skip(1)
        return Malformed(broken)

    def _skip(self, count: int) -> None:
        del self._buffer[:count]
        self.skipped += count


def _ending_of_mark(buffer: bytearray) -> int:
    """How many of the last bytes may begin a mark."""
    return next((count for count in range(len(MARK) - 1, 0, -1) if buffer.endswith(MARK[:count])), 0)


def describe(response: Response) -> str:
    """An answer's status in words, without its data."""
    says = STATUS_WORDS.get(response.sw3, ("unknown to this driver",))[0]
    card = f", card says {response.sw1:02X}{response.sw2:02X}" if response.sw1 or response.sw2 else ""
    return f"SW3 {response.sw3:02X} ({says}{card})"


def parse_sam_id(data: bytes) -> str:
    """The module's id as vendors print it, `05.03-20991231-0000012345-0000067890`, from its 16 bytes.

    Raises ProtocolFault for another length.
    """
    if len(data) != 16:
        raise ProtocolFault(SAM_ID.step, "16 bytes", f"{len(data)} bytes")
    standard, kind = (int.from_bytes(data[at : at + 2], "little") for at in (0, 2))
    day, serial, check = (int.from_bytes(data[at : at + 4], "little") for at in (4, 8, 12))
    return f"{standard:02d}.{kind:02d}-{day:08d}-{serial:010d}-{check:010d}"


@dataclass(frozen=True, slots=True, repr=False)
class CardContent:
    """What a card holds, as the module gives it."""

    text: bytes
    """256 bytes of fields."""
    photo: bytes
    """1024 bytes, or none."""
    fingerprints: bytes
    """One or two templates of 512 bytes each, or none."""


def split_content(command: Command, data: bytes) -> CardContent:
    """Take the answer to one of the two read commands apart: lengths first, then the parts.

    Raises ProtocolFault when lengths and parts do not agree.
    """
    count = 3 if command is READ_CARD_AND_FINGERPRINTS else 2
    sizes = [int.from_bytes(data[at : at + 2], "big") for at in range(0, 2 * count, 2)]
    allowed = ((TEXT_SIZE,), (0, PHOTO_SIZE), (0, TEMPLATE_SIZE, 2 * TEMPLATE_SIZE))
    if len(data) != 2 * count + sum(sizes) or any(size not in fits for size, fits in zip(sizes, allowed, strict=False)):
        expected = f"{count} lengths and the parts that they announce"
        raise ProtocolFault(command.step, expected, f"{len(data)} bytes for the lengths {sizes}")
    parts: list[bytes] = []
    at = 2 * count
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    return CardContent(parts[0], parts[1], parts[2] if count == 3 else b"")
