"""`countertop watch`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.output import json_line, local_time, say, word

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.device_pb2 import Device, Event, WatchEventsResponse
    from countertop.v1.operation_pb2 import Operation

__all__ = ["configure", "lines", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `watch`."""
    parser.add_argument("--bookmark", default="", metavar="EPOCH:SEQUENCE", help="go on right behind this event")
    add_address(parser)
    add_json(parser)
    parser.epilog = "It runs until Ctrl-C."


def run(args: argparse.Namespace) -> int:
    """Tell each event until Ctrl-C."""

    async def work(counter: Counter) -> int:
        async for response in counter.watch(bookmark=args.bookmark):
            if args.json:
                json_line(response)
            else:
                for line in lines(response):
                    say(line)
        return 0

    return with_counter(args, work)


def lines(response: WatchEventsResponse) -> list[str]:
    """What a person reads of one message of the stream; heartbeats are silent."""
    kind = response.WhichOneof("payload")
    if kind == "snapshot":
        snapshot = response.snapshot
        return [*map(_device, snapshot.devices), *map(_operation, snapshot.operations)]
    if kind == "gap":
        return [f"-- events before {response.gap.oldest_sequence} are lost --"]
    if kind == "event":
        return [f"{local_time(response.event.time)} #{response.sequence} {_event(response.event)}"]
    return []


def _event(event: Event) -> str:
    from countertop.v1 import device_pb2

    kind = event.WhichOneof("event")
    if kind == "device_changed":
        return _device(event.device_changed)
    if kind == "operation_changed":
        return _operation(event.operation_changed)
    moved = event.media_changed
    return f"{moved.device_id}: medium {word(device_pb2.MediaState, moved.media, 'MEDIA_STATE_')}"


def _device(device: Device) -> str:
    from countertop.v1 import device_pb2, error_pb2

    state = word(device_pb2.DeviceState, device.state, "DEVICE_STATE_")
    reasons = [word(error_pb2.Reason, condition.reason, "REASON_") for condition in device.status.conditions]
    if device.HasField("failure"):
        reasons.insert(0, word(error_pb2.Reason, device.failure.reason, "REASON_"))
    return f"{device.id}: {state}" + (f" ({', '.join(reasons)})" if reasons else "")


def _operation(operation: Operation) -> str:
    from countertop.v1 import error_pb2, operation_pb2

    verb = operation.vendor_command or operation.verb.rpartition("/")[2]
    details = [
        word(operation_pb2.PromptKind, operation.prompt, "PROMPT_KIND_"),
        word(error_pb2.Reason, operation.stopped_by, "REASON_"),
        f"{operation.progress.done}/{operation.progress.total}" if operation.progress.total else "",
        word(error_pb2.Reason, operation.failure.reason, "REASON_"),
    ]
    told = ", ".join(filter(None, details))
    state = word(operation_pb2.OperationState, operation.state, "OPERATION_STATE_")
    return f"{operation.device_id}: {verb} {operation.id} {state}" + (f" ({told})" if told else "")
