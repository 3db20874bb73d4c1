"""What all benchmarks share: child processes, rounds, ratios."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "ROOT",
    "Child",
    "Figure",
    "Pair",
    "Settings",
    "Side",
    "child",
    "cpu_seconds",
    "environment",
    "interleave",
    "quantile",
    "rss_megabytes",
    "stop",
]

ROOT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 20.0
READY_SECONDS = 30.0

Side = Callable[[], list[float]]
"""Measures one side for one round: samples, in whatever unit the figure has."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How long to measure, and where files may lie."""

    quick: bool
    explain: bool
    directory: Path
    say: Callable[[str], None] = print

    def count(self, full: int) -> int:
        """A number of rounds or calls; a quick run takes about a quarter, never less than 3."""
        return max(3, full // 4) if self.quick else full


def quantile(samples: Sequence[float], share: float) -> float:
    """The sample below which `share` (0 to 1) of them lie, by nearest rank."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Pair:
    """Samples of both sides, round by round."""

    ours: list[list[float]]
    reference: list[list[float]]

    @property
    def ratios(self) -> list[float]:
        """Ours through the reference's, each of the medians of one round."""
        return [statistics.median(a) / statistics.median(b) for a, b in zip(self.ours, self.reference, strict=True)]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `target` bounds the ratio; without a reference there is no ratio."""

    name: str
    unit: str
    ours: float
    reference: float | None = None
    ratios: list[float] = field(default_factory=list)
    target: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios; of one measurement, its ratio."""
        if self.ratios:
            return statistics.median(self.ratios)
        return self.ours / self.reference if self.reference else None

    @property
    def met(self) -> bool | None:
        """The target is met; None without one."""
        return None if self.target is None or self.ratio is None else self.ratio <= self.target

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain data."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "reference": self.reference,
            "ratio": self.ratio,
            "ratio_quartiles": statistics.quantiles(self.ratios, n=4) if len(self.ratios) > 1 else None,
            "ratios": self.ratios,
            "target": self.target,
            "met": self.met,
            "details": self.details,
        }

    @classmethod
    def of(
        cls, name: str, unit: str, pair: Pair, *, scale: float = 1.0, target: float | None = None, **details: Any
    ) -> Figure:
        """The medians of a pair, times `scale`; both sides' 99th percentiles are kept where there are enough
        samples for one.
        """
        ours = [sample * scale for samples in pair.ours for sample in samples]
        reference = [sample * scale for samples in pair.reference for sample in samples]
        details |= {"samples": len(ours), "least": [min(ours), min(reference)]}
        if len(ours) >= 200:
            details["p99"] = [quantile(ours, 0.99), quantile(reference, 0.99)]
        return cls(name, unit, statistics.median(ours), statistics.median(reference), pair.ratios, target, details)


def interleave(sides: tuple[Side, Side], rounds: int, *, warm_up: int = 1) -> Pair:
    """Measure ours and the reference in turn, A B A B …; the first `warm_up` rounds do not count."""
    ours, reference = sides
    pair = Pair([], [])
    for number in range(warm_up + rounds):
        a, b = ours(), reference()
        if number >= warm_up:
            pair.ours.append(a)
            pair.reference.append(b)
    return pair


@dataclass(frozen=True, slots=True)
class Child:
    """A process that we started, and what it said when it was ready."""

    process: subprocess.Popen[str]
    said: dict[str, Any]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used until now, of itself and the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_megabytes(pid: int) -> float:
    """Memory that a process holds now (VmRSS)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no VmRSS")


def environment() -> dict[str, str]:
    """A child's environment: nothing that changes how long Python takes."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process that we started: politely, then not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@contextmanager
def child(module: str, *arguments: str, orders: bool = False) -> Iterator[Child]:
    """Run one of our modules until the block ends. It says one line of JSON when it is ready; with `orders` it takes
    lines on its standard input.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments, *(["--orders"] if orders else [])],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE if orders else None,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{module} ended before it was ready: exit code {process.wait(READY_SECONDS)}")
        yield Child(process, json.loads(line))
    finally:
        stop(process)
