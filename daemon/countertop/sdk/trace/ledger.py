"""Entries whose bytes a masker may judge later than they came: they keep their place, their time and their length."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from countertop.sdk.trace.format import RECEIVED, SENT, Entry
from countertop.sdk.trace.masking import Masker

__all__ = ["HELD_LIMIT", "ByteLedger", "HidLedger", "Ledger"]

HELD_LIMIT = 1024 * 1024
"""Bytes that may wait for the masker's judgement, and everything behind them; more is blanked."""

_MASKED_REPORTS = {SENT: ("set", "out"), RECEIVED: ("in", "got")}


class Ledger:
    """Takes entries as they come; without a masker it gives them as they are."""

    def add(self, entry: Entry) -> list[Entry]:
        """What may be kept by now, in order. Raises what the masker raises, ValueError when it changes a length."""
        return [entry]

    def end(self) -> list[Entry]:
        """The rest. Raises as `add`."""
        return []


class HidLedger(Ledger):
    """Reports are judged one by one."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker

    def add(self, entry: Entry) -> list[Entry]:
        """The entry, masked."""
        if entry.verb not in _MASKED_REPORTS.get(entry.mark, ()):
            return [entry]
        judge = self._masker.sent if entry.mark == SENT else self._masker.received
        data = judge(entry.data)
        if len(data) != len(entry.data):
            raise ValueError(f"expected a report of {len(entry.data)} bytes from the masker, got {len(data)}")
        return [replace(entry, data=data)]


@dataclass
class _Waiting:
    entry: Entry
    judged: bytearray

    @property
    def missing(self) -> int:
        return len(self.entry.data) - len(self.judged)


class ByteLedger(Ledger):
    """What is held back of one direction holds back what came after it in the other, so that the order stays."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._waiting: deque[_Waiting] = deque()
        self._size = 0
        self._late = {SENT: 0, RECEIVED: 0}
        """Bytes that were blanked here, which the masker still holds."""

    def add(self, entry: Entry) -> list[Entry]:
        """What is judged by now."""
        self._waiting.append(_Waiting(entry, bytearray()))
        self._size += len(entry.data)
        if entry.mark in (SENT, RECEIVED):
            judge = self._masker.sent if entry.mark == SENT else self._masker.received
            self._judged(entry.mark, judge(entry.data))
        if self._size > HELD_LIMIT:
            self._blank()
        return self._ready()

    def end(self) -> list[Entry]:
        """All that is left."""
        for mark, data in zip((SENT, RECEIVED), self._masker.end(), strict=True):
            self._judged(mark, data)
        if any(item.missing for item in self._waiting):
            raise ValueError("expected as many bytes from the masker as it was given, got less")
        return self._ready()

    def _judged(self, mark: str, data: bytes) -> None:
        late = min(len(data), self._late[mark])
        self._late[mark] -= late
        rest = memoryview(data)[late:]
        for item in self._waiting:
            if not rest:
                break
            if item.entry.mark == mark and item.missing:
                taken = min(item.missing, len(rest))
                item.judged += rest[:taken]
                rest = rest[taken:]
        if rest:
            raise ValueError("expected as many bytes from the masker as it was given, got more")

    def _blank(self) -> None:
        for item in self._waiting:
            if item.missing:
                self._late[item.entry.mark] += item.missing
                item.judged += bytes(item.missing)

    def _ready(self) -> list[Entry]:
        ready = []
        while self._waiting and not self._waiting[0].missing:
            item = self._waiting.popleft()
            self._size -= len(item.entry.data)
            ready.append(replace(item.entry, data=bytes(item.judged)))
        return ready
