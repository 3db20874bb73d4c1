"""`countertop devices`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
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
    """What stands against the device: why it is offline, its conditions with what to do, and where its card is."""
    from countertop.v1 import card_pb2, error_pb2

    lines = [device.failure.message] if device.HasField("failure") else []
    for condition in device.status.conditions:
        reason = word(error_pb2.Reason, condition.reason, "REASON_")
        lines.append(f"{reason}: {condition.action}" if condition.action else reason)
    place = word(card_pb2.CardPlace, device.status.card.place, "CARD_PLACE_")
    if place not in ("", "NONE"):
        lines.append(f"its card: {place.replace('_', ' ').lower()}")
    return "\n".join(lines)


def _tree(devices: Sequence[Device]) -> Iterator[tuple[str, Device | None]]:
    """Each line: a box that holds several devices alone, under it its devices; those that stand alone as they are."""
    boxes: dict[str, list[Device]] = {}
    for device in devices:
        boxes.setdefault(device.unit or device.id, []).append(device)
    for box, held in boxes.items():
        if len(held) == 1:
            yield held[0].id, held[0]
            continue
        yield box, None
        for device in held:
            yield f"{'└' if device is held[-1] else '├'} {device.id}", device


def _show(devices: Sequence[Device]) -> None:
    from rich.markup import escape

    from countertop.v1 import device_pb2

    shown = table("device", "kind", "state", "model and link", "remarks", whole=3)
    for name, device in _tree(devices):
        if device is None:
            shown.add_row(escape(name), "[dim]unit[/]", "", "", "")
            continue
        cells = (
            name,
            word(device_pb2.DeviceKind, device.kind, "DEVICE_KIND_"),
            word(device_pb2.DeviceState, device.state, "DEVICE_STATE_"),
            f"{device.info.vendor} {device.info.model}\n{device.link}".strip() + (" (emulated)" * device.emulated),
            remarks(device),
        )
        shown.add_row(*map(escape, cells))
    console().print(shown)
