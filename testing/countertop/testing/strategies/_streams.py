"""Byte streams as links deliver them: cut anywhere, mixed with others, damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from hypothesis import strategies as st

from countertop.testing.strategies._readable import Labelled

__all__ = ["Damage", "cuts", "damaged", "interleavings"]

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True, repr=False)
class Damage(Labelled):
    """What happened to a stream of bytes."""

    kind: str
    """"flipped", "dropped", "doubled", "inserted" or "cut off"."""
    at: int
    """The first byte that is not as it was, from 0."""
    size: int
    """How many bytes; of "flipped", which bit, 0 to 7."""

    def __repr__(self) -> str:
        if self.kind == "flipped":
            return f"<bit {self.size} of byte {self.at} flipped>"
        return f"<cut off at byte {self.at}>" if self.kind == "cut off" else f"<{self.size} {self.kind} at {self.at}>"


def cuts(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """`data` in chunks, none of them empty, whose join is `data`: whole, byte by byte, or cut at any places. Shrinks to
    fewer cuts, nearer to the beginning. Of no data there are no chunks.
    """
    if len(data) < 2:
        return st.just([data] if data else [])
    places = st.sets(st.integers(1, len(data) - 1), min_size=1, max_size=min(len(data) - 1, 12))
    single = [data[at : at + 1] for at in range(len(data))]
    return st.just([data]) | st.just(single) | places.map(lambda chosen: _at(data, sorted(chosen)))


def _at(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *places, len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def interleavings(*streams: Sequence[Part]) -> st.SearchStrategy[list[tuple[int, Part]]]:
    """Every part of every stream once, as (number of its stream from 0, part); each stream's own order is kept.
    Shrinks to one stream behind the other.
    """
    turns = [number for number, stream in enumerate(streams) for _ in stream]

    def dealt(order: Sequence[int]) -> list[tuple[int, Part]]:
        left = [iter(stream) for stream in streams]
        return [(number, next(left[number])) for number in order]

    return st.permutations(turns).map(dealt)


def damaged(data: bytes, *, most: int = 16) -> st.SearchStrategy[tuple[bytes, Damage]]:
    """(bytes, damage): `data` with a bit flipped, up to `most` bytes dropped, doubled or inserted, or its end cut off.
    Never as it was. Of no data there is only what is inserted.
    """
    insertions = st.builds(
        lambda at, extra: (data[:at] + extra + data[at:], Damage("inserted", at, len(extra))),
        st.integers(0, len(data)),
        st.binary(min_size=1, max_size=most),
    )
    if not data:
        return insertions
    at = st.integers(0, len(data) - 1)
    size = st.integers(1, most)
    return st.one_of(
        st.builds(lambda at, bit: _flipped(data, at, bit), at, st.integers(0, 7)),
        st.builds(lambda at, size: _dropped(data, at, size), at, size),
        st.builds(lambda at, size: _doubled(data, at, size), at, size),
        insertions,
        st.builds(lambda at: (data[:at], Damage("cut off", at, len(data) - at)), at),
    )


def _flipped(data: bytes, at: int, bit: int) -> tuple[bytes, Damage]:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :], Damage("flipped", at, bit)


def _dropped(data: bytes, at: int, size: int) -> tuple[bytes, Damage]:
    size = min(size, len(data) - at)
    return data[:at] + data[at + size :], Damage("dropped", at, size)


def _doubled(data: bytes, at: int, size: int) -> tuple[bytes, Damage]:
    size = min(size, len(data) - at)
    return data[: at + size] + data[at:], Damage("doubled", at, size)
