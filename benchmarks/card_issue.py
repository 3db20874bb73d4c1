"""A whole IssueCard on a printer that does everything at once: what is left is the host's time.

The reference of a card with a stripe only is a bare grpc.aio stream of the very messages that the daemon sent; that of
a card in colour is drawing and packing the same card with nothing around it.
"""

from __future__ import annotations

import json
import time
import uuid
from functools import partial
from typing import Any

import grpc

from benchmarks.card_design import COLOR, card, photo
from benchmarks.harness import Figure, Settings, child, interleave
from benchmarks.instant_devices import panels_of
from benchmarks.methods import ISSUE, Method
from countertop.sdk.cards.render import render
from countertop.v1.card_pb2 import StripeData
from countertop.v1.card_printer_pb2 import CARD_DELIVERY_EJECT, IssueCardRequest
from countertop.v1.operation_pb2 import OperationOptions

__all__ = ["run"]

STRIPE = StripeData(track2="99990123456789010=3112")


def request(artwork: Any = None) -> IssueCardRequest:
    """A card of its own."""
    return IssueCardRequest(
        options=OperationOptions(operation_id=uuid.uuid4().hex),
        device_id="card-printer",
        stripe=STRIPE,
        delivery=CARD_DELIVERY_EJECT,
        artwork=artwork,
    )


def issued(call: Any, make: Any, count: int) -> list[float]:
    """Seconds of each card, one after the other."""
    samples, clock = [], time.perf_counter
    for number in range(count):
        asked = request(make(number)) if make else request()
        start = clock()
        for _ in call(asked):
            pass
        samples.append(clock() - start)
    return samples


def drawn(make: Any, count: int) -> list[float]:
    """Seconds of each card, drawn and packed here."""
    samples = []
    for number in range(count):
        artwork = make(number)
        start = time.perf_counter()
        panels_of(render(artwork, COLOR))
        samples.append(time.perf_counter() - start)
    return samples


def run(settings: Settings) -> list[Figure]:
    """Over a unix socket."""
    method, design = Method.of(ISSUE), card("bank-card", photo())
    recording = settings.directory / "issue.json"
    with (
        child("benchmarks.instant_daemon", f"unix:{settings.directory}/ours.sock") as ours,
        grpc.insecure_channel(ours.said["addresses"][0]) as a,
    ):
        call = method.stream(a)
        messages = list(call(request()))
        recorded = {"stream": True, "messages": [message.SerializeToString().hex() for message in messages]}
        recording.write_text(json.dumps({ISSUE: recorded}))
        with (
            child("benchmarks.bare_server", str(recording), f"unix:{settings.directory}/bare.sock") as bare,
            grpc.insecure_channel(bare.said["addresses"][0]) as b,
        ):
            sides = partial(issued, call, None, 20), partial(issued, method.stream(b), None, 20)
            plain = interleave(sides, settings.count(24), warm_up=2)
        sides = partial(issued, call, design, 4), partial(drawn, design, 4)
        colour = interleave(sides, settings.count(16), warm_up=2)
    return [
        Figure.of("stripe only, whole stream", "ms", plain, scale=1e3, messages=len(messages)),
        Figure.of("both sides in colour, whole stream", "ms", colour, scale=1e3),
    ]
