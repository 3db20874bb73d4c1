"""Our USB/IP server against PyPI usbip's, by one and the same host: control, bulk OUT, interrupt latency."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import usb.core
import usb.util

from benchmarks.harness import Figure, Settings, child, interleave
from countertop.sdk.links.usbip.backend import UsbIpBackend

__all__ = ["run"]

PIECE = bytes(64 * 1024)


def _opened(link: str) -> Any:
    host, _, port = link.removeprefix("usbip://").partition("/")[0].rpartition(":")
    device = usb.core.find(backend=UsbIpBackend(host, int(port)))
    device.set_configuration()
    return device


def _control(device: Any, count: int) -> list[float]:
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        device.ctrl_transfer(0x80, 6, 0x0100, 0, 18)
        samples.append(time.perf_counter() - start)
    return samples


def _bulk(device: Any, count: int) -> list[float]:
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        device.write(0x02, PIECE)
        samples.append(time.perf_counter() - start)
    return samples


def _interrupt(device: Any, count: int) -> list[float]:
    """From asking the device for a report to having it."""
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        device.write(0x03, b"x")
        device.read(0x81, 16, 1000)
        samples.append(time.perf_counter() - start)
    return samples


def run(settings: Settings) -> list[Figure]:
    """On loopback."""
    with child("benchmarks.usbip_server", "ours") as ours, child("benchmarks.usbip_server", "peer") as peer:
        a, b = _opened(ours.said["link"]), _opened(peer.said["link"])
        rounds = settings.count(12)
        control = interleave((partial(_control, a, 300), partial(_control, b, 300)), rounds)
        bulk = interleave((partial(_bulk, a, 30), partial(_bulk, b, 30)), rounds)
        interrupt = interleave((partial(_interrupt, a, 200), partial(_interrupt, b, 200)), rounds)
        for device in (a, b):
            usb.util.dispose_resources(device)
    figures = [
        Figure.of("control round trip, p50", "µs", control, scale=1e6),
        Figure.of("64 KiB bulk OUT, p50", "µs", bulk, scale=1e6),
        Figure.of("OUT and interrupt IN that answers it, p50", "µs", interrupt, scale=1e6),
    ]
    figures[0].details["round_trips_per_second"] = [1e6 / figures[0].ours, 1e6 / (figures[0].reference or 1)]
    megabytes = len(PIECE) / 1e6
    figures[1].details["megabytes_per_second"] = [
        megabytes / (figures[1].ours / 1e6),
        megabytes / ((figures[1].reference or 1) / 1e6),
    ]
    figures.append(
        Figure(
            "OUT and interrupt IN that answers it, p99", "µs", *figures[2].details.get("p99", (figures[2].ours, None))
        )
    )
    return figures
