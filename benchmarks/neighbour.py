"""Read on one device while another one hangs, or fails in every call; against the same with a quiet neighbour."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc

from benchmarks.harness import Figure, Settings, child, interleave, quantile
from benchmarks.methods import READ, Method
from benchmarks.operation import timed
from countertop.v1 import id_reader_pb2

__all__ = ["run"]

CALM = id_reader_pb2.ReadRequest(device_id="id-reader")
CRASHES_A_SECOND = 20


@contextmanager
def hanging(call: Any) -> Iterator[None]:
    """A read that never ends."""
    stream = call(id_reader_pb2.ReadRequest(device_id="hanging"))
    next(stream)
    try:
        yield
    finally:
        stream.cancel()


@contextmanager
def crashing(call: Any) -> Iterator[None]:
    """Reads that fail, one after the other; the driver is made anew after each."""
    over = threading.Event()

    def again_and_again() -> None:
        while not over.wait(1 / CRASHES_A_SECOND):
            with contextlib.suppress(grpc.RpcError):
                list(call(id_reader_pb2.ReadRequest(device_id="crashing")))

    thread = threading.Thread(target=again_and_again)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def beside(trouble: Any, call: Any, count: int) -> list[float]:
    """Seconds of each read on the calm device."""
    with trouble(call):
        return timed(call, CALM, count)


def run(settings: Settings) -> list[Figure]:
    """Over a unix socket."""
    figures = []
    with (
        child("benchmarks.instant_daemon", f"unix:{settings.directory}/ours.sock", orders=True) as ours,
        grpc.insecure_channel(ours.said["addresses"][0]) as channel,
    ):
        call = Method.of(READ).stream(channel)
        for name, trouble in (("hangs", hanging), ("crashes", crashing)):
            sides = partial(beside, trouble, call, 200), partial(timed, call, CALM, 200)
            pair = interleave(sides, settings.count(12), warm_up=2)
            figures.append(Figure.of(f"Read while a neighbour {name} / is quiet, p50", "µs", pair, scale=1e6))
            tails = [(quantile(a, 0.99), quantile(b, 0.99)) for a, b in zip(pair.ours, pair.reference, strict=True)]
            ours_p99, quiet_p99 = (sorted(side)[len(side) // 2] * 1e6 for side in zip(*tails, strict=True))
            ratios = [a / b for a, b in tails]
            figures.append(Figure(f"Read while a neighbour {name} / is quiet, p99", "µs", ours_p99, quiet_p99, ratios))
    return figures
