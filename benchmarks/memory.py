"""Memory at rest: resident set of each server 2 s after its first reply. No target."""

from __future__ import annotations

import statistics
import time
from itertools import count
from pathlib import Path

from benchmarks.cold_start import Command, bare, daemon, first_reply, instant, spawn, with_messages
from benchmarks.harness import Figure, Settings, rss_megabytes, stop

__all__ = ["run"]

SETTLE_SECONDS = 2.0


def at_rest(command: Command, path: Path) -> float:
    """Megabytes that a server holds at rest."""
    process = spawn(command, path)
    try:
        first_reply(process, path)
        time.sleep(SETTLE_SECONDS)
        return rss_megabytes(process.pid)
    finally:
        stop(process)


def run(settings: Settings) -> list[Figure]:
    """Medians of a few processes each; memory is the same in every run, within pages."""
    numbers = count()

    def median(command: Command) -> float:
        return statistics.median(
            at_rest(command, settings.directory / f"{next(numbers)}.sock") for _ in range(1 if settings.quick else 3)
        )

    reference = median(bare)
    return [
        Figure(f"at rest, {name}", "MB", median(command), reference)
        for name, command in (
            ("emulated terminal", daemon),
            ("made-up devices", instant),
            ("bare server with our messages", with_messages),
        )
    ]
