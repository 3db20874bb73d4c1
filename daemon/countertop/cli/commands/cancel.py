"""`countertop cancel`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.output import complain, json_line, say, word

if TYPE_CHECKING:
    from countertop.client import Counter

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `cancel`."""
    parser.add_argument("operation", metavar="ID", help="the operation's id, from `countertop operations`")
    add_address(parser)
    add_json(parser)
    parser.epilog = "Exits with 1 when it was too late."


def run(args: argparse.Namespace) -> int:
    """Ask for it, and tell what became of the wish."""

    async def work(counter: Counter) -> int:
        from countertop.v1 import operation_pb2

        answer = await counter.operations.cancel(args.operation)
        cancelled = answer.outcome == operation_pb2.CANCEL_OUTCOME_CANCELLED
        state = word(operation_pb2.OperationState, answer.operation.state, "OPERATION_STATE_")
        if args.json:
            json_line(answer)
        elif cancelled:
            say(f"{args.operation} was cancelled; it took no effect.")
        else:
            complain(f"It is too late: {args.operation} goes its way ({state}).", "See: countertop operations")
        return 0 if cancelled else 1

    return with_counter(args, work)
