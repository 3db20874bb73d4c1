"""From bytes to characters: code pages, and GB18030 while Kanji mode is on. Keeps half a character between pieces."""

from __future__ import annotations

__all__ = ["CODE_PAGES", "Char", "TextDecoder"]

Char = tuple[str, bool]
"""A character, and whether it comes from the two-byte font, in which all are twice as wide."""

CODE_PAGES: dict[int, str] = {
    0: "cp437",
    1: "katakana",
    2: "cp850",
    3: "cp860",
    4: "cp863",
    5: "cp865",
    13: "cp857",
    14: "cp737",
    15: "iso8859-7",
    16: "cp1252",
    17: "cp866",
    18: "cp852",
    19: "cp858",
    20: "cp874",
    32: "cp720",
    33: "cp775",
    34: "cp855",
    36: "cp862",
    37: "cp864",
    40: "iso8859-15",
    45: "cp1250",
    46: "cp1251",
    47: "cp1253",
    48: "cp1254",
    49: "cp1255",
    50: "cp1256",
    51: "cp1257",
    52: "cp1258",
}
"""ESC t n (Epson's numbers) and Python's codecs. Page 1 has half-width Katakana and box-drawing parts."""

_BOXES = dict(zip(range(0x80, 0xA0), "▁▂▃▄▅▆▇█▏▎▍▌▋▊▉┼┴┬┤├▔─│▕┌┐└┘╭╮╰╯", strict=True))
LACKING = "\N{WHITE SQUARE}"
"""Printed for bytes that stand for nothing."""


class TextDecoder:
    """Decodes text bytes (20h and above). `kanji` and `page` may change between two pieces."""

    def __init__(self, *, kanji: bool, four_bytes: bool) -> None:
        self.kanji = kanji
        self.page = 0
        self._four_bytes = four_bytes
        self._pending = b""

    def feed(self, data: bytes) -> list[Char]:
        """The characters that end in `data`."""
        if not self.kanji:
            return [*self.flush(), *((self._single(value), False) for value in data)]
        text: list[Char] = []
        at = 0
        data, self._pending = self._pending + data, b""
        while at < len(data):
            size = self._size(data, at)
            if at + size > len(data):
                self._pending = data[at:]
                break
            text.append((self._single(data[at]), False) if size == 1 else (self._double(data[at : at + size]), True))
            at += size
        return text

    def flush(self) -> list[Char]:
        """A command comes: half a character is lost."""
        lost, self._pending = bool(self._pending), b""
        return [(LACKING, False)] * lost

    def _size(self, data: bytes, at: int) -> int:
        if not 0x81 <= data[at] <= 0xFE:
            return 1
        four = self._four_bytes and at + 1 < len(data) and 0x30 <= data[at + 1] <= 0x39
        return 4 if four else 2

    def _single(self, value: int) -> str:
        if value < 0x80:
            return chr(value) if value != 0x7F else LACKING
        codec = CODE_PAGES.get(self.page, "cp437")
        if codec == "katakana":
            if value in _BOXES:
                return _BOXES[value]
            codec = "cp932" if 0xA1 <= value <= 0xDF else "cp437"
        try:
            return bytes([value]).decode(codec)
        except UnicodeDecodeError:
            return LACKING

    @staticmethod
    def _double(data: bytes) -> str:
        try:
            return data.decode("gb18030")
        except UnicodeDecodeError:
            return LACKING
