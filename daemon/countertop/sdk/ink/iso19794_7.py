"""Ink as an ISO/IEC 19794-7:2007 full format record.

Layout: "SDI" and a zero byte, " 10" and a zero byte, the channels (16 bits), for each channel from the highest bit down
one byte of attributes and their values, a reserved byte; then a byte of flags, the number of points (24 bits), and per
point 16 bits a channel, all big-endian. X, Y, TX and TY are signed and stored with 32768 added. A value divided by its
channel's scaling is in millimetres (X, Y), milliseconds (T) or degrees (TX, TY).

Decided where the standard leaves room: X, Y, T and S are always there, F and tilt when every point has them. Each
stroke ends with one more sample at its last point, with S = 0. T has the finest power-of-two scaling in which the last
point fits 16 bits, a millisecond or better up to 65 s. F has no scaling, since pads do not measure newtons; its maximum
attribute is the pad's highest level. Coordinates beyond 32767 are halved until they fit, and the scaling says so. How
wide S is, and whether a constant channel states its value, differs among writers: `from_iso` takes both as parameters;
S is written in 16 bits, as the one public implementation reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp

from countertop.v1.ink_pb2 import Ink, InkPoint, InkSpace

__all__ = ["IsoFormatError", "from_iso", "to_iso"]

_MAGIC = b"SDI\0 10\0"
_CHANNELS = ("X", "Y", "Z", "VX", "VY", "AX", "AY", "T", "DT", "F", "S", "TX", "TY", "Az", "El", "R")
"""From bit 15 down."""
_SIGNED = frozenset({"X", "Y", "Z", "VX", "VY", "AX", "AY", "TX", "TY"})
_SCALING, _MIN, _MAX, _MEAN, _DEVIATION, _CONSTANT, _LINEAR = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02
_TILT_SCALING = 64.0
MOST_POINTS = 0xFFFFFF


class IsoFormatError(ValueError):
    """The record is not one that can be read; the message names the place."""


@dataclass(frozen=True, slots=True)
class _Channel:
    name: str
    values: Sequence[int]
    scaling: float = 0.0
    limits: tuple[int, int] | None = None


def to_iso(ink: Ink) -> bytes:
    """The record."""
    samples: list[tuple[InkPoint, int]] = []
    for stroke in ink.strokes:
        samples += [(point, 1) for point in stroke.points]
        samples += [(point, 0) for point in stroke.points[-1:]]
    channels = _channels(ink.space, [point for point, _ in samples], [down for _, down in samples])
    included = sum(1 << (15 - _CHANNELS.index(channel.name)) for channel in channels)
    head = bytearray(_MAGIC) + included.to_bytes(2, "big")
    for channel in channels:
        head += _description(channel)
    head += b"\0\0" + len(samples).to_bytes(3, "big")
    stored = [[_stored(channel.name, value) for value in channel.values] for channel in channels]
    body = bytearray()
    for row in zip(*stored, strict=True):
        for value in row:
            body += value.to_bytes(2, "big")
    return bytes(head + body)


def from_iso(data: bytes, *, switch_bytes: int = 2, constant_has_value: bool = False) -> Ink:
    """Read a record of any writer that has X, Y and T or DT. `switch_bytes`: width of S, 1 or 2; `constant_has_value`:
    a channel with the constant attribute states its value in 16 bits.

    The space is as large as the ink reaches. Raises IsoFormatError.
    """
    reader = _Reader(data)
    if reader.take(8, "the identifier") != _MAGIC:
        raise IsoFormatError('expected the record to begin with "SDI" and version 10')
    included = reader.number(2, "the channels")
    names = [name for bit, name in enumerate(_CHANNELS) if included >> (15 - bit) & 1]
    if "X" not in names or "Y" not in names or not {"T", "DT"} & set(names):
        raise IsoFormatError("expected the channels X, Y and T or DT")
    described = {name: _described(reader, name, constant_has_value) for name in names}
    reader.take(1, "the reserved byte")
    flags = reader.number(1, "the flags")
    count = reader.number(3, "the number of points")
    present = [name for name in names if described[name].constant is None]
    widths = {name: switch_bytes if name == "S" else 2 for name in present}
    if count * sum(widths.values()) > reader.left:
        raise IsoFormatError(f"expected {count} points of {sum(widths.values())} bytes, got {reader.left} bytes")
    if count and not widths:
        raise IsoFormatError(f"expected a channel that is not constant for {count} points")  # points of no bytes at all
    rows = []
    for index in range(count):
        row = {name: found.constant or 0 for name, found in described.items() if found.constant is not None}
        row |= {name: reader.number(width, f"point {index}") for name, width in widths.items()}
        rows.append({name: _meant(name, value) for name, value in row.items()})
    if flags & 0x80:
        reader.take(reader.number(2, "the length of extended data"), "extended data")
    if reader.left:
        raise IsoFormatError(f"expected the end after the points, got {reader.left} bytes")
    return _ink(described, rows)


# -- writing --


def _channels(space: InkSpace, points: list[InkPoint], downs: list[int]) -> list[_Channel]:
    shift = 0
    while any(not -32768 <= value >> shift <= 32767 for point in points for value in (point.x, point.y)):
        shift += 1
    per_mm = (space.units_per_mm or 1.0) / 2**shift
    xs, ys = [point.x >> shift for point in points], [point.y >> shift for point in points]
    last_ms = max((point.time_us for point in points), default=0) / 1000
    time_scaling = 2.0 ** min(10, _floor_power(65535 / last_ms) if last_ms else 10)
    found = [
        _Channel("X", xs, per_mm, (min(xs, default=0), max(xs, default=0))),
        _Channel("Y", ys, per_mm, (min(ys, default=0), max(ys, default=0))),
        _Channel("T", [min(65535, round(point.time_us / 1000 * time_scaling)) for point in points], time_scaling),
    ]
    if points and all(point.HasField("pressure") for point in points):
        levels = min(max(space.pressure_levels, 2), 65536) - 1
        found.append(_Channel("F", [round(point.pressure * levels) for point in points], limits=(0, levels)))
    found.append(_Channel("S", downs))
    if points and all(point.HasField("tilt_x") and point.HasField("tilt_y") for point in points):
        found.append(_Channel("TX", [round(point.tilt_x * _TILT_SCALING) for point in points], _TILT_SCALING))
        found.append(_Channel("TY", [round(point.tilt_y * _TILT_SCALING) for point in points], _TILT_SCALING))
    return found


def _floor_power(value: float) -> int:
    """The greatest k with 2**k <= value."""
    return frexp(value)[1] - 1


def _description(channel: _Channel) -> bytes:
    flags, values = 0, b""
    if channel.scaling:
        flags |= _SCALING
        values += _scaling_code(channel.scaling).to_bytes(2, "big")
    if channel.limits is not None:
        flags |= _MIN | _MAX
        values += b"".join(_stored(channel.name, limit).to_bytes(2, "big") for limit in channel.limits)
    return bytes([flags]) + values


def _scaling_code(scaling: float) -> int:
    """5 bits of exponent with 16 added, 11 bits of fraction: (1 + f / 2048) * 2 ** (e - 16)."""
    mantissa, exponent = frexp(scaling)
    fraction = round((mantissa * 2 - 1) * 2048)
    exponent += 15 + fraction // 2048
    if not 0 <= exponent <= 31:
        raise ValueError(f"expected a scaling between 2**-16 and 2**16, got {scaling:g}")
    return exponent << 11 | fraction % 2048


def _stored(name: str, value: int) -> int:
    return value + 32768 if name in _SIGNED else value


# -- reading --


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int, what: str) -> bytes:
        if count > self.left:
            raise IsoFormatError(f"expected {count} bytes of {what} at byte {self._at}, got {self.left}")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int, what: str) -> int:
        return int.from_bytes(self.take(size, what), "big")


@dataclass(slots=True)
class _Described:
    scaling: float = 1.0
    maximum: int | None = None
    constant: int | None = None


def _described(reader: _Reader, name: str, constant_has_value: bool) -> _Described:
    flags = reader.number(1, f"the attributes of {name}")
    if flags & 1:
        raise IsoFormatError(f"expected the reserved bit of the attributes of {name} to be 0")
    if flags & _LINEAR:
        raise IsoFormatError(f"a linear component was taken out of {name}, which cannot be undone")
    found = _Described()
    if flags & _SCALING:
        code = reader.number(2, f"the scaling of {name}")
        found.scaling = (1 + (code & 0x7FF) / 2048) * 2.0 ** ((code >> 11) - 16)
    for flag in (_MIN, _MAX, _MEAN, _DEVIATION):
        if flags & flag:
            value = reader.number(2, f"an attribute of {name}")
            if flag == _MAX:
                found.maximum = _meant(name, value)
    if flags & _CONSTANT:
        found.constant = reader.number(2, f"the constant of {name}") if constant_has_value else _stored(name, 0)
    return found


def _meant(name: str, value: int) -> int:
    return value - 32768 if name in _SIGNED else value


def _ink(described: dict[str, _Described], rows: list[dict[str, int]]) -> Ink:
    per_mm = described["X"].scaling
    levels = (described["F"].maximum or 65535) if "F" in described else 0
    ink = Ink(space=InkSpace(units_per_mm=per_mm, pressure_levels=levels + 1 if levels else 0))
    ink.space.width = max([0, *(row["X"] for row in rows)]) + 1
    ink.space.height = max([0, *(row["Y"] for row in rows)]) + 1
    elapsed, down = 0, False
    for row in rows:
        elapsed = row["T"] if "T" in row else elapsed + row["DT"]
        if not row.get("S", 1):
            down = False
            continue
        if not down:
            ink.strokes.add()
            down = True
        point = ink.strokes[-1].points.add(
            x=row["X"],
            y=row["Y"],
            x_mm=row["X"] / per_mm,
            y_mm=row["Y"] / described["Y"].scaling,
            time_us=round(elapsed / described["T" if "T" in row else "DT"].scaling * 1000),
        )
        if levels:
            point.pressure = min(1.0, row["F"] / levels)
        if "TX" in row:
            point.tilt_x = row["TX"] / described["TX"].scaling
        if "TY" in row:
            point.tilt_y = row["TY"] / described["TY"].scaling
    return ink
