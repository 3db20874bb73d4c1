"""What goes wrong with an emulated device, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from hypothesis import strategies as st

from countertop.client.sync import Bench
from countertop.testing.strategies._readable import Labelled
from countertop.v1 import device_pb2
from countertop.v1.device_pb2 import DeviceKind

__all__ = ["FaultSchedule", "ScheduledFault", "fault_names", "fault_schedules"]

_LINK = "countertop.emulators.core.link_faults:LINK_FAULTS"
_TABLES: dict[DeviceKind, tuple[str, ...]] = {
    device_pb2.DEVICE_KIND_ID_READER: (_LINK, "countertop.emulators.sdt.device:DEVICE_FAULTS"),
    device_pb2.DEVICE_KIND_RECEIPT_PRINTER: (_LINK, "countertop.emulators.escpos.device_faults:DEVICE_FAULTS"),
    device_pb2.DEVICE_KIND_SIGNATURE_PAD: ("countertop.emulators.wacom_stu.device:DEVICE_FAULTS",),
    device_pb2.DEVICE_KIND_CARD_PRINTER: (
        _LINK,
        "countertop.emulators.core.cards.machine:JAM_FAULTS",
        "countertop.emulators.core.cards.contacts:CHIP_FAULTS",
        "countertop.emulators.evolis.device:DEVICE_FAULTS",
    ),
    device_pb2.DEVICE_KIND_CAMERA: ("countertop.emulators.camera.faults:CAMERA_FAULTS",),
}
"""The tables of the emulators that come up with nothing said: sdt, escpos, wacom-stu, evolis, camera."""
_NEVER_COUNTED = frozenset({"stall", "slow-drain", "slow", "error"})
"""They do not happen, they last: `times` does not end them."""


@dataclass(frozen=True, slots=True, repr=False)
class ScheduledFault(Labelled):
    """One call of InjectFault (bench.proto)."""

    fault: str
    after_bytes: int = 0
    """It begins after the device took in so many more bytes."""
    times: int = 0
    """It ends after it happened so often; 0 for no limit."""
    duration: float | None = None
    """It ends after so many seconds on the emulator's clock."""

    def apply(self, bench: Bench, device_id: str) -> None:
        """Inject it. Raises CountertopError for a fault that the emulator does not have."""
        bench.inject_fault(
            device_id, self.fault, after_bytes=self.after_bytes, times=self.times, duration=self.duration
        )

    @property
    def ends(self) -> bool:
        """It ends by itself."""
        return bool(self.times) or self.duration is not None

    def __repr__(self) -> str:
        told = {"after_bytes": self.after_bytes, "times": self.times, "duration": self.duration}
        parts = [repr(self.fault), *(f"{name}={value:g}" for name, value in told.items() if value)]
        return f"ScheduledFault({', '.join(parts)})"


@dataclass(frozen=True, slots=True, repr=False)
class FaultSchedule(Labelled):
    """Faults of one device, each at most once."""

    faults: tuple[ScheduledFault, ...]

    def __iter__(self) -> Iterator[ScheduledFault]:
        return iter(self.faults)

    def apply(self, bench: Bench, device_id: str) -> None:
        """Inject all of them. Raises CountertopError for a fault that the emulator does not have."""
        for fault in self.faults:
            fault.apply(bench, device_id)

    def __repr__(self) -> str:
        return f"FaultSchedule({list(self.faults)})"


def fault_names(kind: DeviceKind) -> tuple[str, ...]:
    """The faults of the emulator that stands for a kind when nothing is said, in the order of its tables.

    Raises ValueError for a kind without one.
    """
    if kind not in _TABLES:
        known = ", ".join(DeviceKind.Name(known) for known in _TABLES)
        raise ValueError(f"kind: expected one of {known}, got {int(kind)}")
    found: list[str] = []
    for place in _TABLES[kind]:
        module, _, name = place.partition(":")
        found += [spec.name for spec in getattr(import_module(module), name)]
    return tuple(found)


def fault_schedules(
    faults: Sequence[str] | DeviceKind,
    *,
    min_faults: int = 0,
    max_faults: int = 3,
    ends: bool = False,
    max_bytes: int = 2000,
) -> st.SearchStrategy[FaultSchedule]:
    """`min_faults` to `max_faults` different ones of `faults` (names, or a kind: those of `fault_names`), each as
    InjectFault takes it: after 0 to `max_bytes` bytes, for 1 to 3 times, for 0.05 to 2 s, or until it is cleared. With
    `ends` each ends by itself. Shrinks to no faults.
    """
    names = fault_names(faults) if isinstance(faults, int) else tuple(faults)
    one = st.sampled_from(names).flatmap(lambda name: _scheduled(name, ends, max_bytes))
    return st.lists(one, min_size=min_faults, max_size=max_faults, unique_by=lambda fault: fault.fault).map(
        lambda chosen: FaultSchedule(tuple(chosen))
    )


def _scheduled(name: str, ends: bool, max_bytes: int) -> st.SearchStrategy[ScheduledFault]:
    after = st.just(0) | st.integers(0, max_bytes)
    durations = st.integers(1, 40).map(lambda twentieths: twentieths / 20)
    lasting = st.builds(ScheduledFault, st.just(name), after, duration=durations)
    counted = st.builds(ScheduledFault, st.just(name), after, times=st.integers(1, 3))
    ending = lasting if name in _NEVER_COUNTED else counted | lasting
    return ending if ends else st.builds(ScheduledFault, st.just(name), after) | ending
