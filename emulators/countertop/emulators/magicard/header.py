"""What a page's fields say. A field that is not known is passed over."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Header", "HeaderError", "TrackWrite", "parse"]

MAX_COPIES = 100
_DENSITIES = {1: (210, 7), 2: (75, 5), 3: (210, 5)}
"""Bits an inch and bits of a character that a track has by itself (ISO/IEC 7811-6)."""
_SENTINELS = "%;+"
_SWITCHES = {"DPX", "OVR", "MGV"}


class HeaderError(ValueError):
    """A field that is known says something that cannot be."""


@dataclass(frozen=True, slots=True)
class TrackWrite:
    """A track to write."""

    number: int
    text: str
    """Without sentinels."""
    bits_per_inch: int
    bits: int


Area = tuple[int, int, int, int]
"""Left, lower, right, upper edge, both included; from the lower left corner of the picture."""


@dataclass(slots=True)
class Header:
    """One page's."""

    copies: int = 1
    encode_only: bool = False
    page: int = 1
    duplex: bool = False
    back_only: bool = False
    language: str = ""
    width: int = 1016
    height: int = 642
    position: int = 50
    overlay: bool = False
    areas: list[Area] = field(default_factory=list)
    holes: list[Area] = field(default_factory=list)
    tracks: list[TrackWrite] = field(default_factory=list)
    verify: bool = False
    high: bool = True


def parse(fields: tuple[str, ...]) -> Header:
    """Raises HeaderError that names the field."""
    header = Header()
    rest = list(fields)
    while rest:
        name = rest.pop(0)
        key, value = name[:3], name[3:]
        if key in _NUMBERS:
            attribute, least, most = _NUMBERS[key]
            setattr(header, attribute, _whole(key, value, least, most))
        elif key in _SWITCHES and value in ("ON", "OFF"):
            setattr(header, {"DPX": "duplex", "OVR": "overlay", "MGV": "verify"}[key], value == "ON")
        elif key in ("PCT", "NCT"):
            area = [value, *rest[:3]]
            del rest[:3]
            (header.areas if key == "PCT" else header.holes).append(_area(key, area))
        elif name in ("COEH", "COEL"):
            header.high = name == "COEH"
        elif name == "BSO":
            header.back_only = True
        elif key == "LAN":
            header.language = value
        elif key == "BBB":
            header.encode_only, header.copies = True, _whole(key, value, 1, MAX_COPIES)
        elif key == "MAG":
            header.tracks.append(_track(header, value, rest))
    header.encode_only = header.encode_only or not header.copies
    header.copies = max(1, header.copies)
    return header


_NUMBERS = {
    "NOC": ("copies", 0, MAX_COPIES),
    "PAG": ("page", 1, 2),
    "WID": ("width", 1, 1016),
    "HGT": ("height", 1, 672),
    "DDD": ("position", 0, 100),
}


def _whole(key: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and least <= int(text) <= most):
        raise HeaderError(f"{key}: expected a whole number from {least} to {most}")
    return int(text)


def _area(key: str, texts: list[str]) -> Area:
    if len(texts) != 4:
        raise HeaderError(f"{key}: expected four numbers")
    left, low, right, high = (_whole(key, text, 0, 2000) for text in texts)
    return left, low, right, high


def _track(header: Header, value: str, rest: list[str]) -> TrackWrite:
    """The fields up to the data, which begins with a sentinel. Raises HeaderError without any of the data."""
    number = _whole("MAG", value, 1, 3)
    per_inch, bits = _DENSITIES[number]
    while rest:
        text = rest.pop(0)
        if text.startswith("BPI"):
            per_inch = _whole("BPI", text[3:], 75, 210)
        elif text.startswith("MPC"):
            bits = _whole("MPC", text[3:], 1, 7)
        elif text in ("COEH", "COEL"):
            header.high = text == "COEH"
        elif text[0] in _SENTINELS and text.endswith("?") and len(text) > 1:
            return TrackWrite(number, text[1:-1], per_inch, bits)
        else:
            break
    raise HeaderError(f"MAG{number}: expected data with its sentinels")
