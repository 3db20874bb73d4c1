"""`countertop devices`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.output import console, json_line, table, word

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.device_pb2 import Device

__all__ = ["configure", "remarks", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `devices`."""
    add_address(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List them, in the configuration's order."""

    async def work(counter: Counter) -> int:
        devices = await counter.devices()
        if args.json:
            for device in devices:
                json_line(device)
        else:
            _show(devices)
        return 0

    return with_counter(args, work)


def remarks(device: Device) -> str:
    """What stands against the device: why it is offline, and its conditions with what to do."""
    from countertop.v1 import error_pb2

    lines = [device.failure.message] if device.HasField("failure") else []
    for condition in device.status.conditions:
        reason = word(error_pb2.Reason, condition.reason, "REASON_")
        lines.append(f"{reason}: {condition.action}" if condition.action else reason)
    return "\n".join(lines)


def _show(devices: Sequence[Device]) -> None:
    from rich.markup import escape

    from countertop.v1 import device_pb2

    shown = table("device", "kind", "state", "model and link", "remarks", whole=3)
    for device in devices:
        cells = (
            device.id,
            word(device_pb2.DeviceKind, device.kind, "DEVICE_KIND_"),
            word(device_pb2.DeviceState, device.state, "DEVICE_STATE_"),
            f"{device.info.vendor} {device.info.model}\n{device.link}".strip() + (" (emulated)" * device.emulated),
            remarks(device),
        )
        shown.add_row(*map(escape, cells))
    console().print(shown)
