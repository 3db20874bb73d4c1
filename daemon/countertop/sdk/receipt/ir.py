"""What the layout engine makes and every back end prints: things placed on paper, in dots.

Pure data. `x` is counted in dots from the left edge of the printable width; items stand below each other in order.
Every item names the index of the receipt's block that it belongs to, so that a printer can say which block it reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from countertop.v1.receipt_pb2 import BarcodeSymbology, ErrorCorrection, RuleStyle, SymbolKind

__all__ = [
    "Bitmap",
    "CodeItem",
    "CutItem",
    "FeedItem",
    "Item",
    "Layout",
    "Paper",
    "PictureItem",
    "RuleItem",
    "Style",
    "SymbolItem",
    "TextLine",
    "TextRun",
]


@dataclass(frozen=True, slots=True)
class Paper:
    """The geometry that text is laid out for."""

    width_dots: int = 576
    """Printable width, 128 to 1024."""
    dpi: int = 203
    cell: tuple[int, int] = (12, 24)
    """Width and height in dots of a half-width character of font A; an East Asian wide character is twice as wide."""
    small_cell: tuple[int, int] = (9, 17)
    """The same for font B. Wide characters are as in font A."""
    line_gap: int = 6
    """Blank dots below a line of text: ESC/POS's default line spacing is 30 dots for 24-dot text."""

    @property
    def columns(self) -> int:
        """Half-width columns of font A."""
        return self.width_dots // self.cell[0]

    def dots(self, mm: float) -> int:
        """Millimetres in dots, rounded."""
        return round(mm * self.dpi / 25.4)


@dataclass(frozen=True, slots=True)
class Style:
    """How text looks. `width` and `height` are 1 to 8."""

    bold: bool = False
    underline: bool = False
    inverted: bool = False
    width: int = 1
    height: int = 1
    small: bool = False


@dataclass(frozen=True, slots=True)
class TextRun:
    """Text in one style at one place of a line; never holds a control character."""

    x: int
    text: str
    style: Style


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text, its runs from left to right without overlap. `height` in dots, without the line gap."""

    block: int
    runs: tuple[TextRun, ...]
    height: int


@dataclass(frozen=True, slots=True)
class Bitmap:
    """1 bit a dot, rows from the top, each padded to whole bytes, most significant bit left, 1 is black."""

    width: int
    height: int
    rows: bytes = field(repr=False)

    @property
    def stride(self) -> int:
        """Bytes a row."""
        return (self.width + 7) // 8


@dataclass(frozen=True, slots=True)
class PictureItem:
    """A picture, already dithered to the width that it takes. Wider than the paper never happens."""

    block: int
    x: int
    bitmap: Bitmap


@dataclass(frozen=True, slots=True)
class CodeItem:
    """A barcode. `height` and `module` in dots; `width` in dots is what it will take, quiet zones left out."""

    block: int
    x: int
    width: int
    height: int
    symbology: BarcodeSymbology
    data: str
    module: int
    text_below: bool


@dataclass(frozen=True, slots=True)
class SymbolItem:
    """A code of two dimensions; `width` and `height` in dots are what it will take, quiet zones left out."""

    block: int
    x: int
    width: int
    height: int
    kind: SymbolKind
    data: str
    module: int
    error_correction: ErrorCorrection


@dataclass(frozen=True, slots=True)
class RuleItem:
    """A line across the whole printable width."""

    block: int
    style: RuleStyle


@dataclass(frozen=True, slots=True)
class FeedItem:
    """Blank paper, in dots."""

    block: int
    dots: int


@dataclass(frozen=True, slots=True)
class CutItem:
    """A cut."""

    block: int
    full: bool


Item = TextLine | PictureItem | CodeItem | SymbolItem | RuleItem | FeedItem | CutItem


@dataclass(frozen=True, slots=True)
class Layout:
    """A receipt, placed. `blocks` is the number of blocks of the receipt that it was made from."""

    paper: Paper
    items: tuple[Item, ...]
    blocks: int
