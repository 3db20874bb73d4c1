"""A laid-out receipt as the printer's bytes, cut where the driver may stop, ask or give up."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from countertop.drivers.escpos.codes import native_barcode, native_symbol
from countertop.drivers.escpos.modes import Modes
from countertop.drivers.escpos.profiles import Profile
from countertop.drivers.escpos.protocol import AUTOMATIC_STATUS_ON, INITIALIZE
from countertop.drivers.escpos.raster import strips, trimmed
from countertop.drivers.escpos.text import KANJI_OFF, TextEncoder, alphabet_of
from countertop.sdk.receipt import code_bitmap, rasterise_line, rule_bitmap, symbol_bitmap, text_below
from countertop.sdk.receipt.ir import (
    Bitmap,
    CodeItem,
    CutItem,
    FeedItem,
    Item,
    Layout,
    PictureItem,
    RuleItem,
    Style,
    SymbolItem,
    TextLine,
    TextRun,
)

__all__ = ["Chunk", "Encoded", "encode", "feed", "preamble"]

_LF = b"\n"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole commands of one block, or a strip of a picture in it.

    `blocks` is how many blocks of the receipt are complete once the chunk is printed; `dots` how much paper it feeds.
    """

    blocks: int
    data: bytes
    dots: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """A receipt, ready to be sent."""

    chunks: tuple[Chunk, ...]
    dots: int
    rasterised_lines: int
    missing_glyphs: int


def preamble(profile: Profile) -> bytes:
    """Brings any printer to the same start, whatever a job before left behind."""
    parts = [INITIALIZE, AUTOMATIC_STATUS_ON]
    if profile.disable_realtime:  # GS ( D: those commands in picture data are not carried out
        pairs = b"".join(bytes((function, 0)) for function in profile.disable_realtime)
        parts.append(struct.pack("<3sHB", b"\x1d(D", len(pairs) + 1, 20) + pairs)
    if profile.motion_units:  # GS P: else ESC J and ESC 3 count in 1/360 or 1/406 inch on some models
        parts.append(bytes((0x1D, 0x50, profile.dpi & 0xFF, profile.dpi & 0xFF)))
    parts.append(KANJI_OFF)  # Chinese models start in Chinese mode
    if profile.kanji:
        parts.append(b"\x1cS\x00\x00")  # no space between Chinese characters
    parts.append(b"\x1bR\x00")  # ASCII as in the USA: Chinese models may print a yen sign for the dollar
    return b"".join(parts)


def feed(dots: int) -> bytes:
    """ESC J, as often as needed."""
    whole, rest = divmod(dots, 255)
    return b"\x1bJ\xff" * whole + (bytes((0x1B, 0x4A, rest)) if rest else b"")


def encode(
    layout: Layout, profile: Profile, *, raster_text: bool = False, cut_feed: int = 0, strip_bytes: int = 4096
) -> Encoded:
    """The receipt's bytes for this printer, the preamble left out.

    `raster_text` prints all text as pictures; `cut_feed` is paper in dots, 0 to 255, fed beyond the cutter;
    `strip_bytes` bounds one strip of a picture beside the profile's own bound.
    """
    encoder = _Encoder(layout, profile, raster_text, cut_feed, strip_bytes)
    previous: Item | None = None
    for item in layout.items:
        if previous is not None and item.block != previous.block:
            encoder.end_of_block(item.block)
        encoder.add(item)
        previous = item
    encoder.finish()
    return Encoded(tuple(encoder.chunks), encoder.dots, encoder.rasterised_lines, encoder.missing_glyphs)


class _Encoder:
    """Turns items into commands, and commands into chunks."""

    def __init__(self, layout: Layout, profile: Profile, raster_text: bool, cut_feed: int, strip_bytes: int):
        self.chunks: list[Chunk] = []
        self.dots = 0
        self.rasterised_lines = 0
        self.missing_glyphs = 0
        self._blocks = layout.blocks
        self._paper = layout.paper
        self._profile = profile
        self._alphabet = alphabet_of(profile)
        self._text = TextEncoder(self._alphabet, kanji=False)
        self._raster_text = raster_text
        self._cut_feed = cut_feed
        self._out = bytearray()
        self._modes = Modes(self._out)
        self._out_dots = 0
        self._done = 0
        self._cut = False
        self._rules: dict[int, Bitmap] = {}
        self._strip_bytes = strip_bytes

    # -- chunks --

    def end_of_block(self, next_block: int) -> None:
        """All before this block is complete."""
        self._done = next_block
        self._flush()

    def finish(self) -> None:
        """All is complete."""
        if not self._cut and self._profile.cutter == "none":
            dots = round(self._profile.tear_off_mm * self._profile.dpi / 25.4)
            self._feed(dots)
        self._done = self._blocks
        self._flush()

    def _flush(self) -> None:
        if self._out or not self.chunks:
            self.chunks.append(Chunk(self._done, bytes(self._out), self._out_dots))
            self._out.clear()
            self._out_dots = 0

    def _feed(self, dots: int) -> None:
        self._out += feed(dots)
        self._advance(dots)

    def _advance(self, dots: int) -> None:
        self._out_dots += dots
        self.dots += dots

    # -- items --

    def add(self, item: Item) -> None:
        """Append one item."""
        _ADD[type(item)](self, item)

    def _add_line(self, line: TextLine) -> None:
        if self._raster_text and line.runs:
            self._add_drawn_line(line)
            return
        for run in line.runs:
            if not self._printable(run.text, run.style):
                self._add_drawn_line(line)
                return
        modes, out, position = self._modes, self._out, 0
        pitch = line.height + self._paper.line_gap
        modes.margin(0)
        modes.spacing(pitch)
        last = len(line.runs) - 1
        for index, run in enumerate(line.runs):
            if run.style is not modes.current:
                modes.style(run.style)
            if run.x != position:
                out += struct.pack("<2sH", b"\x1b$", run.x)
            if not run.text.isascii() and self._alphabet.has_kanji(run.text):
                modes.kanji_underline(run.style.underline)
            out += self._text.encode(run.text)
            if index < last:
                position = run.x + self._printed_width(run)
        out += _LF
        if pitch > 255:
            out += feed(pitch - 255)
        self._advance(pitch)

    def _printed_width(self, run: TextRun) -> int:
        """Dots that the printer moves on. Chinese characters of the small font are as wide as those of font A."""
        style, cells = run.style, self._alphabet.printed_cells(run.text)
        if not style.small:
            return cells * self._paper.cell[0] * style.width
        wide = cells - len(run.text)
        return ((len(run.text) - wide) * self._paper.small_cell[0] + wide * 2 * self._paper.cell[0]) * style.width

    def _printable(self, text: str, style: Style) -> bool:
        if text.isascii():
            return True
        if not self._alphabet.has(text):
            return False
        scale = max(style.width, style.height)
        return scale <= self._profile.kanji_scale or not self._alphabet.has_kanji(text)

    def _add_drawn_line(self, line: TextLine) -> None:
        bitmap, missing = rasterise_line(line, self._paper)
        self.missing_glyphs += missing
        self.rasterised_lines += 1
        self._add_bitmap(0, trimmed(bitmap))
        self._feed(max(0, line.height + self._paper.line_gap - bitmap.height))

    def _add_picture(self, item: PictureItem) -> None:
        self._add_bitmap(item.x, item.bitmap)

    def _add_rule(self, item: RuleItem) -> None:
        bitmap = self._rules.get(item.style)
        if bitmap is None:
            bitmap = self._rules[item.style] = rule_bitmap(item, self._paper)
        self._add_bitmap(0, bitmap)

    def _add_symbol(self, item: SymbolItem) -> None:
        native = native_symbol(item, self._profile)
        if native is None:
            self._add_bitmap(item.x, symbol_bitmap(item))
        else:
            self._modes.margin(item.x)
            self._out += native
            self._advance(item.height)

    def _add_code(self, item: CodeItem) -> None:
        native = native_barcode(item, self._profile)
        if native is None:
            self._add_bitmap(item.x, code_bitmap(item))
            if item.text_below:
                self._add_line(text_below(item, self._paper))
        else:
            self._modes.margin(item.x)
            self._out += native
            self._advance(item.height + item.text_below * self._paper.cell[1])

    def _add_feed(self, item: FeedItem) -> None:
        self._feed(item.dots)

    def _add_cut(self, item: CutItem) -> None:
        cutter = self._profile.cutter
        if cutter == "none":
            return
        full = cutter == "full" or (item.full and cutter == "both")
        # GS V 65 and 66 feed the last line past the cutter first; 0 and 1 would cut through it
        self._out += bytes((0x1D, 0x56, 65 if full else 66, self._cut_feed))
        self._cut = True

    def _add_bitmap(self, x: int, bitmap: Bitmap) -> None:
        if not bitmap.width:
            self._feed(bitmap.height)
            return
        self._modes.margin(x)
        max_rows = max(1, min(self._profile.strip_rows, self._strip_bytes // bitmap.stride))
        for command, rows in strips(bitmap, self._profile.raster, max_rows, self._profile.disable_realtime):
            if self._out and len(self._out) + len(command) > self._strip_bytes:
                self._flush()
            self._out += command
            self._advance(rows)


_ADD: dict[type, Callable[..., None]] = {
    TextLine: _Encoder._add_line,
    PictureItem: _Encoder._add_picture,
    RuleItem: _Encoder._add_rule,
    SymbolItem: _Encoder._add_symbol,
    CodeItem: _Encoder._add_code,
    FeedItem: _Encoder._add_feed,
    CutItem: _Encoder._add_cut,
}
