"""`countertop operations`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.output import console, json_line, local_time, table, word

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.v1.operation_pb2 import Operation

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `operations`."""
    parser.add_argument("--device", default="", metavar="ID", help="only those of this device")
    parser.add_argument("--visit", default="", metavar="ID", help="only those of this visit")
    parser.add_argument(
        "--unresolved", action="store_true", help="only those that are UNCERTAIN and wait for a person's word"
    )
    add_address(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List them, newest first."""

    async def work(counter: Counter) -> int:
        operations = await counter.operations.list(args.device, args.visit, unresolved=args.unresolved)
        if args.json:
            for operation in operations:
                json_line(operation)
        else:
            _show(operations)
        return 0

    return with_counter(args, work)


def _show(operations: Sequence[Operation]) -> None:
    from rich.markup import escape

    from countertop.v1 import error_pb2

    shown = table("began", "operation", "device", "verb", "state", "effect", "why", whole=2)
    for operation in operations:
        cells = (
            local_time(operation.created),
            operation.id,
            operation.device_id,
            operation.vendor_command or operation.verb.rpartition("/")[2],
            _state(operation),
            word(error_pb2.PhysicalEffect, operation.physical_effect, "PHYSICAL_EFFECT_"),
            word(error_pb2.Reason, operation.failure.reason or operation.stopped_by, "REASON_"),
        )
        shown.add_row(*map(escape, cells))
    console().print(shown)
    waiting = [item.id for item in operations if _waits_for_a_word(item)]
    if waiting:
        command = f"countertop resolve {waiting[0]} done|not-done --reason ..."
        console().print(f"UNCERTAIN: look at the paper, then: {command}")


def _waits_for_a_word(operation: Operation) -> bool:
    from countertop.v1 import operation_pb2

    return operation.state == operation_pb2.OPERATION_STATE_UNCERTAIN and not operation.HasField("resolution")


def _state(operation: Operation) -> str:
    """The state, and a person's word where there is one."""
    from countertop.v1 import operation_pb2

    state = word(operation_pb2.OperationState, operation.state, "OPERATION_STATE_")
    if operation.HasField("resolution"):
        state += f" ({word(operation_pb2.Finding, operation.resolution.finding, 'FINDING_')})"
    return state
