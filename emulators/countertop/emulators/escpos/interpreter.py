"""Carries out commands in order: settings, text, pictures, codes, cuts. Knows nothing of buffers, time or sensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from countertop.emulators.escpos.charset import TextDecoder
from countertop.emulators.escpos.composer import FONT_B, Composer
from countertop.emulators.escpos.models import FONT_A
from countertop.emulators.escpos.page import MAX_HEIGHT, Page
from countertop.emulators.escpos.paper import Roll
from countertop.emulators.escpos.settings import Codes, Settings
from countertop.emulators.escpos.symbols import SYMBOL_COMMANDS
from countertop.emulators.escpos.tokenizer import Token

__all__ = ["CUT", "Host", "Interpreter"]

CUT = -1
"""Yielded instead of dots: the next step moves the cutter."""


class Host(Protocol):
    """What the interpreter asks of the machine around it."""

    def reply(self, data: bytes) -> None:
        """Send to the client."""
        ...

    def command(self, name: str, raw: bytes) -> None:
        """A command about status, counters, drawer or identity: those whose name is in HOST_COMMANDS."""
        ...


HOST_COMMANDS = frozenset({"GS a", "GS g", "GS r", "GS I", "ESC p", "ESC u", "ESC v"})
_SKIPPED_WHEN_DESELECTED = frozenset({"ESC ="})


class Interpreter:
    """Executes tokens. `execute` is a generator: it yields the dots that it is about to print or feed (or CUT), and
    the machine resumes it when the paper may move.
    """

    def __init__(self, roll: Roll, host: Host, *, kanji: bool, four_bytes: bool, cutter_distance: int) -> None:
        self.roll = roll
        self.host = host
        self.codes = Codes()
        self.realtime_off: set[int] = {2}
        """Functions of DLE DC4 that GS ( D has disabled; 2, power-off, is disabled at power-on."""
        self._kanji = kanji
        self._four_bytes = four_bytes
        self._distance = cutter_distance
        self.settings = Settings()
        self.composer = Composer(roll, self.settings)
        self.decoder = TextDecoder(kanji=kanji, four_bytes=four_bytes)

    def initialise(self) -> None:
        """ESC @: settings, automatic status and the line in hand are gone; buffers and the roll stay."""
        self.host.command("ESC @", b"")
        self.settings = Settings()
        self.codes = Codes(nv_images=self.codes.nv_images)
        self.composer = Composer(self.roll, self.settings)
        self.decoder = TextDecoder(kanji=self._kanji, four_bytes=self._four_bytes)

    def execute(self, token: Token) -> Iterator[int]:
        """Carry out one token."""
        if not self.settings.selected and token.name not in _SKIPPED_WHEN_DESELECTED:
            return
        if token.name == "text":
            text = self.decoder.feed(token.raw)
            if self.settings.china:
                text = [("¥", False) if char == ("$", False) else char for char in text]
            yield from self.composer.characters(text)
            return
        lost = self.decoder.flush()
        if lost:
            yield from self.composer.characters(lost)
        if token.name in HOST_COMMANDS:
            self.host.command(token.name, token.raw)
            return
        setter = _SETTERS.get(token.name)
        if setter is not None:
            setter(self, token.raw)
            return
        mover = _MOVERS.get(token.name)
        if mover is not None:
            yield from mover(self, token.raw)

    # Setters that need more than a line

    def _print_mode(self, raw: bytes) -> None:
        n, settings = raw[2], self.settings
        settings.font_b, settings.bold = bool(n & 0x01), bool(n & 0x08)
        settings.high, settings.wide = 2 if n & 0x10 else 1, 2 if n & 0x20 else 1
        settings.underline = 1 if n & 0x80 else 0

    def _kanji_mode(self, raw: bytes) -> None:
        n, settings = raw[2], self.settings
        settings.kanji_wide, settings.kanji_high = 2 if n & 0x04 else 1, 2 if n & 0x08 else 1
        settings.kanji_underline = 1 if n & 0x80 else 0

    def _tab_stops(self, raw: bytes) -> None:
        self.settings.tabs = tuple(value for value in raw[2:] if value)

    def _next_tab(self, raw: bytes) -> None:
        cell = (FONT_B if self.settings.font_b else FONT_A)[0] * self.settings.wide
        stops = (stop * cell for stop in self.settings.tabs)
        self.composer.x = next((x for x in stops if x > self.composer.x), self.composer.x)

    def _absolute(self, raw: bytes) -> None:
        self._move_to(int.from_bytes(raw[2:4], "little"))

    def _relative(self, raw: bytes) -> None:
        self._move_to(self.composer.x + int.from_bytes(raw[2:4], "little", signed=True))

    def _move_to(self, x: int) -> None:
        """Places outside the print area are ignored (Epson)."""
        if 0 <= x <= self.composer.room:
            self.composer.x = x

    def _size(self, raw: bytes) -> None:
        """GS ! enlarges both fonts; of GS ! and FS ! the last one counts for Kanji (TM-T88III specification)."""
        settings, wide, high = self.settings, (raw[2] >> 4 & 7) + 1, (raw[2] & 7) + 1
        settings.wide, settings.high, settings.kanji_wide, settings.kanji_high = wide, high, wide, high

    def _quadruple(self, raw: bytes) -> None:
        self.settings.kanji_wide = self.settings.kanji_high = 2 if raw[2] & 1 else 1

    def _kanji_space(self, raw: bytes) -> None:
        self.settings.kanji_left, self.settings.kanji_right = raw[2], raw[3]

    def _bit_image(self, raw: bytes) -> None:
        from countertop.emulators.escpos.graphics import from_columns, scaled

        across, down, height_bytes = _BIT_IMAGES.get(raw[2], (0, 0, 0))
        if height_bytes and len(raw) > 5:
            black = from_columns(raw[5:], (len(raw) - 5) // height_bytes, height_bytes)
            self.composer.picture(scaled(black, across, down))

    def _page_mode(self, raw: bytes) -> None:
        if self.composer.empty and self.composer.page is None:
            self.composer.page = Page(self.roll.width)

    def _standard_mode(self, raw: bytes) -> None:
        self.composer.page = None
        self.composer.clear()

    def _direction(self, raw: bytes) -> None:
        if self.composer.page is not None:
            self.composer.settle()
            self.composer.x = 0
            self.composer.page.set_direction(raw[2])

    def _area(self, raw: bytes) -> None:
        if self.composer.page is not None:
            x, y, width, height = (int.from_bytes(raw[at : at + 2], "little") for at in (2, 4, 6, 8))
            self.composer.settle()
            self.composer.x = 0
            self.composer.page.set_area(x, y, width, height)

    def _page_y(self, raw: bytes) -> None:
        if self.composer.page is not None:
            self.composer.settle()
            self.composer.page.y = int.from_bytes(raw[2:4], "little")

    def _page_down(self, raw: bytes) -> None:
        if self.composer.page is not None:
            self.composer.settle()
            self.composer.page.move(int.from_bytes(raw[2:4], "little", signed=True))

    def _cancel_page(self, raw: bytes) -> None:
        if self.composer.page is not None:
            self.composer.clear()
            self.composer.page.clear()

    def set_up(self, raw: bytes) -> None:
        """GS ( D 14h (a b)...: enables or disables functions of DLE DC4."""
        if raw[5:6] == b"\x14":
            for function, state in zip(raw[6::2], raw[7::2], strict=False):
                if function in (1, 2):
                    (self.realtime_off.discard if state & 1 else self.realtime_off.add)(function)

    def respond(self, raw: bytes) -> None:
        """GS ( H fn 48 and 49: process id, offline response."""
        if (raw[5:7] == b"\x30\x30" and len(raw) >= 11) or (raw[5:7] == b"\x31\x30" and len(raw) >= 8):
            self.host.command("GS ( H", raw)

    # Movers that need more than a line

    def _feed_lines(self, raw: bytes) -> Iterator[int]:
        if not self.composer.empty:
            yield from self.composer.line(spacing=None if raw[2] else 0)
            yield from self.composer.feed(max(0, raw[2] - 1) * self.settings.spacing)
        else:
            yield from self.composer.feed(raw[2] * self.settings.spacing)

    def _form_feed(self, raw: bytes) -> Iterator[int]:
        page = self.composer.page
        if page is None:
            return
        yield from self._print_page()
        self.composer.page = None

    def _print_page(self, raw: bytes = b"") -> Iterator[int]:
        page = self.composer.page
        if page is None:
            return
        if not self.composer.empty:
            yield from self.composer.line()
        black, lines = page.finished(), page.lines
        self.composer.page = None
        for index, line in enumerate(lines or [""]):
            yield 0
            if index or line:
                self.roll.write(line)
        for top in range(0, len(black), 24):
            part = black[top : top + 24]
            yield len(part)
            self.roll.put(part)
        self.composer.page = page

    def _raster(self, raw: bytes) -> Iterator[int]:
        from countertop.emulators.escpos.graphics import from_rows, scaled

        if len(raw) < 8:
            return
        mode, width, height = raw[3] & 3, int.from_bytes(raw[4:6], "little"), int.from_bytes(raw[6:8], "little")
        if not width or not height:
            return
        if self.composer.page is not None:
            height = most = min(height, MAX_HEIGHT)  # what is below the page is lost
        else:
            most = _RASTER_ROWS  # unpacked at a time; the pieces are one picture to the text
        for top in range(0, height, most):
            rows = raw[8 + top * width : 8 + (top + most) * width]
            black = from_rows(rows, width, min(most, height - top), self.composer.room)
            yield from self.composer.raster(scaled(black, 1 + (mode & 1), 1 + (mode >> 1)))

    def _cut(self, raw: bytes) -> Iterator[int]:
        if len(raw) > 2 and raw[2] not in _CUTS:  # ESC i and ESC m have no parameter
            return
        if not self.composer.empty:
            yield from self.composer.line()
        if len(raw) == 4:
            yield from self.composer.feed(self._distance + raw[3])
        yield CUT
        self.composer.end_picture()
        self.roll.cut(self._distance)


def _set(field: str, mask: int = 0xFF) -> Callable[[Interpreter, bytes], None]:
    """A setter of a number."""
    return lambda self, raw: setattr(self.settings, field, raw[2] & mask)


def _flag(field: str) -> Callable[[Interpreter, bytes], None]:
    """A setter of the lowest bit."""
    return lambda self, raw: setattr(self.settings, field, bool(raw[2] & 1))


def _word(field: str) -> Callable[[Interpreter, bytes], None]:
    """A setter of a 16-bit number."""
    return lambda self, raw: setattr(self.settings, field, int.from_bytes(raw[2:4], "little"))


def _at_line_start(setter: Callable[[Interpreter, bytes], None]) -> Callable[[Interpreter, bytes], None]:
    """A setter that counts only at the beginning of a line (Epson)."""
    return lambda self, raw: setter(self, raw) if self.composer.empty else None


def _code(field: str) -> Callable[[Interpreter, bytes], None]:
    """A setter of how codes look."""
    return lambda self, raw: setattr(self.codes, field, raw[2])


def _decoder(field: str, value: object) -> Callable[[Interpreter, bytes], None]:
    return lambda self, raw: setattr(self.decoder, field, value)


_CUTS = frozenset({0, 1, 48, 49, 65, 66, 97, 98, 103, 104})
"""What m of GS V may be; with any other the command is ignored."""
_RASTER_ROWS = 240
_BIT_IMAGES = {0: (2, 3, 1), 1: (1, 3, 1), 32: (2, 1, 3), 33: (1, 1, 3)}
"""ESC * m: times as wide, times as high, bytes a column."""

_SETTERS: dict[str, Callable[[Interpreter, bytes], None]] = {
    "HT": Interpreter._next_tab,
    "CAN": Interpreter._cancel_page,
    "ESC @": lambda self, raw: self.initialise(),
    "ESC !": Interpreter._print_mode,
    "ESC  ": _set("right_space"),
    "ESC -": _set("underline", 0x03),
    "ESC 2": lambda self, raw: setattr(self.settings, "spacing", 30),
    "ESC 3": _set("spacing"),
    "ESC =": _flag("selected"),
    "ESC D": Interpreter._tab_stops,
    "ESC E": _flag("bold"),
    "ESC G": _flag("bold"),
    "ESC M": _flag("font_b"),
    "ESC R": lambda self, raw: setattr(self.settings, "china", raw[2] == 15),
    "ESC L": Interpreter._page_mode,
    "ESC S": Interpreter._standard_mode,
    "ESC T": Interpreter._direction,
    "ESC W": Interpreter._area,
    "ESC a": _at_line_start(_set("align", 0x03)),
    "ESC t": lambda self, raw: setattr(self.decoder, "page", raw[2]),
    "ESC {": _at_line_start(_flag("upside_down")),
    "ESC $": Interpreter._absolute,
    "ESC \\": Interpreter._relative,
    "ESC *": Interpreter._bit_image,
    "FS &": _decoder("kanji", True),
    "FS .": _decoder("kanji", False),
    "FS !": Interpreter._kanji_mode,
    "FS -": _set("kanji_underline", 0x03),
    "FS W": Interpreter._quadruple,
    "FS S": Interpreter._kanji_space,
    "GS !": Interpreter._size,
    "GS $": Interpreter._page_y,
    "GS \\": Interpreter._page_down,
    "GS B": _flag("inverted"),
    "GS L": _at_line_start(_word("left")),
    "GS W": _at_line_start(_word("width")),
    "GS H": _code("text_place"),
    "GS h": _code("height"),
    "GS w": _code("module"),
}
_MOVERS: dict[str, Callable[[Interpreter, bytes], Iterator[int]]] = {
    "LF": lambda self, raw: self.composer.line(),
    "FF": Interpreter._form_feed,
    "ESC 0C": Interpreter._print_page,
    "ESC J": lambda self, raw: self.composer.feed(raw[2]),
    "ESC d": Interpreter._feed_lines,
    "ESC i": Interpreter._cut,
    "ESC m": Interpreter._cut,
    "GS V": Interpreter._cut,
    "GS v": Interpreter._raster,
    **SYMBOL_COMMANDS,
}
