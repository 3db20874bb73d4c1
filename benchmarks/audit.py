"""What the audit costs: a record on its caller's thread, on its way to the disk, and when a chain is verified.

The reference writes the same facts as JSON lines and does nothing else: no chain, no thread, no bounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure, Settings, interleave
from countertop.sdk.ink.signer import Ed25519Signer
from countertop.server.audit.log import AuditLog
from countertop.server.audit.reading import find
from countertop.server.audit.verify import verify
from countertop.server.caller import Caller

__all__ = ["run"]

TELLER = Caller("unix", "uid=1000", "pid=4711", frozenset({"teller"}), "till app")
FACTS = {"method": "IdReaderService.Read", "device_id": "id-reader", "outcome": "SUCCEEDED"}
BURST = 4_000
"""Fewer than may wait for the disk."""
RECORDS = 100_000


def recorded(audit: AuditLog, loop: asyncio.AbstractEventLoop) -> list[float]:
    """Seconds of each of a burst's records on the thread that calls."""
    samples, clock = [], time.perf_counter
    for number in range(BURST):
        start = clock()
        audit.record("call", TELLER, operation_id=f"{number:032x}", **FACTS)
        samples.append(clock() - start)
    loop.run_until_complete(audit.flush())
    return samples


def line(number: int) -> bytes:
    """The same facts, without a chain."""
    who = {"door": TELLER.door, "identity": TELLER.identity, "peer": TELLER.peer, "roles": sorted(TELLER.roles)}
    record = {"time": time.time(), "what": "call", **who, "operation_id": f"{number:032x}", **FACTS}
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def written_bare(path: Path) -> list[float]:
    """Seconds of each of a burst's records, written at once by who calls; not synced."""
    samples, clock = [], time.perf_counter
    with path.open("ab", buffering=0) as file:
        for number in range(BURST):
            start = clock()
            file.write(line(number))
            samples.append(clock() - start)
        os.fdatasync(file.fileno())
    return samples


def durable(audit: AuditLog, loop: asyncio.AbstractEventLoop) -> list[float]:
    """Seconds for each record of a burst until all are on the disk."""
    start = time.perf_counter()
    for number in range(BURST):
        audit.record("call", TELLER, operation_id=f"{number:032x}", **FACTS)
    loop.run_until_complete(audit.flush())
    return [(time.perf_counter() - start) / BURST]


def durable_bare(path: Path) -> list[float]:
    """The same, written one by one and synced once."""
    start = time.perf_counter()
    with path.open("ab") as file:
        for number in range(BURST):
            file.write(line(number))
        file.flush()
        os.fdatasync(file.fileno())
    return [(time.perf_counter() - start) / BURST]


def one_durable(audit: AuditLog, loop: asyncio.AbstractEventLoop, count: int) -> list[float]:
    """Seconds until a single record is on the disk."""
    samples, clock = [], time.perf_counter

    async def each() -> None:
        for number in range(count):
            start = clock()
            audit.record("call", TELLER, operation_id=f"{number:032x}", **FACTS)
            await audit.flush()
            samples.append(clock() - start)

    loop.run_until_complete(each())
    return samples


def one_durable_bare(path: Path, count: int) -> list[float]:
    """Seconds of one line and one sync."""
    samples, clock = [], time.perf_counter
    with path.open("ab", buffering=0) as file:
        for number in range(count):
            start = clock()
            file.write(line(number))
            os.fdatasync(file.fileno())
            samples.append(clock() - start)
    return samples


def timed(work: Callable[[], Any], records: int) -> list[float]:
    """Seconds for each record."""
    start = time.perf_counter()
    work()
    return [(time.perf_counter() - start) / records]


def parsed(folder: Path) -> None:
    """What reading alone costs: every line is parsed, nothing is compared."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as file:
            for raw in file:
                json.loads(raw)


def run(settings: Settings) -> list[Figure]:
    """In this process; the disk is the one that holds the temporary directory."""
    folder, bare, key = settings.directory / "audit", settings.directory / "bare", Ed25519Signer.generate()
    loop = asyncio.new_event_loop()
    audit = AuditLog(folder, lambda: key, terminal_id="benchmark")
    rounds = settings.count(12)
    try:
        call = interleave((partial(recorded, audit, loop), partial(written_bare, bare)), rounds)
        disk = interleave((partial(durable, audit, loop), partial(durable_bare, bare)), rounds)
        one = interleave((partial(one_durable, audit, loop, 50), partial(one_durable_bare, bare, 50)), rounds)
        for _ in range(RECORDS // BURST):
            durable(audit, loop)
    finally:
        audit.close()
        loop.close()
    records = sum(1 for _ in find(folder))
    sides = (
        partial(timed, partial(verify, folder, [key.public_key]), records),
        partial(timed, partial(parsed, folder), records),
    )
    checked = interleave(sides, 3, warm_up=0)
    verdict = verify(folder, [key.public_key])
    if not verdict.intact or verdict.lost:
        raise RuntimeError(f"the chain does not hold: {verdict}")
    whole = Figure.of("verify, a record, with signatures; reference parses the lines", "µs", checked, scale=1e6)
    return [
        Figure.of("a record, on its caller's thread; reference writes it there", "µs", call, scale=1e6),
        Figure.of("a record of many, until it is on the disk; reference syncs once", "µs", disk, scale=1e6),
        Figure.of("a single record, until it is on the disk; reference is line and sync", "µs", one, scale=1e6),
        whole,
        Figure("verify, 100,000 records", "s", whole.ours * 0.1, whole.reference and whole.reference * 0.1),
    ]
