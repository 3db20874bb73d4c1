"""The cash drawer behind the printer."""

from __future__ import annotations

import asyncio

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.connected import Connected
from countertop.sdk.device import Run
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.v1 import error_pb2
from countertop.v1.receipt_printer_pb2 import OpenDrawerRequest, OpenDrawerResult

__all__ = ["open_drawer"]

_LOOK_SECONDS = 0.05


async def open_drawer(printer: Connected, request: OpenDrawerRequest, run: Run) -> OpenDrawerResult:
    """Give the pulse, and look at the drawer's switch before and after. Raises CountertopError(NOT_SUPPORTED),
    DeviceFault with the effect.
    """
    options = printer.options
    if not printer.profile.drawer:
        raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "This printer has no drawer connector.")
    await printer.refuse_unless_ready("open drawer")
    before = printer.board.drawer_high
    await run.commit_point("drawer pulse")
    pulse = protocol.pulse(request.drawer or 1, options.drawer_on_ms, options.drawer_off_ms)
    try:
        await printer.session.send(pulse, options.answer_seconds)
        return OpenDrawerResult(reported_open=await _sprang_open(printer, before))
    except DeviceFault as fault:
        fault.effect = error_pb2.PHYSICAL_EFFECT_UNKNOWN
        raise


async def _sprang_open(printer: Connected, before: bool) -> bool:
    """Whether the switch says so within the time that a drawer takes."""
    options, board = printer.options, printer.board
    wanted = {"high": True, "low": False, "auto": not before}[options.drawer_open_level]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + options.drawer_seconds
    while board.drawer_high != wanted:
        if printer.identity.realtime:
            board.eot(1, await printer.session.realtime_status(1, options.answer_seconds))
        left = deadline - loop.time()
        if board.drawer_high == wanted or left <= 0:
            break
        await printer.session.heard(min(left, _LOOK_SECONDS))
    return board.drawer_high == wanted
