"""Text as a printer's bytes: which of its code pages or Chinese fonts has a character, and the fewest switches.

A printer reads bytes from 80h on either through a code page (ESC t n) or, in Chinese mode (FS &), as GB18030 pairs; it
never looks which one was meant. So every stretch is sent under its own mode, and ASCII goes under either.
"""

from __future__ import annotations

import codecs
import functools
import re
import unicodedata

from countertop.drivers.escpos.profiles import Profile
from countertop.sdk.receipt.cells import char_cells

__all__ = ["Alphabet", "TextEncoder", "alphabet_of"]

KANJI_ON, KANJI_OFF = b"\x1c&", b"\x1c."
_CACHED_CHARACTERS = 8192
_NO_BREAK_SPACE = "\u00a0"

# ASCII and what every GBK font has: most Chinese text is nothing else, and is encoded in one go.
_COMMON = re.compile("[ -~\u3000-\u3003\u4e00-\u9fa5\uff01-\uff5e]*").fullmatch

# GB2312 has these two, which Python's codec maps to other code points.
_GB2312_TOO = frozenset("·—")

Codes = bytes | tuple[tuple[int, bytes], ...] | None
"""A character's GB18030 bytes, or its byte in each code page that has it, or nothing."""


class Alphabet:
    """What a printer can print as text: ASCII, its code pages' narrow characters, its Chinese font's wide ones.

    The layout counts two cells for a character that is wide or whose width is ambiguous. Ambiguous punctuation (“ … —)
    is therefore printed with the Chinese font, as long as every such font has it (GB2312); ambiguous letters (é, я) are
    printed narrow from a code page, and take less room than was laid out. The other way round, what was laid out narrow
    but exists only in the Chinese font counts as missing: it would push the rest of its line out of place.
    """

    def __init__(self, code_pages: tuple[tuple[int, str], ...], kanji: str, four_byte: tuple[tuple[str, str], ...]):
        self._kanji = kanji
        self._gbk = kanji in ("gbk", "gb18030")
        self._four_byte = four_byte
        self._pages: dict[str, tuple[tuple[int, bytes], ...]] = {_NO_BREAK_SPACE: ((-1, b" "),)}
        for n, codec in code_pages:
            for byte in range(0x80, 0x100):
                char = codecs.decode(bytes((byte,)), codec, "ignore")
                if len(char) == 1 and not unicodedata.category(char).startswith(("C", "M", "Z")):
                    self._pages[char] = (*self._pages.get(char, ()), (n, bytes((byte,))))
        self.codes = functools.lru_cache(_CACHED_CHARACTERS)(self._codes)

    def has(self, text: str) -> bool:
        """Whether every character can be printed as text."""
        return (
            text.isascii() or self.common(text) or all(char < "\x7f" or self.codes(char) is not None for char in text)
        )

    def has_kanji(self, text: str) -> bool:
        """Whether a character of it is printed with the Chinese font."""
        if text.isascii():
            return False
        return self.common(text) or any(char > "\x7f" and isinstance(self.codes(char), bytes) for char in text)

    def common(self, text: str) -> bool:
        """Whether it holds nothing but ASCII and characters of the Chinese font."""
        return self._gbk and _COMMON(text) is not None

    def printed_cells(self, text: str) -> int:
        """Half-width cells that the printer moves on for a text that it `has`."""
        if text.isascii():
            return len(text)
        return len(text) + sum(char > "\x7f" and isinstance(self.codes(char), bytes) for char in text)

    def _codes(self, char: str) -> Codes:
        page = self._pages.get(char)
        if char_cells(char) < 2:
            return page
        chinese = self._chinese(char)
        if chinese is None or page is None:
            return chinese or page
        letter = unicodedata.category(char).startswith("L")
        return page if letter or _in_gb2312(char) is None else chinese

    def _chinese(self, char: str) -> bytes | None:
        if not self._kanji or unicodedata.category(char) in ("Co", "Cn"):
            return None
        if self._kanji == "gb2312":
            return _in_gb2312(char)
        code = char.encode("gb18030")
        if len(code) == 4:
            listed = self._kanji == "gb18030" and any(first <= char <= last for first, last in self._four_byte)
            return code if listed else None
        return code


def _in_gb2312(char: str) -> bytes | None:
    try:
        return char.encode("gbk" if char in _GB2312_TOO else "gb2312")
    except UnicodeEncodeError:
        return None


@functools.lru_cache(16)
def _alphabet(code_pages: tuple[tuple[int, str], ...], kanji: str, four_byte: tuple[tuple[str, str], ...]) -> Alphabet:
    return Alphabet(code_pages, kanji, four_byte)


def alphabet_of(profile: Profile) -> Alphabet:
    """The profile's alphabet; made once."""
    return _alphabet(profile.code_pages, profile.kanji, profile.four_byte)


class TextEncoder:
    """Encodes text and remembers the modes that the printer is in. None stands for a mode that is not known."""

    def __init__(self, alphabet: Alphabet, *, kanji: bool | None = None, page: int | None = None):
        self._alphabet = alphabet
        self.kanji = kanji
        self.page = page

    def encode(self, text: str) -> bytes:
        """The bytes of a text that the alphabet `has`."""
        if text.isascii():
            return text.encode("ascii")
        out = bytearray()
        if self._alphabet.common(text):
            if self.kanji is not True:
                out += KANJI_ON
                self.kanji = True
            out += text.encode("gb18030")
            return bytes(out)
        codes = self._alphabet.codes
        for char in text.replace(_NO_BREAK_SPACE, " "):
            if char < "\x7f":
                out += char.encode("ascii")
                continue
            code = codes(char)
            assert code is not None, "the alphabet has it"
            if isinstance(code, bytes):
                if self.kanji is not True:
                    out += KANJI_ON
                    self.kanji = True
                out += code
            else:
                if self.kanji is not False:
                    out += KANJI_OFF
                    self.kanji = False
                out += self._from_page(code)
        return bytes(out)

    def _from_page(self, code: tuple[tuple[int, bytes], ...]) -> bytes:
        for page, byte in code:
            if page == self.page:
                return byte
        self.page, byte = code[0]
        return bytes((0x1B, 0x74, self.page)) + byte
