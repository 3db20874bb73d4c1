"""What the journal costs: a whole Print on a printer that answers at once, with a commit point.

The reference is the same daemon that does not wait for the disk; beside it what two syncs cost on this disk.
"""

from __future__ import annotations

import os
import time
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from benchmarks.harness import Figure, Settings, child, interleave
from benchmarks.methods import PRINT, Method
from countertop.v1 import receipt_pb2, receipt_printer_pb2
from countertop.v1.operation_pb2 import OperationOptions

__all__ = ["run"]

RECEIPT = receipt_pb2.Receipt(blocks=[receipt_pb2.Block(rule=receipt_pb2.Rule())])


def timed(call: Any, count: int) -> list[float]:
    """Seconds of each of `count` prints, one after the other."""
    samples, clock = [], time.perf_counter
    for _ in range(count):
        options = OperationOptions(operation_id=uuid.uuid4().hex)
        request = receipt_printer_pb2.PrintRequest(options=options, device_id="receipt-printer", receipt=RECEIPT)
        start = clock()
        for _ in call(request):
            pass
        samples.append(clock() - start)
    return samples


def two_syncs(path: str, count: int) -> list[float]:
    """Seconds of two appends of 4 KiB with fsync."""
    samples = []
    with Path(path).open("ab", buffering=0) as file:
        for _ in range(count):
            start = time.perf_counter()
            for _ in range(2):
                file.write(bytes(4096))
                os.fsync(file.fileno())
            samples.append(time.perf_counter() - start)
    return samples


def run(settings: Settings) -> list[Figure]:
    """Over a unix socket."""
    method = Method.of(PRINT)
    with (
        child("benchmarks.instant_daemon", f"unix:{settings.directory}/ours.sock", orders=True) as ours,
        child("benchmarks.instant_daemon", "--unsynced", f"unix:{settings.directory}/lazy.sock", orders=True) as lazy,
        grpc.insecure_channel(ours.said["addresses"][0]) as a,
        grpc.insecure_channel(lazy.said["addresses"][0]) as b,
    ):
        sides = partial(timed, method.stream(a), 100), partial(timed, method.stream(b), 100)
        pair = interleave(sides, settings.count(16), warm_up=2)
        figure = Figure.of("Print, whole stream, p50; reference does not wait for the disk", "µs", pair, scale=1e6)
        disk = interleave((sides[0], partial(two_syncs, f"{settings.directory}/file", 100)), settings.count(8))
    return [
        figure,
        Figure("Print, whole stream, p99", "µs", *figure.details["p99"]),
        Figure.of("Print, whole stream, p50; reference is two syncs of this disk", "µs", disk, scale=1e6),
    ]
