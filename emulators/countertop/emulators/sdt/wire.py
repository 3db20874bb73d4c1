"""The SAM_V module's serial frames, seen from the module.

SAM_V protocol sheet::

    host:   AA AA AA 96 69 | Len(2) | CMD PARA Data | CHK
    module: AA AA AA 96 69 | Len(2) | SW1 SW2 SW3 Data | CHK

Len is big-endian and counts every byte after itself; CHK is the exclusive or of every byte from Len up to CHK.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import xor

__all__ = ["MAX_LENGTH", "PREAMBLE", "BrokenFrame", "Command", "HostFrames", "Status", "encode_reply", "encode_sam_id"]

PREAMBLE = bytes.fromhex("AAAAAA9669")
MIN_LENGTH = 3
"""CMD, PARA, CHK."""
MAX_LENGTH = 1024
"""Longest Len that the emulated module takes in; the sheet's commands all have 3."""


class Status(IntEnum):
    """SW3, what the module says of a command (SAM_V protocol sheet)."""

    BAD_CHECKSUM = 0x10
    BAD_LENGTH = 0x11
    BAD_COMMAND = 0x21
    CARD_REJECTS_SAM = 0x31
    SAM_REJECTS_CARD = 0x32
    UNKNOWN_CARD = 0x40
    READ_FAILED = 0x41
    SELF_TEST_FAILED = 0x60
    NOT_AUTHORISED = 0x66
    FIND_FAILED = 0x80
    SELECT_FAILED = 0x81
    OK = 0x90
    NO_CONTENT = 0x91
    CARD_FOUND = 0x9F


@dataclass(frozen=True, slots=True)
class Command:
    """A whole command of the host."""

    code: int
    """CMD and PARA as one number: 0x2001."""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class BrokenFrame:
    """A frame with a mistake, and how the module answers it: BAD_CHECKSUM or BAD_LENGTH."""

    status: Status


class HostFrames:
    """Cuts what the host sends into commands. Total on any bytes; keeps less than one frame between two feeds.

    A frame whose Len is impossible ends with its Len; the search for the next preamble goes on right behind it.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def partial(self) -> bool:
        """A frame, or what may become one, has begun and is not over."""
        return bool(self._buffer)

    def reset(self) -> None:
        """Forget what has begun."""
        self._buffer.clear()

    def feed(self, data: bytes) -> list[Command | BrokenFrame]:
        """Take in bytes; returns the frames that they complete."""
        self._buffer += data
        frames: list[Command | BrokenFrame] = []
        while self._synchronise():
            frame = self._next_frame()
            if frame is None:
                break
            frames.append(frame)
        return frames

    def _synchronise(self) -> bool:
        """Drop what comes before a preamble; True when a whole one leads the buffer."""
        start = self._buffer.find(PREAMBLE)
        if start < 0:
            start = len(self._buffer) - _begun(self._buffer)
            del self._buffer[:start]
            return False
        del self._buffer[:start]
        return True

    def _next_frame(self) -> Command | BrokenFrame | None:
        header = len(PREAMBLE) + 2
        if len(self._buffer) < header:
            return None
        length = int.from_bytes(self._buffer[len(PREAMBLE) : header], "big")
        if not MIN_LENGTH <= length <= MAX_LENGTH:
            del self._buffer[:header]
            return BrokenFrame(Status.BAD_LENGTH)
        if len(self._buffer) < header + length:
            return None
        covered = bytes(self._buffer[len(PREAMBLE) : header + length])
        del self._buffer[: header + length]
        if reduce(xor, covered):
            return BrokenFrame(Status.BAD_CHECKSUM)
        return Command(int.from_bytes(covered[2:4], "big"), covered[4:-1])


def encode_reply(status: Status, data: bytes = b"", card_status: int = 0) -> bytes:
    """The module's frame. `card_status` is SW1 SW2, what the card itself said, as one number."""
    body = card_status.to_bytes(2, "big") + bytes((status,)) + data
    covered = (len(body) + 1).to_bytes(2, "big") + body
    return PREAMBLE + covered + bytes((reduce(xor, covered),))


def encode_sam_id(text: str) -> bytes:
    """The 16 bytes that answer 12 FF, from the form that vendors print: `05.03-20120305-0000123456-1234567890`.

    Raises ValueError for another form, and for numbers that do not fit.
    """
    match = re.fullmatch(r"(\d{2})\.(\d{2})-(\d{8})-(\d{1,10})-(\d{1,10})", text, re.ASCII)
    numbers = [int(group) for group in match.groups()] if match else []
    if not numbers or max(numbers) > 0xFFFFFFFF:
        raise ValueError("expected NN.NN-NNNNNNNN-NNNNNNNNNN-NNNNNNNNNN, the last two below 2 to the power of 32")
    return struct.pack("<HHIII", *numbers)


def _begun(buffer: bytearray) -> int:
    """How many bytes at the end may be the beginning of a preamble."""
    return next(size for size in range(len(PREAMBLE) - 1, -1, -1) if buffer.endswith(PREAMBLE[:size]))
