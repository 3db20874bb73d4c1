"""Getting a printer to listen, whatever a host before has left half-said."""

from __future__ import annotations

import asyncio

from countertop.drivers.evolis.session import MOVE, Session
from countertop.sdk import ByteLink, NoAnswer

__all__ = ["HOST_MODE", "wake"]

WAKE = b"\r" + b"\0" * 32
"""Ends a command that was cut off; NULs between commands are padding."""
QUIET_SECONDS = 0.1
WAKE_SECONDS = 1.5
FILL = b"\0" * 16384
LONGEST_BITMAP = 700_000
HOST_MODE = 2
"""`Pem`: the printer answers every command, errors are the host's."""


async def wake(link: ByteLink, session: Session) -> None:
    """Switch the printer to host mode. Raises NoAnswer, LinkFault, and DeviceFault when it refuses.

    Whatever it still has to say to the host before is not for us. One that waits for the rest of a bitmap takes
    everything for pixels: it is given as many as it may want.
    """
    await link.send(WAKE)
    await _let_it_finish(link)
    try:
        reply = await session.ask("Pem", HOST_MODE, seconds=WAKE_SECONDS)
    except NoAnswer:
        async with asyncio.timeout(MOVE):
            for _ in range(LONGEST_BITMAP // len(FILL) + 1):
                await link.send(FILL)
            await link.send(WAKE)
            await _let_it_finish(link)
        reply = await session.ask("Pem", HOST_MODE)
    session.check(reply, "Pem")


async def _let_it_finish(link: ByteLink) -> None:
    while True:
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await link.receive()
        except TimeoutError:
            return
