"""`countertop call`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from countertop.cli.arguments import add_address, add_json, credentials, seconds
from countertop.cli.calls import with_counter
from countertop.cli.follow import follow
from countertop.cli.output import Refused, console, json_line, say, table, word

if TYPE_CHECKING:
    from countertop.cli.vendor_types import Types
    from countertop.client import Counter, Vendor
    from countertop.v1.device_pb2 import VendorCommand
    from countertop.v1.vendor_pb2 import CallResponse

__all__ = ["configure", "run"]

_EPILOG = """\
Standard output has the command's events and, last, its result: one JSON object a line.

  countertop call pad
  countertop call pad acme.pad.v1.SetBacklightRequest '{"level": 3}'
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Arguments of `call`."""
    parser.add_argument("device", metavar="DEVICE", help="the device's id, from `countertop devices`")
    parser.add_argument(
        "command", metavar="COMMAND", nargs="?", help="the full name of the command's type; without it, list them"
    )
    parser.add_argument(
        "data", metavar="DATA", nargs="?", default="{}", help="the command as JSON; - for standard input (default: {})"
    )
    parser.add_argument(
        "--module",
        metavar="MODULE",
        help="the Python module that has the vendor's messages (default: ask the daemon, which has those of drivers "
        "that run in its own process)",
    )
    parser.add_argument("--timeout", metavar="SECONDS", type=seconds, help="longest time on the device")
    parser.add_argument("--operation-id", metavar="ID", help="attach to the operation of this id, or begin it")
    add_address(parser)
    add_json(parser)
    parser.epilog = _EPILOG


def run(args: argparse.Namespace) -> int:
    """Carry out a command, or list those that there are."""

    async def work(counter: Counter) -> int:
        from countertop.cli.vendor_types import vendor_types
        from countertop.client._access import Access

        vendor = counter.vendor(args.device)
        commands = await vendor.commands()
        if args.command is None:
            _list(commands, as_json=args.json)
            return 0
        command = next((item for item in commands if item.command == args.command), None)
        if command is None:
            raise Refused(
                f"The device {args.device} lists no command {args.command}.", f"See: countertop call {args.device}"
            )
        with vendor_types(Access(counter.address, *credentials(args)), args.module) as types:
            await _call(args, vendor, command, types)
        return 0

    return with_counter(args, work)


async def _call(args: argparse.Namespace, vendor: Vendor, command: VendorCommand, types: Types) -> None:
    from google.protobuf.any_pb2 import Any as AnyMessage

    text = sys.stdin.read() if args.data == "-" else args.data
    message = await asyncio.to_thread(types.parse, command.command, text)
    result_type = await asyncio.to_thread(types.find, command.result)

    def look(update: CallResponse) -> None:
        if update.HasField("event"):
            say(types.to_json(update.event.message))

    handle = vendor.start_call(message, result_type, timeout=args.timeout, operation_id=args.operation_id)
    packed = AnyMessage()
    packed.Pack(await follow(handle, look))
    say(types.to_json(packed))


def _list(commands: Sequence[VendorCommand], *, as_json: bool) -> None:
    from rich.markup import escape

    from countertop.v1 import options_pb2

    if as_json:
        for command in commands:
            json_line(command)
        return
    shown = table("command", "effect", "what it is for")
    for command in commands:
        effect = word(options_pb2.Effect, command.effect, "EFFECT_")
        shown.add_row(escape(command.command), effect, escape(command.description))
    console().print(shown if commands else "It takes no commands of its vendor's own.")
