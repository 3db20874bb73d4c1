"""`countertop resolve`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json
from countertop.cli.calls import with_counter
from countertop.cli.output import json_line, say

if TYPE_CHECKING:
    from countertop.client import Counter

__all__ = ["configure", "run"]

_FINDINGS = ("done", "not-done", "partly-done")


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `resolve`."""
    parser.add_argument("operation", metavar="ID", help="from `countertop operations --unresolved`")
    parser.add_argument("finding", choices=_FINDINGS, help="what you found: look at the paper first")
    parser.add_argument("--reason", required=True, help="why you think so; no customer data")
    parser.add_argument("--by", default="", metavar="WHO", help="a staff number or a role")
    add_address(parser)
    add_json(parser)
    parser.epilog = "The word is kept with the operation and in the audit. A copy may be printed after it."


def run(args: argparse.Namespace) -> int:
    """Record a person's word."""

    async def work(counter: Counter) -> int:
        from countertop.v1 import operation_pb2

        findings = {
            "done": operation_pb2.FINDING_DONE,
            "not-done": operation_pb2.FINDING_NOT_DONE,
            "partly-done": operation_pb2.FINDING_PARTLY_DONE,
        }
        operation = await counter.operations.resolve(args.operation, findings[args.finding], args.reason, args.by)
        if args.json:
            json_line(operation)
        else:
            say(f"{args.operation} is resolved: {args.finding}.")
        return 0

    return with_counter(args, work)
