"""What may be kept of a page's fields."""

from __future__ import annotations

import re

__all__ = ["MAX_PLANE", "masked_fields", "plane_sizes"]

MAX_PLANE = 1 << 24
"""Bytes. No plane is longer than 600,000."""
_MOST_PLANES = 4
_SIZE = re.compile(rb"SZ[BGRK](\d{1,8})")
_TIME = re.compile(rb"TDT[0-9A-F]{8}")
_KNOWN = re.compile(
    rb"|(?:NOC|BBB|BPI|MPC|PAG|WID|HGT|XCO|YCO|PCT|NCT|CPW|KPW|OPW|ICC|DDD)-?\d{1,5}|\d{1,5}|MAG[123]|COE[HL]"
    rb"|VER[\d.]{1,6}-?|LAN[A-Z]{3}|(?:MGV|DPX|OVR)(?:ON|OFF)|NNNOFF|USFOFF|BACC?K?O?|IMF[BGRK]{1,4}|SZ[BGRK]\d{1,8}"
    rb"|K[EG]E[124]?|REQ|ERR|CAN|OKY|CLN"
)
"""Fields that the driver makes, beside tracks and the time; an empty one stands at the beginning of all."""


def plane_sizes(fields: bytes) -> list[int] | None:
    """Bytes of each plane that follows; None for sizes that cannot be."""
    found = [_SIZE.fullmatch(field) for field in fields.split(b",") if field.startswith(b"SZ")]
    sizes = [int(size[1]) for size in found if size is not None]
    fits = len(sizes) == len(found) <= _MOST_PLANES and all(0 < size <= MAX_PLANE for size in sizes)
    return sizes if fits else None


def masked_fields(fields: bytes) -> bytes:
    """The same fields at the same places: those that are known, zeros for a track and the time, x for others."""
    return b",".join(map(_masked, fields.split(b",")))


def _masked(field: bytes) -> bytes:
    if _KNOWN.fullmatch(field):
        return field
    if _TIME.fullmatch(field):
        return b"TDT" + b"0" * 8
    if field[:1] in (b"%", b";", b"+"):
        last = b"?" if len(field) > 1 and field.endswith(b"?") else b"0" * (len(field) > 1)
        return field[:1] + b"0" * (len(field) - 1 - len(last)) + last
    return b"x" * len(field)
