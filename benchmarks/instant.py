"""A plugin that announces the made-up devices; like any good one it imports nothing heavy for that."""

from __future__ import annotations

from countertop.sdk.plugins import DriverSpec, hookimpl
from countertop.v1 import device_pb2

__all__ = ["countertop_drivers"]


@hookimpl
def countertop_drivers() -> list[DriverSpec]:
    """Both."""
    return [
        DriverSpec(
            name=f"instant-{name}", kind=kind, factory=f"benchmarks.instant_devices:{cls}", description="made up"
        )
        for name, kind, cls in (
            ("reader", device_pb2.DEVICE_KIND_ID_READER, "InstantReader"),
            ("printer", device_pb2.DEVICE_KIND_RECEIPT_PRINTER, "InstantPrinter"),
        )
    ]
