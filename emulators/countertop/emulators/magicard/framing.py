"""Splits what a host sends into pages and queries. Sans-IO, total on any bytes, of bounded memory.

A page is `01`, fields with commas around them, `1C`, its planes and `03`; a query is a page whose fields are `REQ` and
a word. Each plane is as long as its `SZ` field says, and is followed by `1C`, its letter and `:`. Bytes between pages,
such as the leader of 05, mean nothing (a real job; the vendor's driver).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

__all__ = ["LETTERS", "MAX_HEADER", "MAX_PLANE", "RESYNC", "Broken", "Event", "Page", "Query", "Tokenizer"]

SOH, ETX, ENQ, FS = 0x01, 0x03, 0x05, 0x1C
LETTERS = "BGRK"
MAX_HEADER = 4096
MAX_PLANE = 1016 * 768 * 6 // 8
"""Bytes of the longest plane: 585,216."""
RESYNC = 16
"""So many 05 in a row begin anew after something that was no page."""
TRAILER = 3


@dataclass(frozen=True, slots=True)
class Query:
    """`REQ`, a word."""

    name: str


@dataclass(frozen=True, slots=True)
class Page:
    """One side, or a stripe alone."""

    fields: tuple[str, ...]
    planes: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """What came was no page: it is dropped, up to the next leader."""

    why: str


Event = Query | Page | Broken
_Step = Callable[[memoryview], tuple[int, Event | None]]


class Tokenizer:
    """Takes bytes as they come, gives events."""

    def __init__(self) -> None:
        self._step: _Step = self._between
        self._buffer = bytearray()
        self._fields: tuple[str, ...] = ()
        self._sizes: list[int] = []
        self._planes: dict[str, bytes] = {}
        self._leader = 0

    @property
    def in_page(self) -> bool:
        """It waits for the rest of a page."""
        return self._step not in (self._between, self._lost)

    @property
    def kept(self) -> int:
        """Bytes that are kept."""
        return len(self._buffer) + sum(map(len, self._planes.values()))

    def clear(self) -> None:
        """Forget what is not complete."""
        self._begin(self._between)

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that are complete now."""
        view = memoryview(data)
        while view:
            taken, event = self._step(view)
            view = view[taken:]
            if event is not None:
                yield event

    def _begin(self, step: _Step) -> None:
        self._step = step
        self._buffer.clear()
        self._fields, self._sizes, self._planes, self._leader = (), [], {}, 0

    def _drop(self, why: str) -> Broken:
        self._begin(self._lost)
        return Broken(why)

    # --- each takes some bytes, at least one, and tells how many ---------------------------------------------------

    def _between(self, view: memoryview) -> tuple[int, Event | None]:
        at = bytes(view).find(SOH)
        if at < 0:
            return len(view), None
        self._begin(self._header)
        return at + 1, None

    def _lost(self, view: memoryview) -> tuple[int, Event | None]:
        for at, byte in enumerate(view):
            self._leader = self._leader + 1 if byte == ENQ else 0
            if self._leader == RESYNC:
                self._begin(self._between)
                return at + 1, None
        return len(view), None

    def _header(self, view: memoryview) -> tuple[int, Event | None]:
        for at, byte in enumerate(view):
            if byte == FS:
                return at + 1, self._header_ends()
            if byte == SOH:  # one that was cut off, and another
                self._begin(self._header)
                return at + 1, None
            if byte == ENQ:  # cut off by a leader
                self._begin(self._between)
                return at + 1, None
            if len(self._buffer) == MAX_HEADER:
                return at + 1, self._drop("header")
            self._buffer.append(byte)
        return len(view), None

    def _header_ends(self) -> Event | None:
        names = self._buffer.decode("latin-1").split(",")
        self._buffer.clear()
        self._fields = tuple(name for name in names if name)
        sizes = [name[3:] for name in self._fields if len(name) > 3 and name[:2] == "SZ" and name[2] in LETTERS]
        if len(sizes) > len(LETTERS):
            return self._drop("sizes")
        for size in sizes:
            if not (size.isascii() and size.isdecimal() and len(size) < 9 and 0 < int(size) <= MAX_PLANE):
                return self._drop("sizes")
        self._sizes = [int(size) for size in sizes]
        self._step = self._plane if self._sizes else self._end
        return None

    def _plane(self, view: memoryview) -> tuple[int, Event | None]:
        """A plane and what follows it."""
        wanted = self._sizes[0] + TRAILER - len(self._buffer)
        self._buffer += view[:wanted]
        taken = min(wanted, len(view))
        if taken < wanted:
            return taken, None
        letter = chr(self._buffer[-2])
        if self._buffer[-3] != FS or letter not in LETTERS or self._buffer[-1] != ord(":") or letter in self._planes:
            return taken, self._drop("plane")
        self._planes[letter] = bytes(self._buffer[:-TRAILER])
        self._buffer.clear()
        self._sizes.pop(0)
        if not self._sizes:
            self._step = self._end
        return taken, None

    def _end(self, view: memoryview) -> tuple[int, Event | None]:
        if view[0] != ETX:
            return 1, self._drop("end")
        fields, planes = self._fields, self._planes
        self._begin(self._between)
        if fields[:1] == ("REQ",) and not planes:
            return 1, Query(fields[1] if len(fields) > 1 else "")
        return 1, Page(fields, planes)
