"""A plugin that announces the made-up devices; like any good one it imports nothing heavy for that."""

from __future__ import annotations

from countertop.sdk.plugins import DriverSpec, hookimpl
from countertop.v1 import device_pb2

__all__ = ["countertop_drivers"]


@hookimpl
def countertop_drivers() -> list[DriverSpec]:
    """All of them."""
    reader, printer = device_pb2.DEVICE_KIND_ID_READER, device_pb2.DEVICE_KIND_RECEIPT_PRINTER
    cards = device_pb2.DEVICE_KIND_CARD_PRINTER
    kinds = (
        ("instant-reader", reader, "InstantReader"),
        ("instant-printer", printer, "InstantPrinter"),
        ("instant-card-printer", cards, "InstantCardPrinter"),
        ("hanging-reader", reader, "HangingReader"),
        ("crashing-reader", reader, "CrashingReader"),
    )
    return [DriverSpec(name, kind, f"benchmarks.instant_devices:{cls}", "made up") for name, kind, cls in kinds]
