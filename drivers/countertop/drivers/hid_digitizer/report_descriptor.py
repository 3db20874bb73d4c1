"""Report descriptors: what a HID device says of the shape of its reports (HID 1.11, 6.2.2).

Reading them never fails: it ends at the first item that makes no sense, and what was found by then counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import islice

from countertop.drivers.hid_digitizer.descriptor_items import FlawError, Globals, Item, Locals, exponent, items, on_page

__all__ = ["Field", "ReportDescriptor", "ReportKind", "parse_report_descriptor", "read_bits"]

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
        for item in items(data):
            parser.take(item)
    except FlawError as found:
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


class _Parser:
    def __init__(self) -> None:
        self.fields: list[Field] = []
        self.numbered = False
        self._globals = Globals()
        self._stack: list[Globals] = []
        self._locals = Locals()
        self._collections: list[int] = []
        self._lengths: dict[tuple[ReportKind, int], int] = {}

    def take(self, item: Item) -> None:
        (self._main, self._global, self._local, self._reserved)[item.kind](item)

    def _reserved(self, item: Item) -> None:
        raise FlawError(f"the item at byte {item.at} is of a reserved type")

    def _main(self, item: Item) -> None:
        kinds = {8: ReportKind.INPUT, 9: ReportKind.OUTPUT, 11: ReportKind.FEATURE}
        if item.tag in kinds:
            self._add(item, kinds[item.tag])
        elif item.tag == 10:
            if len(self._collections) == MAX_DEPTH:
                raise FlawError(f"more than {MAX_DEPTH} collections in each other at byte {item.at}")
            self._collections.append(next(self._locals.spread(self._globals.page), 0))
        elif item.tag == 12:
            if not self._collections:
                raise FlawError(f"no collection is open at byte {item.at}")
            self._collections.pop()
        self._locals = Locals()

    def _global(self, item: Item) -> None:
        state = self._globals
        match item.tag:
            case 0:
                self._globals = replace(state, page=item.unsigned & 0xFFFF)
            case 1 | 2 | 3 | 4:
                limits = list(state.limits)
                limits[item.tag - 1] = item
                self._globals = replace(state, limits=tuple(limits))
            case 5:
                self._globals = replace(state, exponent=exponent(item))
            case 6:
                self._globals = replace(state, unit=item.unsigned)
            case 7:
                self._globals = replace(state, size=item.unsigned)
            case 8:
                if not 1 <= item.unsigned <= 255:
                    raise FlawError(f"report id {item.unsigned} at byte {item.at}")
                self.numbered = True
                self._globals = replace(state, report_id=item.unsigned)
            case 9:
                self._globals = replace(state, count=item.unsigned)
            case 10:
                if len(self._stack) == MAX_DEPTH:
                    raise FlawError(f"more than {MAX_DEPTH} states on the stack at byte {item.at}")
                self._stack.append(state)
            case 11:
                if not self._stack:
                    raise FlawError(f"nothing on the stack at byte {item.at}")
                self._globals = self._stack.pop()

    def _local(self, item: Item) -> None:
        here = self._locals
        match item.tag:
            case 0:
                here.add(item.unsigned, item.unsigned, own_page=len(item.data) == 4)
            case 1:
                here.minimum = item
            case 2 if here.minimum is not None:
                own_page = len(here.minimum.data) == 4
                last = item.unsigned if len(item.data) == 4 or not own_page else on_page(here.minimum, item)
                here.add(here.minimum.unsigned, last if own_page else last & 0xFFFF, own_page=own_page)
                here.minimum = None
            case 10:
                here.alternatives = 0 if item.unsigned else None

    def _add(self, item: Item, kind: ReportKind) -> None:
        state = self._globals
        start = self._lengths.get((kind, state.report_id), 0)
        if start + state.size * state.count > MAX_REPORT_BITS:
            raise FlawError(f"a report longer than {MAX_REPORT_BITS // 8} bytes at byte {item.at}")
        self._lengths[kind, state.report_id] = start + state.size * state.count
        if item.unsigned & 1 or not state.size:  # constant: padding
            return
        logical, physical = state.span(0), state.span(2)
        if physical == (0, 0):
            physical = logical
        collections = tuple(self._collections)
        for number, (usage, count) in enumerate(self._elements(item)):
            if len(self.fields) == MAX_FIELDS:
                raise FlawError(f"more than {MAX_FIELDS} fields")
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

    def _elements(self, item: Item) -> Iterator[tuple[int, int]]:
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
