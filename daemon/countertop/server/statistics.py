"""What a device has done: since the daemon started, and since the device was first seen."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import Any

from countertop.server.operations import OperationRecord
from countertop.server.times import stamp
from countertop.v1 import device_pb2
from countertop.v1.device_pb2 import DeviceInfo, FirmwareSeen, GetStatisticsResponse, Statistics

__all__ = ["BOUNDS", "DeviceBook"]

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histograms, in seconds."""
MAX_FIRMWARE = 32


class _Tally:
    """Counts over one stretch of time."""

    def __init__(self) -> None:
        self.since = device_pb2.Statistics().since
        stamp(self.since)
        self.operations: Counter[tuple[str, int]] = Counter()
        self.media: Counter[str] = Counter()
        self.reconnects = 0
        self.times = {name: [0] * (len(BOUNDS) + 1) for name in ("queue", "device")}
        self.sums = {"queue": 0.0, "device": 0.0}

    def add_time(self, name: str, seconds: float) -> None:
        self.times[name][bisect_left(BOUNDS, seconds)] += 1
        self.sums[name] += seconds

    def message(self) -> Statistics:
        found = Statistics(since=self.since, reconnects=self.reconnects)
        for (verb, state), count in sorted(self.operations.items()):
            found.operations.add(verb=verb, state=state, count=count)
        for name, amount in sorted(self.media.items()):
            found.media.add(name=name, amount=amount)
        for name, histogram in (("queue", found.queue_time), ("device", found.device_time)):
            histogram.bounds.extend(BOUNDS)
            histogram.counts.extend(self.times[name])
            histogram.sum = self.sums[name]
        return found

    def take(self, kept: Statistics) -> None:
        """Go on from what was kept."""
        self.since.CopyFrom(kept.since)
        self.reconnects = kept.reconnects
        self.operations.update({(item.verb, int(item.state)): item.count for item in kept.operations})
        self.media.update({item.name: item.amount for item in kept.media})
        for name, histogram in (("queue", kept.queue_time), ("device", kept.device_time)):
            if tuple(histogram.bounds) == BOUNDS:
                self.times[name] = list(histogram.counts)
                self.sums[name] = histogram.sum


class DeviceBook:
    """Keeps one device's statistics; `keep` writes them where they survive the daemon."""

    def __init__(self, kept: str | None, keep: Callable[[str], object]) -> None:
        self._ever, self._now = _Tally(), _Tally()
        self._firmware: list[FirmwareSeen] = []
        self._keep = keep
        self._connected = False
        if kept:
            found = GetStatisticsResponse.FromString(bytes.fromhex(json.loads(kept)))
            self._ever.take(found.since_install)
            self._firmware = list(found.firmware)

    def connected(self, info: DeviceInfo) -> None:
        """The device answered; the first time is no reconnect."""
        if self._connected:
            for tally in (self._ever, self._now):
                tally.reconnects += 1
        self._connected = True
        last = self._firmware[-1] if self._firmware else None
        if info.firmware and (last is None or (last.version, last.serial) != (info.firmware, info.serial)):
            seen = FirmwareSeen(version=info.firmware, serial=info.serial)
            stamp(seen.since)
            self._firmware = [*self._firmware, seen][-MAX_FIRMWARE:]
            self._write()

    def ended(self, record: OperationRecord) -> None:
        """An operation ended."""
        operation = record.operation
        for tally in (self._ever, self._now):
            tally.operations[operation.verb, int(operation.state)] += 1
            tally.media.update(record.used)
            if operation.HasField("started"):
                tally.add_time("queue", _between(operation.created, operation.started))
                tally.add_time("device", _between(operation.started, operation.ended))
            else:
                tally.add_time("queue", _between(operation.created, operation.ended))
        if record.verb.consumes:  # what only reads is kept with the next one that does not, and at the end
            self._write()

    def message(self) -> GetStatisticsResponse:
        """What GetStatistics answers."""
        return GetStatisticsResponse(
            since_install=self._ever.message(), since_start=self._now.message(), firmware=self._firmware
        )

    def close(self) -> None:
        """Keep what there is."""
        self._write()

    def _write(self) -> None:
        kept = GetStatisticsResponse(since_install=self._ever.message(), firmware=self._firmware)
        self._keep(json.dumps(kept.SerializeToString().hex()))


def _between(begin: Any, end: Any) -> float:
    """Seconds; the clock may have been set back in between."""
    return float(max(0.0, end.seconds - begin.seconds + (end.nanos - begin.nanos) / 1e9))
