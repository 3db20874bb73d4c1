"""Runs a command's work on a connection to the daemon, and tells errors in sentences."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from countertop.cli.arguments import credentials
from countertop.cli.output import Refused, complain, word

if TYPE_CHECKING:
    from countertop.client import Counter
    from countertop.client.errors import CountertopError

__all__ = ["tell", "with_counter"]


_SEE = {
    "DEVICE_NOT_FOUND": "See: countertop devices",
    "OPERATION_NOT_FOUND": "See: countertop operations",
    "NOT_EMULATED": "Only emulated devices have a bench. See: countertop devices",
}


def with_counter(args: argparse.Namespace, work: Callable[[Counter], Awaitable[int]]) -> int:
    """Connect to `args.address`, do the work, hang up. Returns the exit code; Ctrl-C cancels the work first.

    Raises Refused for credentials that do not fit together, OSError for files of theirs that cannot be read.
    """
    from countertop.client import connect
    from countertop.client.errors import CountertopError

    try:
        token, tls = credentials(args)
        counter = connect(args.address, token=token, tls=tls)
    except ValueError as error:
        raise Refused(str(error)) from None

    async def go() -> int:
        async with counter:
            return await work(counter)

    try:
        return asyncio.run(go())
    except CountertopError as error:
        tell(error)
        return 1


def tell(error: CountertopError) -> None:
    """An error of the daemon or the device, what happened in the world, and what to do next."""
    from countertop.sdk.errors import reason_info
    from countertop.v1 import error_pb2

    sentence = str(error)
    if error.physical_effect not in (error_pb2.PHYSICAL_EFFECT_UNSPECIFIED, error_pb2.PHYSICAL_EFFECT_NONE):
        effect = word(error_pb2.PhysicalEffect, error.physical_effect, "PHYSICAL_EFFECT_")
        sentence += f" Physical effect: {effect}."
    next_step = _SEE.get(error.reason_name, "")
    if not next_step and error.device_fault is not None:
        next_step = error.device_fault.action
    if not next_step and error.reason in error_pb2.Reason.values():
        next_step = reason_info(error.reason).app
    complain(sentence, next_step)
