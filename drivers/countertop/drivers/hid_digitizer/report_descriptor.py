"""Report descriptors: what a HID device says of the shape of its reports (HID 1.11, 6.2.2).

Reading them never fails: it ends at the first item that makes no sense, and what was found by then counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import chain, islice

__all__ = ["Field", "ReportDescriptor", "ReportKind", "parse_report_descriptor", "read_bits"]

MAX_DESCRIPTOR = 0xFFFF
"""Bytes: wDescriptorLength has 16 bits."""
MAX_REPORT_BITS = 8 * 16384
"""The longest report that Linux takes."""
MAX_FIELDS = 1024
MAX_DEPTH = 32
"""Nested collections, and states on the stack of PUSH."""


class ReportKind(IntEnum):
    """Which way a report goes."""

    INPUT = 1
    OUTPUT = 2
    FEATURE = 3


@dataclass(frozen=True, slots=True)
class Field:
    """One value in a report, or an array of selectors (`is_array`)."""

    kind: ReportKind
    report_id: int
    """0 where reports are not numbered."""
    offset: int
    """First bit, counted from behind the report's id."""
    size: int
    """Bits of one value."""
    count: int
    """Values, one after another: 1 but for arrays."""
    usage: int
    """Usage page in the upper 16 bits, usage in the lower; of an array, the first that it selects from."""
    flags: int
    """The main item's data."""
    logical_minimum: int
    logical_maximum: int
    physical_minimum: int
    physical_maximum: int
    """Both physical limits are the logical ones where the device gives none."""
    unit: int
    exponent: int
    """The physical limits count in 10 ** exponent of the unit."""
    collections: tuple[int, ...]
    """Usages of the collections around it, the outermost first."""

    @property
    def is_array(self) -> bool:
        """Its values say which usages are on."""
        return not self.flags & 2

    @property
    def is_relative(self) -> bool:
        """Its values are changes."""
        return bool(self.flags & 4)


@dataclass(frozen=True, slots=True)
class ReportDescriptor:
    """What was found. Padding, and what has no usage, is left out."""

    fields: tuple[Field, ...]
    numbered: bool
    """Every report begins with a byte that is its id."""
    flaw: str = ""
    """Why reading ended before the end; empty when it did not."""


def parse_report_descriptor(data: bytes) -> ReportDescriptor:
    """Read a descriptor of at most 65535 bytes; total and bounded, whatever the bytes are."""
    parser, flaw = _Parser(), ""
    try:
        for item in _items(data):
            parser.take(item)
    except _FlawError as found:
        flaw = str(found)
    return ReportDescriptor(tuple(parser.fields), parser.numbered, flaw)


def read_bits(data: bytes, offset: int, size: int, *, signed: bool) -> int | None:
    """`size` bits from bit `offset`, least significant first (HID 1.11, 5.6 and 8.4); None when `data` is too short."""
    end = offset + size
    if size < 1 or end > 8 * len(data):
        return None
    part = int.from_bytes(data[offset // 8 : (end + 7) // 8], "little") >> offset % 8
    value = part & (1 << size) - 1
    return value - (1 << size) if signed and value >> (size - 1) else value


class _FlawError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class _Item:
    """A short item."""

    at: int
    kind: int
    """0 main, 1 global, 2 local."""
    tag: int
    data: bytes

    @property
    def unsigned(self) -> int:
        return int.from_bytes(self.data, "little")

    @property
    def signed(self) -> int:
        return int.from_bytes(self.data, "little", signed=True)


def _items(data: bytes) -> Iterator[_Item]:
    """Cut a descriptor into its items; long items (6.2.2.3), of which none is defined, are left out."""
    if len(data) > MAX_DESCRIPTOR:
        raise _FlawError(f"a descriptor of {len(data)} bytes")
    at = 0
    while at < len(data):
        prefix = data[at]
        if prefix == 0xFE:
            size, start = (data[at + 1] if at + 1 < len(data) else 0), at + 3
        else:
            size, start = (0, 1, 2, 4)[prefix & 3], at + 1
        if start + size > len(data):
            raise _FlawError(f"the item at byte {at} is cut off")
        if prefix != 0xFE:
            yield _Item(at, prefix >> 2 & 3, prefix >> 4, data[start : start + size])
        at = start + size


@dataclass(frozen=True, slots=True)
class _Globals:
    """The item state table (6.2.2.7). Limits are kept as items: how a maximum is read depends on its minimum."""

    page: int = 0
    size: int = 0
    count: int = 0
    report_id: int = 0
    unit: int = 0
    exponent: int = 0
    limits: tuple[_Item | None, ...] = (None, None, None, None)
    """Logical minimum, logical maximum, physical minimum, physical maximum."""

    def span(self, first: int) -> tuple[int, int]:
        """Minimum and maximum. Where the minimum is not negative, a maximum with the sign bit set is a large one: that
        is how most devices mean it.
        """
        low, high = self.limits[first], self.limits[first + 1]
        minimum = low.signed if low else 0
        if high is None:
            return minimum, 0
        return minimum, high.signed if minimum < 0 else high.unsigned


@dataclass(slots=True)
class _Locals:
    """Local items (6.2.2.8), which count up to the next main item."""

    usages: list[tuple[int, int, bool]] = field(default_factory=list)
    """First and last usage, and whether they bring their own page."""
    minimum: _Item | None = None
    alternatives: int | None = None
    """Usages seen in a set between delimiters, of which only the first, the preferred one, counts."""

    def add(self, first: int, last: int, *, own_page: bool) -> None:
        if self.alternatives is not None:
            self.alternatives += 1
            if self.alternatives > 1:
                return
        self.usages.append((first, last, own_page))

    def spread(self, page: int) -> Iterator[int]:
        """The usages one by one, with the page that is current at the main item."""
        return chain.from_iterable(
            range(first, last + 1) if own_page else range(page << 16 | first, (page << 16 | last) + 1)
            for first, last, own_page in self.usages
        )


class _Parser:
    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.numbered = False
        self._globals = _Globals()
        self._stack: list[_Globals] = []
        self._locals = _Locals()
        self._collections: list[int] = []
        self._lengths: dict[tuple[ReportKind, int], int] = {}

    def take(self, item: _Item) -> None:
        (self._main, self._global, self._local, self._reserved)[item.kind](item)

    def _reserved(self, item: _Item) -> None:
        raise _FlawError(f"the item at byte {item.at} is of a reserved type")

    def _main(self, item: _Item) -> None:
        kinds = {8: ReportKind.INPUT, 9: ReportKind.OUTPUT, 11: ReportKind.FEATURE}
        if item.tag in kinds:
            self._add(item, kinds[item.tag])
        elif item.tag == 10:
            if len(self._collections) == MAX_DEPTH:
                raise _FlawError(f"more than {MAX_DEPTH} collections in each other at byte {item.at}")
            self._collections.append(next(self._locals.spread(self._globals.page), 0))
        elif item.tag == 12:
            if not self._collections:
                raise _FlawError(f"no collection is open at byte {item.at}")
            self._collections.pop()
        self._locals = _Locals()

    def _global(self, item: _Item) -> None:
        state = self._globals
        match item.tag:
            case 0:
                self._globals = replace(state, page=item.unsigned & 0xFFFF)
            case 1 | 2 | 3 | 4:
                limits = list(state.limits)
                limits[item.tag - 1] = item
                self._globals = replace(state, limits=tuple(limits))
            case 5:
                self._globals = replace(state, exponent=_exponent(item))
            case 6:
                self._globals = replace(state, unit=item.unsigned)
            case 7:
                self._globals = replace(state, size=item.unsigned)
            case 8:
                if not 1 <= item.unsigned <= 255:
                    raise _FlawError(f"report id {item.unsigned} at byte {item.at}")
                self.numbered = True
                self._globals = replace(state, report_id=item.unsigned)
            case 9:
                self._globals = replace(state, count=item.unsigned)
            case 10:
                if len(self._stack) == MAX_DEPTH:
                    raise _FlawError(f"more than {MAX_DEPTH} states on the stack at byte {item.at}")
                self._stack.append(state)
            case 11:
                if not self._stack:
                    raise _FlawError(f"nothing on the stack at byte {item.at}")
                self._globals = self._stack.pop()

    def _local(self, item: _Item) -> None:
        here = self._locals
        match item.tag:
            case 0:
                here.add(item.unsigned, item.unsigned, own_page=len(item.data) == 4)
            case 1:
                here.minimum = item
            case 2 if here.minimum is not None:
                own_page = len(here.minimum.data) == 4
                last = item.unsigned if len(item.data) == 4 or not own_page else _on_page(here.minimum, item)
                here.add(here.minimum.unsigned, last if own_page else last & 0xFFFF, own_page=own_page)
                here.minimum = None
            case 10:
                here.alternatives = 0 if item.unsigned else None

    def _add(self, item: _Item, kind: ReportKind) -> None:
        state = self._globals
        start = self._lengths.get((kind, state.report_id), 0)
        if start + state.size * state.count > MAX_REPORT_BITS:
            raise _FlawError(f"a report longer than {MAX_REPORT_BITS // 8} bytes at byte {item.at}")
        self._lengths[kind, state.report_id] = start + state.size * state.count
        if item.unsigned & 1 or not state.size:  # constant: padding
            return
        logical, physical = state.span(0), state.span(2)
        if physical == (0, 0):
            physical = logical
        collections = tuple(self._collections)
        for number, (usage, count) in enumerate(self._elements(item)):
            if len(self.fields) == MAX_FIELDS:
                raise _FlawError(f"more than {MAX_FIELDS} fields")
            offset = start + number * state.size
            self.fields.append(
                Field(
                    kind,
                    state.report_id,
                    offset,
                    state.size,
                    count,
                    usage,
                    item.unsigned,
                    logical[0],
                    logical[1],
                    physical[0],
                    physical[1],
                    state.unit,
                    state.exponent,
                    collections,
                )
            )

    def _elements(self, item: _Item) -> Iterator[tuple[int, int]]:
        """Usage and count of each field; where there are fewer usages than values, the last is for all the rest."""
        count, usages = self._globals.count, self._locals.spread(self._globals.page)
        if not item.unsigned & 2:
            yield from ((usage, count) for usage in islice(usages, 1) if count)
            return
        last = None
        for _ in range(count):
            last = next(usages, last)
            if last is None:
                return
            yield last, 1


def _on_page(first: _Item, last: _Item) -> int:
    """A short usage maximum after a minimum that brought its page along."""
    return first.unsigned & 0xFFFF0000 | last.unsigned


def _exponent(item: _Item) -> int:
    """A nibble with a sign (6.2.2.7); many devices give a whole byte with a sign instead."""
    nibble = item.unsigned
    if nibble > 15:
        return item.signed
    return nibble - 16 if nibble > 7 else nibble
