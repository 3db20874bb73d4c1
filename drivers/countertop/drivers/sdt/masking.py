"""What may be kept of an SDT reader's line: its answers' shapes and status words, with an invented person in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import xor

from countertop.drivers.sdt import protocol
from countertop.drivers.sdt.masked_card import masked_address, masked_content
from countertop.sdk.trace import Masker

__all__ = ["SdtMasker"]

MOST_DATA = 2560
"""Bytes of data in a frame that is judged as a whole; what claims more is noise, and blanked as it passes."""
_SAM_ID_DATA = bytes.fromhex("05000300ff4c40013930000032090100")
"""05.03-20991231-0000012345-0000067890"""
_READ = {command.code: command for command in (protocol.READ_CARD, protocol.READ_CARD_AND_FINGERPRINTS)}
_LONGEST = {
    command.code: command.longest
    for command in (
        *_READ.values(),
        protocol.RESET,
        protocol.SAM_STATUS,
        protocol.SAM_ID,
        protocol.FIND_CARD,
        protocol.SELECT_CARD,
        protocol.READ_ADDRESS,
    )
}
_IDLE = bytes(byte if byte == protocol.PREAMBLE[0] else 0 for byte in range(256))
_CODE_BYTES = 2
_STATUS_BYTES = 3


class SdtMasker(Masker):
    """Answers keep their length, their status words and, of a card, its layout; the content is the invented person's,
    whatever was read, or zeros where the driver does not look into it. A checksum that was wrong stays wrong. Bytes
    that belong to no frame become zeros.

    Keeps one unfinished frame in each direction: MOST_DATA bytes and 11 more at most.
    """

    def __init__(self) -> None:
        self._asked = b""
        self._commands = _Frames(protocol.PREAMBLE, 1 + _CODE_BYTES, self._command)
        self._answers = _Frames(protocol.MARK, protocol.LEAST_LENGTH, self._answer)

    def sent(self, data: bytes) -> bytes:
        """Commands stay; what else they carry, which the driver's never do, is blanked."""
        return self._commands.feed(data)

    def received(self, data: bytes) -> bytes:
        """Answers to the last command."""
        return self._answers.feed(data)

    def end(self) -> tuple[bytes, bytes]:
        """Unfinished frames are blank."""
        return self._commands.end(), self._answers.end()

    def _command(self, body: bytes, right: bool) -> bytes:
        if right:
            self._asked = body[:_CODE_BYTES]
            self._answers.most = protocol.LEAST_LENGTH + _LONGEST.get(self._asked, MOST_DATA)
            self._answers.give_up()  # as the driver does, which looks at each answer anew
        return body[:_CODE_BYTES].ljust(len(body), b"\0")

    def _answer(self, body: bytes, right: bool) -> bytes:
        status, data = body[:_STATUS_BYTES], body[_STATUS_BYTES:]
        return status + (self._content(data) if right and status[-1] == protocol.OK else bytes(len(data)))

    def _content(self, data: bytes) -> bytes:
        """The data of an answer that went well."""
        if self._asked in _READ:
            return masked_content(_READ[self._asked], data)
        if self._asked == protocol.READ_ADDRESS.code:
            return masked_address(len(data))
        if self._asked == protocol.SAM_ID.code and len(data) == len(_SAM_ID_DATA):
            return _SAM_ID_DATA
        return bytes(len(data))


class _Frames:
    """One direction. `judge` is given a frame's body without its checksum, and whether that was right."""

    def __init__(self, mark: bytes, least: int, judge: Callable[[bytes, bool], bytes]) -> None:
        self.most = least + MOST_DATA
        """Longest Len of a frame."""
        self._mark = mark
        self._least = least
        self._judge = judge
        self._buffer = bytearray()
        self._given_up = b""

    def feed(self, data: bytes) -> bytes:
        """What is judged by now; any split of the bytes gives the same in the end."""
        self._buffer += data
        done, self._given_up = bytearray(self._given_up), b""
        while (piece := self._next()) is not None:
            done += piece
        return bytes(done)

    def give_up(self) -> None:
        """What has begun will not be finished."""
        self._given_up += self._blank(len(self._buffer))

    def end(self) -> bytes:
        """What is left, blanked."""
        self.give_up()
        return self._given_up

    def _next(self) -> bytes | None:
        start = self._buffer.find(self._mark)
        if start:
            return self._blank(start if start > 0 else len(self._buffer) - self._begun(len(self._buffer))) or None
        header = len(self._mark) + 2
        if len(self._buffer) < header:
            return None
        length = int.from_bytes(self._buffer[len(self._mark) : header], "big")
        if not self._least <= length <= self.most:
            return self._blank_mark(bytes(self._buffer[len(self._mark) : header]))
        end = header + length
        if len(self._buffer) < end:
            return None
        covered = bytes(self._buffer[len(self._mark) : end])
        wrong = reduce(xor, covered)
        inside = self._buffer.find(self._mark, len(self._mark), end)
        if wrong and (inside > 0 or self._begun(end)):  # it was cut off, and another began
            return self._blank(inside if inside > 0 else end - self._begun(end))
        del self._buffer[:end]
        masked = covered[:2] + self._judge(covered[2:-1], not wrong)
        return self._mark + masked + bytes([reduce(xor, masked) ^ wrong])

    def _blank(self, count: int) -> bytes:
        """Zeros for the first bytes. Of a frame that they begin, the mark stays, and its Len becomes impossible;
        outside of frames stays the byte that gets lines in step.
        """
        blanked = bytes(self._buffer[:count])
        framed = self._buffer.startswith(self._mark)
        del self._buffer[:count]
        return self._mark[:count].ljust(count, b"\0") if framed else blanked.translate(_IDLE)

    def _blank_mark(self, length: bytes) -> bytes:
        """The mark of a frame whose Len is impossible: it stays, unless Len, blanked, would be a possible one."""
        if not self._least <= int.from_bytes(length.translate(_IDLE), "big") <= self.most:
            return self._blank(len(self._mark))
        del self._buffer[: len(self._mark)]
        return bytes(len(self._mark))

    def _begun(self, end: int) -> int:
        """How many of the bytes before `end` may begin a mark."""
        sizes = range(min(len(self._mark) - 1, end), 0, -1)
        return next((size for size in sizes if self._buffer[end - size : end] == self._mark[:size]), 0)
