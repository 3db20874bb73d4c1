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
    add_address(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List them, newest first."""

    async def work(counter: Counter) -> int:
        operations = await counter.operations.list(device_id=args.device, visit_id=args.visit)
        if args.json:
            for operation in operations:
                json_line(operation)
        else:
            _show(operations)
        return 0

    return with_counter(args, work)


def _show(operations: Sequence[Operation]) -> None:
    from rich.markup import escape

    from countertop.v1 import error_pb2, operation_pb2

    shown = table("began", "operation", "device", "verb", "state", "effect", "why", whole=2)
    for operation in operations:
        cells = (
            local_time(operation.created),
            operation.id,
            operation.device_id,
            operation.verb.rpartition("/")[2],
            word(operation_pb2.OperationState, operation.state, "OPERATION_STATE_"),
            word(error_pb2.PhysicalEffect, operation.physical_effect, "PHYSICAL_EFFECT_"),
            word(error_pb2.Reason, operation.failure.reason, "REASON_"),
        )
        shown.add_row(*map(escape, cells))
    console().print(shown)
