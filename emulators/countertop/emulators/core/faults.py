"""What can go wrong with an emulated device, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from countertop.bench.v1 import bench_pb2
from countertop.emulators.core.clock import Clock, Timer

__all__ = ["FaultBoard", "FaultSpec"]


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A fault that an emulator can show; `description` is one sentence for people."""

    name: str
    description: str


@dataclass(slots=True)
class _Injected:
    bytes_left: int
    times_left: int | None
    duration: float | None
    timer: Timer | None = None


class FaultBoard:
    """The faults of one device. A fault waits for its bytes, is in force, and ends by count, by time or by `clear`.

    `subscribe` tells those who must act at once when a fault begins or ends; all others just ask.
    """

    def __init__(self, specs: Iterable[FaultSpec], clock: Clock) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._clock = clock
        self._injected: dict[str, _Injected] = {}
        self._subscribers: list[Callable[[str, bool], None]] = []

    def subscribe(self, callback: Callable[[str, bool], None]) -> None:
        """Call `callback(name, began)` whenever a fault comes into force (True) or ends (False)."""
        self._subscribers.append(callback)

    def inject(self, name: str, after_bytes: int = 0, times: int = 0, duration: float | None = None) -> None:
        """Let a fault begin once the device took in `after_bytes` more bytes, and end after it happened `times` times
        (0: no limit) or after `duration` seconds in force (None: no limit). Replaces an earlier one of that name.

        Raises ValueError for an unknown name, naming the known ones, and for negative numbers.
        """
        self._check(name)
        for label, value in (("after_bytes", after_bytes), ("times", times), ("duration", duration or 0)):
            if value < 0:
                raise ValueError(f"{label}: expected 0 or more, got {value}")
        self.clear(name)
        self._injected[name] = _Injected(after_bytes, times or None, duration)
        if not after_bytes:
            self._begin(name)

    def clear(self, name: str = "") -> None:
        """End a fault, or all. Raises ValueError for an unknown name; one that is not there is fine."""
        if name:
            self._check(name)
        for ended in [name] if name else list(self._injected):
            self._end(ended)

    def active(self, name: str) -> bool:
        """The fault is in force now."""
        self._check(name)
        injected = self._injected.get(name)
        return injected is not None and injected.bytes_left == 0

    def counted(self, name: str) -> bool:
        """The fault is in force and will end by count."""
        return self.active(name) and self._injected[name].times_left is not None

    def take(self, name: str) -> bool:
        """The fault is in force and happens now: one fewer of its `times`."""
        if not self.active(name):
            return False
        injected = self._injected[name]
        if injected.times_left is not None:
            injected.times_left -= 1
            if injected.times_left == 0:
                self._end(name)
        return True

    def bytes_until_next(self) -> int | None:
        """How many more bytes may be taken in before the next fault begins; None when none waits for bytes."""
        return min((one.bytes_left for one in self._injected.values() if one.bytes_left), default=None)

    def count_bytes(self, count: int) -> None:
        """The device took in so many bytes."""
        for name, injected in list(self._injected.items()):
            if injected.bytes_left:
                injected.bytes_left = max(0, injected.bytes_left - count)
                if not injected.bytes_left and self._injected.get(name) is injected:
                    self._begin(name)

    def listing(self) -> list[bench_pb2.Fault]:
        """All faults that the device knows, in the order of its table."""
        return [
            bench_pb2.Fault(name=spec.name, description=spec.description, active=self.active(spec.name))
            for spec in self._specs.values()
        ]

    def _check(self, name: str) -> None:
        if name not in self._specs:
            raise ValueError(f"fault: expected one of {', '.join(self._specs)}, got {name!r}")

    def _begin(self, name: str) -> None:
        injected = self._injected[name]
        if injected.duration is not None:
            injected.timer = self._clock.call_later(injected.duration, lambda: self._end(name))
        self._tell(name, began=True)

    def _end(self, name: str) -> None:
        injected = self._injected.pop(name, None)
        if injected is None:
            return
        if injected.timer is not None:
            injected.timer.cancel()
        if injected.bytes_left == 0:
            self._tell(name, began=False)

    def _tell(self, name: str, *, began: bool) -> None:
        for subscriber in self._subscribers:
            subscriber(name, began)
