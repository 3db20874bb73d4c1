"""The items of a report descriptor, and the state that they build up (HID 1.11, 6.2.2.2 to 6.2.2.8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

__all__ = ["MAX_DESCRIPTOR", "FlawError", "Globals", "Item", "Locals", "exponent", "items", "on_page"]

MAX_DESCRIPTOR = 0xFFFF
"""Bytes: wDescriptorLength has 16 bits."""


class FlawError(Exception):
    """The descriptor makes no sense from here on; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Item:
    """A short item."""

    at: int
    kind: int
    """0 main, 1 global, 2 local."""
    tag: int
    data: bytes

    @property
    def unsigned(self) -> int:
        """The data as a number without a sign; 0 without data."""
        return int.from_bytes(self.data, "little")

    @property
    def signed(self) -> int:
        """The data as a number with a sign, in its own 8, 16 or 32 bits."""
        return int.from_bytes(self.data, "little", signed=True)


def items(data: bytes) -> Iterator[Item]:
    """Cut a descriptor into its items; long items (6.2.2.3), of which none is defined, are left out."""
    if len(data) > MAX_DESCRIPTOR:
        raise FlawError(f"a descriptor of {len(data)} bytes")
    at = 0
    while at < len(data):
        prefix = data[at]
        if prefix == 0xFE:
            size, start = (data[at + 1] if at + 1 < len(data) else 0), at + 3
        else:
            size, start = (0, 1, 2, 4)[prefix & 3], at + 1
        if start + size > len(data):
            raise FlawError(f"the item at byte {at} is cut off")
        if prefix != 0xFE:
            yield Item(at, prefix >> 2 & 3, prefix >> 4, data[start : start + size])
        at = start + size


@dataclass(frozen=True, slots=True)
class Globals:
    """The item state table (6.2.2.7). Limits are kept as items: how a maximum is read depends on its minimum."""

    page: int = 0
    size: int = 0
    count: int = 0
    report_id: int = 0
    unit: int = 0
    exponent: int = 0
    limits: tuple[Item | None, ...] = (None, None, None, None)
    """Logical minimum, logical maximum, physical minimum, physical maximum."""

    def span(self, first: int) -> tuple[int, int]:
        """Minimum and maximum: those at `first` and behind it in `limits`. Where the minimum is not negative, a maximum
        with the sign bit set is a large one: that is how most devices mean it.
        """
        low, high = self.limits[first], self.limits[first + 1]
        minimum = low.signed if low else 0
        if high is None:
            return minimum, 0
        return minimum, high.signed if minimum < 0 else high.unsigned


@dataclass(slots=True)
class Locals:
    """Local items (6.2.2.8), which count up to the next main item."""

    usages: list[tuple[int, int, bool]] = field(default_factory=list)
    """First and last usage, and whether they bring their own page."""
    minimum: Item | None = None
    alternatives: int | None = None
    """Usages seen in a set between delimiters, of which only the first, the preferred one, counts."""

    def add(self, first: int, last: int, *, own_page: bool) -> None:
        """Take a usage, or a range of them."""
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


def on_page(first: Item, last: Item) -> int:
    """A short usage maximum after a minimum that brought its page along."""
    return first.unsigned & 0xFFFF0000 | last.unsigned


def exponent(item: Item) -> int:
    """A nibble with a sign (6.2.2.7); many devices give a whole byte with a sign instead."""
    nibble = item.unsigned
    if nibble > 15:
        return item.signed
    return nibble - 16 if nibble > 7 else nibble
