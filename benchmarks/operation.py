"""A whole operation: IdReaderService/Read on a device that answers at once, to the end of its stream.

The reference sends the very messages that the daemon sent, and does nothing else.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import Message

from benchmarks.harness import Figure, Settings, child, interleave
from benchmarks.methods import READ, Method
from countertop.v1 import id_reader_pb2

__all__ = ["run"]

TARGET = 1.5


def whole(call: Any, request: Any) -> list[Message]:
    """Everything a stream brings."""
    return list(call(request))


def timed(call: Any, request: Any, count: int) -> list[float]:
    """Seconds of each of `count` operations, one after the other."""
    samples, clock = [], time.perf_counter
    for _ in range(count):
        start = clock()
        for _ in call(request):
            pass
        samples.append(clock() - start)
    return samples


def record(call: Any, request: Any) -> tuple[list[Message], dict[int, int]]:
    """The messages of a usual operation, and how many operations had how many messages: states may collapse."""
    runs = [whole(call, request) for _ in range(100)]
    counts = Counter(len(messages) for messages in runs)
    usual = statistics.mode(len(messages) for messages in runs)
    return next(messages for messages in reversed(runs) if len(messages) == usual), dict(counts)


def run(settings: Settings) -> list[Figure]:
    """Over a unix socket."""
    method, request = Method.of(READ), id_reader_pb2.ReadRequest(device_id="id-reader")
    recording = settings.directory / "operation.json"
    with (
        child("benchmarks.instant_daemon", f"unix:{settings.directory}/ours.sock") as ours,
        grpc.insecure_channel(ours.said["addresses"][0]) as a,
    ):
        messages, counts = record(method.stream(a), request)
        recorded = {"stream": True, "messages": [message.SerializeToString().hex() for message in messages]}
        recording.write_text(json.dumps({READ: recorded}))
        with (
            child("benchmarks.bare_server", str(recording), f"unix:{settings.directory}/bare.sock") as bare,
            grpc.insecure_channel(bare.said["addresses"][0]) as b,
        ):
            sides = partial(timed, method.stream(a), request, 200), partial(timed, method.stream(b), request, 200)
            pair = interleave(sides, settings.count(24), warm_up=2)
    sizes = {
        "messages": len(messages),
        "message_bytes": [message.ByteSize() for message in messages],
        "operations_by_messages": counts,
    }
    figure = Figure.of("Read, whole stream, p50", "µs", pair, scale=1e6, target=TARGET, **sizes)
    return [figure, Figure("Read, whole stream, p99", "µs", *figure.details["p99"])]
