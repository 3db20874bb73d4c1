"""Splits what a host sends into commands. Sans-IO, total on any bytes, of bounded memory.

A command is `ESC name [;parameter ...] CR`; the ESC may be missing after a CR, NULs between commands are padding. What
carries a bitmap is read by its length: it may hold any byte, and a CR follows it (programming guide A5013, section 3;
eight jobs of real drivers are framed so).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["BITS", "HEIGHT", "MAX_BITMAP", "MAX_TEXT", "WIDTH", "Command", "Tokenizer", "separators"]

HEIGHT, WIDTH = 1016, 648
"""Lines of a panel, and pixels of a line."""
BITS = {2: 1, 32: 5, 64: 6, 128: 7, 256: 8}
"""Bits of a pixel by levels. 256 is of newer firmware."""
MAX_TEXT = 256
MAX_BITMAP = HEIGHT * WIDTH * 2
"""Bytes that are kept of a bitmap; the longest that makes sense is a byte for each pixel, and as many for its runs."""
MAX_SKIPPED = 1 << 24
"""A bitmap that claims to be longer is no bitmap."""
MAX_LINES = 420
"""Of a partial bitmap that is not compressed."""
BMP_HEAD = 6
"""Bytes of a BMP file that tell that it is one, and its size."""
ESC, SEPARATOR, CR, NUL = 27, 59, 13, 0


@dataclass(frozen=True, slots=True)
class Command:
    """One command. The name is empty for one that was longer than MAX_TEXT."""

    name: str
    parameters: tuple[str, ...] = ()
    data: bytes = b""
    cut: bool = False
    """Its bitmap was longer than MAX_BITMAP, and is not here."""


def separators(parameters: tuple[str, ...]) -> tuple[int, int, int] | None:
    """The three characters that `Psc` sets; None when they cannot be set so."""
    if not parameters:
        return ESC, SEPARATOR, CR
    numbers = [int(text) for text in parameters if text.isdecimal() and 0 < int(text) < 256]
    if len(parameters) == 3 == len(set(numbers)):
        return numbers[0], numbers[1], numbers[2]
    return None


class Tokenizer:
    """Takes bytes as they come, gives commands."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: Command | None = None
        self._wanted = 0
        self._skipped = False
        self._overlong = False
        self.characters = (ESC, SEPARATOR, CR)

    @property
    def waiting(self) -> int:
        """Bytes that are kept for a command that is not complete."""
        return len(self._buffer)

    def clear(self) -> None:
        """Forget what is not complete."""
        self._buffer.clear()
        self._head, self._wanted, self._skipped, self._overlong = None, 0, False, False

    def reset(self) -> None:
        """Forget everything."""
        self.clear()
        self.characters = (ESC, SEPARATOR, CR)

    def feed(self, data: bytes) -> Iterator[Command]:
        """The commands that are complete now."""
        self._buffer += data
        while True:
            before = (len(self._buffer), self._overlong)
            if self._head is not None:
                command = self._bitmap(self._head)
            elif self._overlong:
                command = None
                self._skip_text()
            else:
                command = self._text()
            if command is not None:
                yield command
            elif (len(self._buffer), self._overlong) == before:
                return

    def _bitmap(self, head: Command) -> Command | None:
        """The bitmap that is waited for, once it is there."""
        if self._skipped:
            dropped = min(self._wanted, len(self._buffer))
            del self._buffer[:dropped]
            self._wanted -= dropped
            if self._wanted:
                return None
        if len(self._buffer) < self._wanted:
            return None
        data = bytes(self._buffer[: self._wanted])
        if head.name == "Dbmp" and self._wanted == BMP_HEAD and not self._skipped:
            size = int.from_bytes(data[2:], "little")
            if data[:2] == b"BM" and BMP_HEAD < size <= MAX_BITMAP:
                self._wanted = size
                return self._bitmap(head)
        del self._buffer[: self._wanted]
        command = Command(head.name, head.parameters, data, self._skipped)
        self._head, self._wanted, self._skipped = None, 0, False
        return command

    def _skip_text(self) -> None:
        """To the end of a text that is too long: a CR, or an ESC that begins another command."""
        escape, _, end = self.characters
        stops = [at for at in (self._buffer.find(end), self._buffer.find(escape)) if at >= 0]
        del self._buffer[: min(stops, default=len(self._buffer))]
        self._overlong = not stops

    def _text(self) -> Command | None:
        """A command of text; None when none is complete, or what was there is dropped or begins a bitmap."""
        escape, separator, end = self.characters
        start = 0
        while start < len(self._buffer) and self._buffer[start] in (NUL, end):
            start += 1
        del self._buffer[:start]  # padding
        start = int(self._buffer[:1] == bytes((escape,)))
        stop = next((at for at in range(start, len(self._buffer)) if self._buffer[at] in (escape, end)), -1)
        head = bytes(self._buffer[start : stop if stop >= 0 else start + MAX_TEXT + 1])
        if self._begins_bitmap(head[:MAX_TEXT], separator, start):
            return None
        if len(head) > MAX_TEXT:
            del self._buffer[:start]
            self._overlong = True
            return Command("")
        if stop < 0:
            return None
        if self._buffer[stop] == escape:  # cut off by another one
            del self._buffer[:stop]
            return None
        del self._buffer[: stop + 1]
        name, *parameters = head.decode("latin-1").split(chr(separator))
        command = Command(name, tuple(parameters))
        if name == "Psc":
            self.characters = separators(command.parameters) or self.characters
        return command

    def _begins_bitmap(self, head: bytes, separator: int, start: int) -> bool:
        """The head of a bitmap is complete: its bytes are waited for."""
        name, *rest = head.split(bytes((separator,)))
        fields, size_of = _BITMAPS.get(name, (0, _none))
        if not fields or len(rest) <= fields:
            return False
        parameters = tuple(field.decode("latin-1") for field in rest[:fields])
        size = size_of(parameters)
        if size is None or size > MAX_SKIPPED:
            return False
        del self._buffer[: start + len(name) + 1 + sum(len(field) + 1 for field in rest[:fields])]
        self._head = Command(name.decode("latin-1"), parameters)
        self._wanted, self._skipped = size, size > MAX_BITMAP
        return True


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else None


def _none(parameters: tuple[str, ...]) -> int | None:
    return None


def _panel(parameters: tuple[str, ...]) -> int | None:
    """`Db;panel;levels;`: a whole panel."""
    bits = BITS.get(_whole(parameters[1]) or 0)
    return None if bits is None else HEIGHT * WIDTH * bits // 8


def _counted(at: int) -> Callable[[tuple[str, ...]], int | None]:
    """The parameter that tells the number of bytes."""
    return lambda parameters: _whole(parameters[at])


def _lines(parameters: tuple[str, ...]) -> int | None:
    """`Dbp;panel;levels;first line;lines;`."""
    bits, lines = BITS.get(_whole(parameters[1]) or 0), _whole(parameters[3])
    return None if bits is None or lines is None or lines > MAX_LINES else lines * WIDTH * bits // 8


_BITMAPS: dict[bytes, tuple[int, Callable[[tuple[str, ...]], int | None]]] = {
    b"Db": (2, _panel),
    b"Dbc": (3, _counted(2)),
    b"Dbp": (4, _lines),
    b"Dbpc": (4, _counted(3)),
    b"Dbmp": (4, lambda parameters: BMP_HEAD),
}
"""How many parameters come before the bytes, and how many bytes these announce. A BMP file tells its own size."""
