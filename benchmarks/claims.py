"""Turnover of claims: claim, be granted, give back; against a bare stream and a bare unary call."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

import grpc

from benchmarks.harness import Figure, Settings, child, interleave
from benchmarks.methods import CLAIM, RELEASE, Method
from countertop.v1 import claim_pb2

__all__ = ["run"]

REQUEST = claim_pb2.ClaimRequest(device_ids=["id-reader", "receipt-printer"], label="benchmark")


def turn(claim: Any, release: Any) -> None:
    """One claim from its begin to its end."""
    updates = claim(REQUEST)
    token = next(updates).granted.token
    release(claim_pb2.ReleaseClaimRequest(token=token))
    for _ in updates:
        pass


def timed(channel: grpc.Channel, count: int) -> list[float]:
    """Seconds of each turn."""
    claim, release = Method.of(CLAIM).stream(channel), Method.of(RELEASE).unary(channel)
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        turn(claim, release)
        samples.append(time.perf_counter() - start)
    return samples


def run(settings: Settings) -> list[Figure]:
    """Over a unix socket."""
    granted = claim_pb2.ClaimGranted(token="t" * 32, fences={"id-reader": 1, "receipt-printer": 1})
    recorded = {
        CLAIM: {"stream": True, "messages": [claim_pb2.ClaimResponse(granted=granted).SerializeToString().hex()]},
        RELEASE: {"stream": False, "messages": [""]},
    }
    recording = settings.directory / "claims.json"
    recording.write_text(json.dumps(recorded))
    with (
        child("benchmarks.instant_daemon", f"unix:{settings.directory}/ours.sock", orders=True) as ours,
        child("benchmarks.bare_server", str(recording), f"unix:{settings.directory}/bare.sock") as bare,
        grpc.insecure_channel(ours.said["addresses"][0]) as a,
        grpc.insecure_channel(bare.said["addresses"][0]) as b,
    ):
        pair = interleave((partial(timed, a, 100), partial(timed, b, 100)), settings.count(16), warm_up=2)
    figure = Figure.of("claim, grant, release, p50", "µs", pair, scale=1e6)
    return [figure, Figure("claim, grant, release, p99", "µs", *figure.details["p99"])]
