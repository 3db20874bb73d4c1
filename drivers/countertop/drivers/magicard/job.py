"""Builds jobs. Sans-IO.

A job is one page for each side. A page is a leader of 05, `01 ,`, fields joined with commas, `1C`, the planes (bytes,
`1C`, letter, `:`) and `03` (`command.h` of the vendor's driver; a real job).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from countertop.drivers.magicard.bitmaps import COLOR_BITS, density, holes, packed

__all__ = [
    "ETX",
    "FS",
    "LEADER",
    "MAX_HOLES",
    "SOH",
    "Look",
    "Side",
    "TrackData",
    "encode_only",
    "job",
    "too_many_holes",
]

LEADER, SOH, FS, ETX = b"\x05" * 64, b"\x01", b"\x1c", b"\x03"
VERSION = "VER1.0-"
MAX_HOLES = 2
"""Rectangles that a page's overlay leaves free; the vendor's driver has room for as many."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is the same for all pages of a printer."""

    width: int
    height: int
    head: str
    position: int = 50
    """DDD: 50 is the middle of the head."""
    language: str = "ENG"
    icc: int | None = None
    power_color: int | None = None
    power_black: int | None = None
    power_overlay: int | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One side: arrays of (height, width), row 0 at the top; None for what is not printed."""

    rgb: Any | None = None
    black: Any | None = None
    overlay: Any | None = None

    @property
    def letters(self) -> str:
        """Its planes in the order in which they are sent; a side without any is sent as a white one."""
        return ("BGR" if self.rgb is not None else "") + ("K" if self.black is not None or self.rgb is None else "")

    @property
    def varnished(self) -> bool:
        """It has an overlay."""
        return self.overlay is not None and bool(self.overlay.any())


@dataclass(frozen=True, slots=True)
class TrackData:
    """One track of the stripe."""

    number: int
    bits_per_inch: int
    bits: int
    """Of a character."""
    text: str = field(repr=False)
    """With its sentinels."""
    high: bool
    """High coercivity."""

    def fields(self) -> list[str]:
        """`MAG1,BPI210,MPC7,COEH,%HELLO?`. Raises ValueError for what would end a field."""
        if not self.text.isascii() or not self.text.isprintable() or "," in self.text:
            raise ValueError(f"track {self.number}: expected printable ASCII without commas")
        coercivity = "COEH" if self.high else "COEL"
        return [f"MAG{self.number}", f"BPI{self.bits_per_inch}", f"MPC{self.bits}", coercivity, self.text]


def job(
    look: Look,
    front: Side,
    back: Side | None,
    tracks: Sequence[TrackData] = (),
    *,
    verify: bool,
    now: int,
    duplex: bool,
) -> bytes:
    """One card, printed, with its stripe. `now` is in seconds since 1970; `duplex`: the printer has the option."""
    head = ["NOC1", VERSION, f"LAN{look.language}", f"TDT{now & 0xFFFFFFFF:08X}", *_stripe(tracks, verify)]
    turning = ["DPXON" if back is not None else "DPXOFF"] if duplex else []
    format_of_back = [] if back is None else [f"BAC{_back_format(back)}"]
    pages = _page(look, [*head, look.head, *turning, *format_of_back, "PAG1"], front)
    if back is not None:
        pages += _page(look, ["NOC1", look.head, *turning, "PAG2"], back)
    return pages


def encode_only(look: Look, tracks: Sequence[TrackData], *, verify: bool, now: int, counted: str) -> bytes:
    """One card's stripe, and nothing printed. No comma stands before the `1C`: a firmware stumbles over it.

    `counted` is NOC0, with the cards in BBB, or NOC1, as the vendor's driver has it for Enduros.
    """
    copies = ["NOC0", "BBB1"] if counted == "NOC0" else ["NOC1"]
    head = [*copies, VERSION, f"LAN{look.language}", f"TDT{now & 0xFFFFFFFF:08X}"]
    return LEADER + SOH + b"," + ",".join([*head, *_stripe(tracks, verify), look.head]).encode("ascii") + FS + ETX


def too_many_holes(side: Side) -> bool:
    """Its overlay cannot be said by a page."""
    return side.overlay is not None and len(holes(side.overlay)) > MAX_HOLES


def _stripe(tracks: Sequence[TrackData], verify: bool) -> list[str]:
    fields = ["MGVON"] if tracks and verify else []
    return fields + [one for track in tracks for one in track.fields()]


def _back_format(back: Side) -> str:
    """CKO, CK, CO, C, KO, K: of colour, black, overlay."""
    color = "C" if back.rgb is not None else ""
    return color + ("K" if "K" in back.letters else "") + ("O" if back.varnished else "")


def _page(look: Look, fields: list[str], side: Side) -> bytes:
    planes = {letter: _plane(look, side, letter) for letter in side.letters}
    right, upper = look.width - 1, look.height - 1
    free = [] if side.overlay is None else holes(side.overlay)[:MAX_HOLES]
    powers = {"CPW": look.power_color, "KPW": look.power_black, "OPW": look.power_overlay, "ICC": look.icc}
    fields = [
        *fields,
        f"IMF{side.letters}",
        *("XCO0", "YCO0", f"WID{look.width}", f"HGT{look.height}"),
        *("OVRON" if side.varnished else "OVROFF", "NNNOFF", "USFOFF"),
        f"PCT0,0,{right},{upper}",
        *(f"NCT{left},{low},{last},{high}" for left, low, last, high in free),
        *(f"{name}{value}" for name, value in powers.items() if value is not None),
        f"DDD{look.position}",
        *(f"SZ{letter}{len(data)}" for letter, data in planes.items()),
    ]
    body = b"".join(data + FS + letter.encode("ascii") + b":" for letter, data in planes.items())
    return LEADER + SOH + b"," + ",".join(fields).encode("ascii") + FS + body + ETX


def _plane(look: Look, side: Side, letter: str) -> bytes:
    import numpy as np

    if letter != "K":
        return packed(density(side.rgb, letter), COLOR_BITS, look.head, look.position)
    black = np.zeros((look.height, look.width), bool) if side.black is None else side.black
    return packed(black, 1, look.head, look.position)
