"""Commands for chips (ISO/IEC 7816-3, chapter 12): their cases, their way over T=0, and their status words.

No I/O. An exchange is a generator: it yields what goes to the chip, is sent what the chip answers, and returns the
response APDU. Nothing that is raised here holds a byte of a command or an answer.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass

__all__ = [
    "MAX_COMMAND",
    "MAX_RESPONSE",
    "MAX_STEPS",
    "CommandApdu",
    "Exchange",
    "parse_command",
    "status_matches",
    "t0_apdus",
    "t0_tpdus",
]

MAX_COMMAND = 65544
"""Header, extended Lc, 65535 bytes, extended Le of two bytes (12.1.3)."""
MAX_RESPONSE = 65538
"""65536 bytes and the status words."""
MAX_STEPS = 600
"""Turns of one exchange; the longest that makes sense, a full command and a full answer, takes 516."""
_SHORT, _EXTENDED = 256, 65536
_GET_RESPONSE, _ENVELOPE = 0xC0, 0xC2
_ENVELOPE_DATA = 255
_STATUS = re.compile(r"[0-9A-Fa-fXx]{4}(,[0-9A-Fa-fXx]{4})*")

Exchange = Generator[bytes, bytes, bytes]
"""Yields what goes to the chip, is sent each answer with its status words, returns the response APDU."""


@dataclass(frozen=True, slots=True)
class CommandApdu:
    """A command, taken apart (12.1)."""

    raw: bytes
    case: str
    """1, 2S, 3S, 4S, 2E, 3E or 4E."""
    data: bytes = b""
    ne: int = 0
    """The most bytes of answer that are wanted: 0 to 65536."""

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return self.raw[:4]

    @property
    def all_there_is(self) -> bool:
        """Le is the greatest of its size: whatever the chip has is wanted."""
        return self.ne == (_EXTENDED if self.case.endswith("E") else _SHORT)

    def with_le(self, ne: int) -> bytes:
        """The same command with another Le, 1 to 256."""
        body = bytes([len(self.data)]) + self.data if self.data else b""
        return self.header + body + bytes([ne & 0xFF])


def parse_command(data: bytes) -> CommandApdu:
    """Take a command apart. Raises ValueError that names what was expected.

    CLA FF and INS 6X and 9X are no commands (7816-3, 10.3.2; 7816-4, 5.4).
    """
    if not 4 <= len(data) <= MAX_COMMAND:
        raise ValueError(f"expected a command of 4 to {MAX_COMMAND} bytes, got {len(data)}")
    if data[0] == 0xFF:
        raise ValueError("expected CLA 00 to FE")
    if data[1] >> 4 in (6, 9):
        raise ValueError("expected an INS other than 6X and 9X")
    body = data[4:]
    if not body:
        return CommandApdu(bytes(data), "1")
    if len(body) == 1:
        return CommandApdu(bytes(data), "2S", ne=body[0] or _SHORT)
    if body[0]:
        return _with_data(data, body[0], 1, 1)
    if len(body) < 3:
        raise ValueError("expected an Lc of 01 to FF, or an extended length of 3 bytes, as byte 5")
    length = int.from_bytes(body[1:3], "big")
    if len(body) == 3:
        return CommandApdu(bytes(data), "2E", ne=length or _EXTENDED)
    if not length:
        raise ValueError("expected an extended Lc of 0001 to FFFF as bytes 6 and 7")
    return _with_data(data, length, 3, 2)


def _with_data(data: bytes, length: int, lc: int, le: int) -> CommandApdu:
    """A command with `length` bytes of data behind `lc` bytes of Lc; its Le, if there is one, has `le` bytes."""
    start, end = 4 + lc, 4 + lc + length
    size = "S" if lc == 1 else "E"
    if len(data) == end:
        return CommandApdu(bytes(data), f"3{size}", bytes(data[start:]))
    if len(data) == end + le:
        ne = int.from_bytes(data[end:], "big") or (_SHORT if le == 1 else _EXTENDED)
        return CommandApdu(bytes(data), f"4{size}", bytes(data[start:end]), ne)
    raise ValueError(f"expected {end} bytes, or {end + le} with Le, by Lc; got {len(data)}")


# -- T=0 --


def t0_tpdus(command: bytes, *, bare_case_1: bool = False) -> Exchange:
    """A command's way to a chip that speaks T=0, where whoever is in between carries TPDUs (12.2): a PC/SC reader.

    Short commands go as `CLA INS P1 P2 P3 [data]`, longer ones in ENVELOPE. 61xx is followed by GET RESPONSE, 6Cxx by
    the same with the right length, where the command asks for an answer. A command that does not (cases 1 and 3) is
    answered as the chip answers it, 61xx included. 9000 without data is not followed by GET RESPONSE, though 12.2.4
    has it so: a chip that has nothing to give would turn what is done into an error.

    `bare_case_1`: case 1 goes without P3, as PC/SC's drivers add it. Raises ValueError for what is no command, and for
    a chip that goes on without end or answers with less than status words.
    """
    apdu = parse_command(command)
    if len(apdu.data) > _ENVELOPE_DATA:
        return _in_envelopes(apdu)
    if apdu.data:
        first = apdu.header + bytes([len(apdu.data)]) + apdu.data
    elif apdu.case == "1":
        first = apdu.header if bare_case_1 else apdu.header + b"\0"
    else:
        first = apdu.header + bytes([min(apdu.ne, _SHORT) & 0xFF])
    return _collect(apdu, [first])


def t0_apdus(command: bytes) -> Exchange:
    """The same where whoever is in between carries whole APDUs, yet the chip answers as one of T=0 may: with 61xx or
    6Cxx.
    """
    apdu = parse_command(command)
    return _collect(apdu, [apdu.raw])


def _in_envelopes(apdu: CommandApdu) -> Exchange:
    """12.2.5: the command APDU, cut into pieces, as the data of ENVELOPE."""
    header = bytes([_channel_class(apdu.raw[0]), _ENVELOPE, 0, 0])
    pieces = [apdu.raw[at : at + _ENVELOPE_DATA] for at in range(0, len(apdu.raw), _ENVELOPE_DATA)]
    return _collect(apdu, [header + bytes([len(piece)]) + piece for piece in pieces])


def _collect(apdu: CommandApdu, messages: list[bytes]) -> Exchange:
    """Send the messages, follow 61xx and 6Cxx, and put the answer together."""
    collected = b""
    message, following = messages[0], messages[1:]
    corrected = False
    for _ in range(MAX_STEPS):
        response = yield message
        if not 2 <= len(response) <= MAX_RESPONSE:
            raise ValueError(f"expected an answer of 2 to {MAX_RESPONSE} bytes, got {len(response)}")
        data, status = response[:-2], response[-2:]
        if following and status == b"\x90\x00":
            message, following = following[0], following[1:]
            continue
        if not apdu.ne or following:
            return response
        collected += data
        missing = (_EXTENDED if apdu.all_there_is else apdu.ne) - len(collected)
        if status[0] == 0x61 and missing > 0:
            length = min(status[1] or _SHORT, missing)
            message = bytes([_response_class(apdu.raw[0]), _GET_RESPONSE, 0, 0, length & 0xFF])
            corrected = False
        elif status[0] == 0x6C and not data and not corrected:
            message = _with_length(apdu, message, status[1] or _SHORT)
            corrected = True
        else:
            return collected[: _EXTENDED if apdu.all_there_is else apdu.ne] + status
    raise ValueError(f"expected an end after {MAX_STEPS} turns")


def _with_length(apdu: CommandApdu, message: bytes, length: int) -> bytes:
    """What was sent, with the length that the chip asked for."""
    if len(message) == 5:
        return message[:4] + bytes([length & 0xFF])
    return apdu.with_le(length) if message == apdu.raw and len(apdu.data) <= _ENVELOPE_DATA else message


def _response_class(cla: int) -> int:
    """The class of GET RESPONSE: that of the command's logical channel; GSM's A0 has its own (GSM 11.11, 9.2)."""
    return cla if cla == 0xA0 else _channel_class(cla)


def _channel_class(cla: int) -> int:
    """A class of 7816-4 without secure messaging or chaining, on the command's logical channel (7816-4, 5.4.1).

    GlobalPlatform's classes, bit 8 set, name their channel by the same bits (GlobalPlatform Card, 11.1.4).
    """
    plain = cla & 0x7F
    if plain & 0x40:
        return 0x40 | plain & 0x0F
    return plain & 0x03 if plain < 0x20 else 0


# -- status words --


def status_matches(expected: str, status: bytes) -> bool:
    """Whether two status words fit "9000", "61xx" or "9000,6A8x": `x` stands for any digit, `,` for or.

    Raises ValueError for another pattern or another number of bytes.
    """
    if not _STATUS.fullmatch(expected):
        raise ValueError("expected four hexadecimal digits or x, several parted by ,")
    if len(status) != 2:
        raise ValueError(f"expected two status words, got {len(status)} bytes")
    got = status.hex().upper()
    return any(
        all(want in ("X", digit) for want, digit in zip(pattern, got, strict=True))
        for pattern in expected.upper().split(",")
    )
