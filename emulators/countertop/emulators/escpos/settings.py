"""What commands set and ESC @ resets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Codes", "Graphic", "Settings"]


@dataclass(slots=True)
class Settings:
    """The printer's settings, as after power-on."""

    align: int = 0
    left: int = 0
    width: int = 0
    """Width of the print area in dots; 0 for all that is right of `left`."""
    spacing: int = 30
    right_space: int = 0
    font_b: bool = False
    wide: int = 1
    high: int = 1
    bold: bool = False
    underline: int = 0
    inverted: bool = False
    upside_down: bool = False
    china: bool = False
    """The dollar sign is printed as a yuan sign (ESC R 15)."""
    kanji_wide: int = 1
    kanji_high: int = 1
    kanji_underline: int = 0
    kanji_left: int = 0
    kanji_right: int = 0
    tabs: tuple[int, ...] = tuple(range(8, 256, 8))
    selected: bool = True


@dataclass(frozen=True, slots=True)
class Graphic:
    """Packed rows as they came, and how many dots wide and high each of their dots becomes."""

    width: int
    height: int
    across: int
    down: int
    data: bytes


@dataclass(slots=True)
class Codes:
    """What barcodes and symbols will look like."""

    height: int = 162
    module: int = 3
    text_place: int = 0
    qr_module: int = 3
    qr_level: str = "L"
    qr_data: bytes = b""
    pdf_module: int = 3
    pdf_row: int = 3
    pdf_data: bytes = b""
    image: Graphic | None = None
    """The stored graphic of GS ( L."""
    downloaded: Any = None
    """The downloaded picture of GS *."""
    nv_images: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Pictures that stay when the power goes: columns, bytes a column, packed columns."""
