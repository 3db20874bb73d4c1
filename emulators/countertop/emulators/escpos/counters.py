"""Maintenance counters (GS g 0 and GS g 2): what a service technician asks for.

Numbers, units and the answer's form are Epson's. Epson's note that power-off affects the values is played like this:
each counter is written to memory once in so many counts, and what came after the last writing is lost with the power.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["COUNTERS", "Counter", "Counters"]


@dataclass(frozen=True, slots=True)
class Counter:
    """One thing that is counted, under two numbers. It is counted in parts: `parts` make one count that is told, and
    it is saved each time that `saved_each` parts have come together.
    """

    resettable: int
    cumulative: int
    parts: int
    saved_each: int


COUNTERS = {
    "dots fed": Counter(20, 148, parts=30, saved_each=32 * 30),
    "head energised": Counter(21, 149, parts=1, saved_each=1024),
    "cuts": Counter(50, 178, parts=1, saved_each=8),
    "seconds on": Counter(70, 198, parts=3600, saved_each=3600),
}
"""A line fed is 30 dots of paper, the line spacing after power-on; the head is energised once a row that has black in
it. How often they are saved is a guess: Epson does not tell.
"""
_NAMES = {number: name for name, counter in COUNTERS.items() for number in (counter.resettable, counter.cumulative)}
_RESETTABLE = frozenset(counter.resettable for counter in COUNTERS.values())
_MOST = 10**10
"""An answer has at most ten digits; a counter that is full begins anew."""


class Counters:
    """What has been counted, in memory that stays (saved) and in memory that does not (fresh). `now` gives seconds.
    The power is on to begin with.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._on_since: float | None = now()
        self._saved = dict.fromkeys(_NAMES, 0)
        self._fresh = dict.fromkeys(COUNTERS, 0.0)

    def count(self, name: str, parts: float) -> None:
        """Add to a counter of COUNTERS, in its parts; only whole portions of `saved_each` are saved."""
        self._fresh[name] += parts
        counter = COUNTERS[name]
        portions = int(self._fresh[name] // counter.saved_each)
        if portions:
            self._save(name, portions * counter.saved_each)

    def power_on(self) -> None:
        """Time counts again."""
        self._on_since = self._now()

    def power_off(self) -> None:
        """What was not saved is lost. Safe to call twice."""
        self._count_time()
        self._on_since = None
        self._fresh = dict.fromkeys(COUNTERS, 0.0)

    def execute(self, raw: bytes) -> bytes:
        """Carry out GS g 0 or GS g 2; the answer, empty where there is none (GS g 0, unknown numbers)."""
        function, mode, number = raw[2:3], raw[3], int.from_bytes(raw[4:6], "little")
        if mode or number not in _NAMES:
            return b""
        if function == b"0" and number in _RESETTABLE:
            name = _NAMES[number]
            self._count_time()
            self._save(name, int(self._fresh[name]))
            self._saved[number] = 0
        return b"\x5f%d\x00" % self.value(number) if function == b"2" else b""

    def value(self, number: int) -> int:
        """The value of the counter with Epson's number, in the units that are told."""
        self._count_time()
        name = _NAMES[number]
        return int(self._saved[number] + self._fresh[name]) // COUNTERS[name].parts % _MOST

    def _count_time(self) -> None:
        if self._on_since is not None:
            since, self._on_since = self._on_since, self._now()
            self.count("seconds on", self._on_since - since)

    def _save(self, name: str, parts: int) -> None:
        counter = COUNTERS[name]
        self._fresh[name] -= parts
        for number in (counter.resettable, counter.cumulative):
            self._saved[number] += parts
