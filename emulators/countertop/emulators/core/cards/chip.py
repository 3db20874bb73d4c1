"""The chip of a card: a small file system after ISO/IEC 7816-4, with the manners of T=0.

Answers longer than asked for, or not asked for, are fetched with GET RESPONSE (61xx); a wrong length is answered with
6Cxx.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from random import Random
from typing import Any

__all__ = ["ATR", "Chip"]


def _atr(history: bytes) -> bytes:
    """T=0 first, T=1 too; with its check byte (ISO/IEC 7816-3, 8.2)."""
    body = bytes((0x80 | len(history), 0x80, 0x01)) + history
    return b"\x3b" + body + bytes((reduce(xor, body),))


ATR = _atr(b"CTCARD")
AID = bytes.fromhex("A000000CA7D0")
"""Of the application; from the range that nobody has registered."""
PIN = b"\x12\x34\xff\xff\xff\xff\xff\xff"
TRIES = 3
OK, NOT_FOUND, BAD_LENGTH = 0x9000, 0x6A82, 0x6700
BAD_PARAMETERS, BAD_INSTRUCTION, BAD_CLASS = 0x6A86, 0x6D00, 0x6E00
BEYOND, NOT_ALLOWED, BLOCKED, NO_FILE = 0x6B00, 0x6982, 0x6983, 0x6986
WRONG_KIND, NO_RECORD = 0x6981, 0x6A83


@dataclass(slots=True)
class _Elementary:
    """An EF: transparent, or of records of equal length."""

    data: bytearray
    record: int = 0
    """Length of a record; 0 when it is transparent."""
    protected: bool = False
    """Written only after VERIFY."""


@dataclass(slots=True)
class _Directory:
    name: bytes = b""
    files: dict[int, _Elementary | _Directory] = field(default_factory=dict)


def _file_system() -> _Directory:
    application = _Directory(
        AID,
        {
            0xEF01: _Elementary(bytearray(64)),
            0xEF02: _Elementary(bytearray(256), protected=True),
            0xEF03: _Elementary(bytearray(4 * 32), record=32, protected=True),
        },
    )
    return _Directory(files={0x2F02: _Elementary(bytearray(10)), 0x7F01: application})


class Chip:
    """One chip. Power and selection are lost when it leaves the contacts; files and the PIN's tries stay."""

    def __init__(self, atr: bytes = b"", seed: int = 0) -> None:
        self.atr = atr or ATR
        self._root = _file_system()
        self._random = Random(seed)
        self._tries = TRIES
        self.powered = False
        self._directory = self._root
        self._file: _Elementary | None = None
        self._verified = False
        self._waiting = b""

    def reset(self) -> bytes:
        """Power on, or reset; the ATR."""
        self.power_off()
        self.powered = True
        return self.atr

    def power_off(self) -> None:
        """Forget what was selected and verified."""
        self.powered = False
        self._directory, self._file, self._verified, self._waiting = self._root, None, False, b""

    def describe(self) -> dict[str, Any]:
        """Its files by path, in hexadecimal."""
        return {"atr": self.atr.hex().upper(), "files": dict(_walk(self._root, "3F00"))}

    def transmit(self, apdu: bytes) -> bytes:
        """The response to a short command APDU. Total on any bytes."""
        if not self.powered or len(apdu) < 4:
            return _words(BAD_LENGTH)
        data, le = b"", None
        if len(apdu) == 5:
            le = apdu[4] or 256
        elif len(apdu) > 5:
            length = apdu[4]
            data, rest = apdu[5 : 5 + length], apdu[5 + length :]
            if not length or len(data) != length or len(rest) > 1:
                return _words(BAD_LENGTH)
            le = (rest[0] or 256) if rest else None
        if apdu[0] & 0xFC:
            return _words(BAD_CLASS)
        command = _COMMANDS.get(apdu[1])
        if command is None:
            return _words(BAD_INSTRUCTION)
        if apdu[1] != 0xC0:
            self._waiting = b""
        found = command(self, apdu[2], apdu[3], data, le)
        return _words(found) if isinstance(found, int) else self._answer(found, le)

    def _answer(self, data: bytes, le: int | None) -> bytes:
        if not data:
            return _words(OK)
        if le is None:
            self._waiting = data
            return _words(0x6100 | len(data) & 0xFF)
        if le > len(data):
            return _words(0x6C00 | len(data) & 0xFF)
        self._waiting = data[le:]
        return data[:le] + _words(0x6100 | len(self._waiting) & 0xFF if self._waiting else OK)

    # --- commands --------------------------------------------------------------------------------------------------

    def _select(self, p1: int, p2: int, data: bytes, le: int | None) -> bytes | int:
        if p1 == 0x04:
            found = next((item for item in _directories(self._root) if item.name and item.name == data), None)
        elif p1 == 0x00 and data in (b"", b"\x3f\x00"):
            found = self._root
        elif p1 in (0x00, 0x01, 0x02) and len(data) == 2:
            return self._enter(self._directory, int.from_bytes(data))
        elif p1 in (0x08, 0x09) and data and len(data) % 2 == 0:
            return self._path(self._root if p1 == 0x08 else self._directory, data)
        else:
            return BAD_PARAMETERS
        if found is None:
            return NOT_FOUND
        self._directory, self._file, self._verified = found, None, False
        return _template(found)

    def _path(self, start: _Directory, data: bytes) -> bytes | int:
        self._directory = start
        answer: bytes | int = NOT_FOUND
        for at in range(0, len(data), 2):
            answer = self._enter(self._directory, int.from_bytes(data[at : at + 2]))
            if isinstance(answer, int):
                return answer
        return answer

    def _enter(self, directory: _Directory, identifier: int) -> bytes | int:
        found = directory.files.get(identifier)
        if found is None:
            return NOT_FOUND
        if isinstance(found, _Directory):
            self._directory, self._file, self._verified = found, None, False
        else:
            self._file = found
        return _template(found)

    def _read_binary(self, p1: int, p2: int, data: bytes, le: int | None) -> bytes | int:
        file, offset = self._file, p1 << 8 | p2
        if file is None or file.record:
            return NO_FILE if file is None else WRONG_KIND
        if offset >= len(file.data):
            return BEYOND
        return bytes(file.data[offset : offset + 256])[: None if le is None else max(le, 1)]

    def _update_binary(self, p1: int, p2: int, data: bytes, le: int | None) -> bytes | int:
        file, offset = self._file, p1 << 8 | p2
        if file is None or file.record:
            return NO_FILE if file is None else WRONG_KIND
        if file.protected and not self._verified:
            return NOT_ALLOWED
        if not data or offset + len(data) > len(file.data):
            return BEYOND if data else BAD_LENGTH
        file.data[offset : offset + len(data)] = data
        return OK

    def _record(self, p1: int, p2: int) -> tuple[_Elementary, int] | int:
        file = self._file
        if file is None or not file.record:
            return NO_FILE if file is None else WRONG_KIND
        if p2 & 7 != 4:
            return BAD_PARAMETERS
        if not 1 <= p1 <= len(file.data) // file.record:
            return NO_RECORD
        return file, (p1 - 1) * file.record

    def _read_record(self, p1: int, p2: int, data: bytes, le: int | None) -> bytes | int:
        found = self._record(p1, p2)
        return found if isinstance(found, int) else bytes(found[0].data[found[1] : found[1] + found[0].record])

    def _update_record(self, p1: int, p2: int, data: bytes, le: int | None) -> bytes | int:
        found = self._record(p1, p2)
        if isinstance(found, int):
            return found
        file, at = found
        if file.protected and not self._verified:
            return NOT_ALLOWED
        if len(data) != file.record:
            return BAD_LENGTH
        file.data[at : at + file.record] = data
        return OK

    def _verify(self, p1: int, p2: int, data: bytes, le: int | None) -> bytes | int:
        if not self._tries:
            return BLOCKED
        if not data:
            return 0x63C0 | self._tries
        if data != PIN:
            self._tries -= 1
            self._verified = False
            return 0x63C0 | self._tries if self._tries else BLOCKED
        self._tries, self._verified = TRIES, True
        return OK

    def _challenge(self, p1: int, p2: int, data: bytes, le: int | None) -> bytes | int:
        return self._random.randbytes(8 if le is None else le)

    def _get_response(self, p1: int, p2: int, data: bytes, le: int | None) -> bytes | int:
        return self._waiting or NO_FILE


_Command = Callable[[Chip, int, int, bytes, int | None], bytes | int]
_COMMANDS: dict[int, _Command] = {
    0xA4: Chip._select,
    0xB0: Chip._read_binary,
    0xD6: Chip._update_binary,
    0xB2: Chip._read_record,
    0xDC: Chip._update_record,
    0x20: Chip._verify,
    0x84: Chip._challenge,
    0xC0: Chip._get_response,
}


def _words(status: int) -> bytes:
    return status.to_bytes(2)


def _template(file: _Elementary | _Directory) -> bytes:
    """A file control template (7816-4, 5.3.3): what it is, and its size or name."""
    if isinstance(file, _Directory):
        inner = b"\x82\x01\x38" + (b"\x84" + bytes((len(file.name),)) + file.name if file.name else b"")
    else:
        kind = b"\x82\x01\x01" if not file.record else b"\x82\x03\x02\x21" + bytes((file.record,))
        inner = kind + b"\x80\x02" + len(file.data).to_bytes(2)
    return b"\x6f" + bytes((len(inner),)) + inner


def _directories(directory: _Directory) -> list[_Directory]:
    found = [directory]
    for item in directory.files.values():
        if isinstance(item, _Directory):
            found += _directories(item)
    return found


def _walk(directory: _Directory, path: str) -> list[tuple[str, str]]:
    found = []
    for identifier, item in directory.files.items():
        place = f"{path}/{identifier:04X}"
        found += _walk(item, place) if isinstance(item, _Directory) else [(place, bytes(item.data).hex().upper())]
    return found
