"""How long each ESC/POS command is: tables, and one function for each command whose length depends on its bytes.

Lengths count the whole command, prefix included. Sources: Epson's ESC/POS command reference, and the tokenizer tables
of EscPosUtils.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["MAX_COMMAND_BYTES", "MORE", "command_length"]

MORE = -1
"""More bytes must come before the length is known."""

MAX_COMMAND_BYTES = 4 * 1024 * 1024
"""A longer command is swallowed without being kept; the bytes behind it are framed right all the same."""

DLE, ESC, FS, GS = 0x10, 0x1B, 0x1C, 0x1D
_UNKNOWN = 2
_LONGEST_OLD_BARCODE = 256
_LONGEST_COUNTER = 64

Length = Callable[[bytes | bytearray], int]


def _table(**lengths: str) -> dict[int, int]:
    return {ord(char): int(name[1:]) for name, chars in lengths.items() for char in chars}


_FIXED: dict[int, dict[int, int]] = {
    ESC: _table(n2="2<@LSimqv\x0c", n3=" !%-3=?CEFGJKMRTUVadertu{", n4="$\\fc", n5="p", n10="W"),
    FS: _table(n2="&.Lbc", n3="!-CW", n4="?Spa"),
    GS: _table(n2=":c", n3="!/BEHITabfhjrw", n4="$LPW\\", n5="^z"),
    DLE: {0x05: 3},
}


def _le(data: bytes | bytearray, at: int, size: int = 2) -> int:
    """A little-endian number; MORE when it has not wholly come."""
    return int.from_bytes(data[at : at + size], "little") if len(data) >= at + size else MORE


def _counted(at: int, size: int = 2) -> Length:
    """A count of `size` bytes at `at`, and so many bytes behind it."""

    def length(data: bytes | bytearray) -> int:
        count = _le(data, at, size)
        return MORE if count == MORE else at + size + count

    return length


def _tabs(data: bytes | bytearray) -> int:
    """ESC D: ends at NUL, at a value that does not grow, or after 32."""
    last = 0
    for index in range(2, len(data)):
        value = data[index]
        if value == 0 or index - 2 == 32:
            return index + 1
        if value <= last:
            return index
        last = value
    return MORE


def _bit_image(data: bytes | bytearray) -> int:
    """ESC * m nL nH d1..dk."""
    columns = _le(data, 3)
    return MORE if columns == MORE else 5 + columns * {0: 1, 1: 1, 32: 3, 33: 3}.get(data[2], 0)


def _user_characters(data: bytes | bytearray) -> int:
    """ESC & y c1 c2 [x d1..d(y*x)] for each character."""
    if len(data) < 5:
        return MORE
    at, height = 5, data[2]
    for _ in range(data[3], data[4] + 1):
        if len(data) <= at:
            return MORE
        at += 1 + height * data[at]
        if at > MAX_COMMAND_BYTES:
            break
    return at


def _nv_images(data: bytes | bytearray) -> int:
    """FS q n [xL xH yL yH d1..dk] for each image, k = x * y * 8."""
    if len(data) < 3:
        return MORE
    at = 3
    for _ in range(data[2]):
        x, y = _le(data, at), _le(data, at + 2)
        if y == MORE:
            return MORE
        at += 4 + x * y * 8
        if at > MAX_COMMAND_BYTES:
            break
    return at


def _user_memory(data: bytes | bytearray) -> int:
    """FS g 1 and FS g 2."""
    if len(data) < 3:
        return MORE
    if data[2] not in (1, 0x31):
        return 10
    count = _le(data, 8)
    return MORE if count == MORE else 10 + count


def _cut(data: bytes | bytearray) -> int:
    """GS V m [n]."""
    if len(data) < 3:
        return MORE
    return 4 if data[2] in (65, 66, 97, 98, 103, 104) else 3


def _barcode(data: bytes | bytearray) -> int:
    """GS k: NUL-ended in its old form (m 0 to 6), counted in its new one (m 65 to 79)."""
    if len(data) < 3:
        return MORE
    if data[2] <= 6:
        end = data.find(0, 3, 3 + _LONGEST_OLD_BARCODE)
        if end < 0:
            return MORE if len(data) < 3 + _LONGEST_OLD_BARCODE else 3
        return end + 1
    if 65 <= data[2] <= 79:
        return MORE if len(data) < 4 else 4 + data[3]
    return 3


def _raster(data: bytes | bytearray) -> int:
    """GS v 0 m xL xH yL yH d and GS Q 0 m xL xH yL yH d, x in bytes."""
    if len(data) < 3:
        return MORE
    if data[2] not in (0, 0x30):
        return 3
    x, y = _le(data, 4), _le(data, 6)
    return MORE if y == MORE else 8 + x * y


def _downloaded(data: bytes | bytearray) -> int:
    """GS * x y d, x * y * 8 bytes."""
    return MORE if len(data) < 4 else 4 + data[2] * data[3] * 8


def _counter_font(data: bytes | bytearray) -> int:
    """GS C 0, 1, 2 of fixed length; GS C ; with five fields that end in a semicolon."""
    if len(data) < 3:
        return MORE
    if data[2] != 0x3B:
        return {0: 5, 0x30: 5, 1: 9, 0x31: 9, 2: 5, 0x32: 5}.get(data[2], 3)
    at = 2
    for _ in range(6):
        at = data.find(b";", at, _LONGEST_COUNTER) + 1
        if at == 0:
            return MORE if len(data) < _LONGEST_COUNTER else 3
    return at


def _bitmap_file(data: bytes | bytearray) -> int:
    """GS D m fn kc1 kc2 b c, then a BMP file that tells its size."""
    size = _le(data, 10, 4)
    return MORE if size == MORE else 8 + max(size, 6)


def _eot(data: bytes | bytearray) -> int:
    if len(data) < 3:
        return MORE
    return 4 if data[2] in (0, 7, 8, 18) else 3


def _dc4(data: bytes | bytearray) -> int:
    if len(data) < 3:
        return MORE
    return {1: 5, 2: 5, 3: 8, 7: 4, 8: 10}.get(data[2], 3)


def _user_kanji(data: bytes | bytearray) -> int:
    """FS 2 c1 c2 and 72 bytes: a character of 24 by 24 dots."""
    return 76


_VARIABLE: dict[int, dict[int, Length]] = {
    ESC: {ord("D"): _tabs, ord("*"): _bit_image, ord("&"): _user_characters, ord("("): _counted(3)},
    FS: {ord("2"): _user_kanji, ord("q"): _nv_images, ord("g"): _user_memory, ord("("): _counted(3)},
    GS: {
        ord("V"): _cut,
        ord("k"): _barcode,
        ord("v"): _raster,
        ord("Q"): _raster,
        ord("*"): _downloaded,
        ord("("): _counted(3),
        ord("8"): _counted(3, 4),
        ord("g"): lambda data: 6,
        ord("C"): _counter_font,
        ord("D"): _bitmap_file,
    },
    DLE: {0x04: _eot, 0x14: _dc4},
}


def command_length(data: bytes | bytearray) -> int:
    """The length of the command that `data` begins with (DLE, ESC, FS or GS), or MORE.

    Two bytes for what is not known: the printer swallows them.
    """
    if len(data) < 2:
        return MORE
    prefix, code = data[0], data[1]
    if code in _FIXED[prefix]:
        return _FIXED[prefix][code]
    variable = _VARIABLE[prefix].get(code)
    return _UNKNOWN if variable is None else variable(data)
