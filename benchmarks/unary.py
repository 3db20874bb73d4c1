"""A unary call: DeviceService/GetDevice of the daemon against a bare grpc.aio server with the same messages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import Message

from benchmarks.harness import Figure, Settings, child, interleave
from benchmarks.methods import GET_DEVICE, Method
from countertop.client._access import Access
from countertop.v1 import device_pb2

__all__ = ["run"]

TARGET = 1.25
THREADS = 8


def timed(call: Callable[[Any], object], request: Any, count: int) -> list[float]:
    """Seconds of each of `count` calls, one after the other."""
    samples, clock = [], time.perf_counter
    for _ in range(count):
        start = clock()
        call(request)
        samples.append(clock() - start)
    return samples


def rate(pool: ThreadPoolExecutor, call: Callable[[Any], object], request: Any, count: int) -> list[float]:
    """Calls a second when `THREADS` clients call at the same time."""
    each = count // THREADS

    def some(_: int) -> None:
        for _ in range(each):
            call(request)

    start = time.perf_counter()
    list(pool.map(some, range(THREADS)))
    return [each * THREADS / (time.perf_counter() - start)]


def latency(settings: Settings, name: str, calls: tuple[Any, Any], request: Message, reply: Message) -> list[Figure]:
    """p50, which has the target, and p99, which has too much of the machine in it for one."""
    sides = partial(timed, calls[0], request, 400), partial(timed, calls[1], request, 400)
    pair = interleave(sides, settings.count(24), warm_up=2)
    sizes = {"request_bytes": request.ByteSize(), "response_bytes": reply.ByteSize()}
    median = Figure.of(f"{name}, p50", "µs", pair, scale=1e6, target=TARGET, **sizes)
    return [median, Figure(f"{name}, p99", "µs", *median.details["p99"])]


def run(settings: Settings) -> list[Figure]:
    """Latency over a unix socket and TCP, then calls a second."""
    method, request = Method.of(GET_DEVICE), device_pb2.GetDeviceRequest(device_id="id-reader")
    recording = settings.directory / "unary.json"
    figures: list[Figure] = []
    with child("benchmarks.instant_daemon", f"unix:{settings.directory}/ours.sock", "127.0.0.1:0") as ours:
        with grpc.insecure_channel(ours.said["addresses"][0]) as channel:
            timed(method.unary(channel), request, 50)
            reply = method.unary(channel)(request)
        recorded = {"stream": False, "messages": [reply.SerializeToString().hex()]}
        recording.write_text(json.dumps({GET_DEVICE: recorded}))
        addresses = (f"unix:{settings.directory}/bare.sock", "127.0.0.1:0")
        with child("benchmarks.bare_server", str(recording), *addresses) as bare, ThreadPoolExecutor(THREADS) as pool:
            both = zip(("unix socket", "TCP"), ours.said["addresses"], bare.said["addresses"], strict=True)
            for transport, our_address, bare_address in both:
                with grpc.insecure_channel(our_address) as a, grpc.insecure_channel(bare_address) as b:
                    proof = Access(our_address).metadata()  # on loopback a token, which the bare server is sent as well
                    calls = partial(method.unary(a), metadata=proof), partial(method.unary(b), metadata=proof)
                    figures += latency(settings, f"GetDevice, {transport}", calls, request, reply)
                    sides = partial(rate, pool, calls[0], request, 1600), partial(rate, pool, calls[1], request, 1600)
                    pair = interleave(sides, settings.count(12))
                    figures.append(Figure.of(f"GetDevice, {transport}, {THREADS} callers", "calls/s", pair))
    return figures
