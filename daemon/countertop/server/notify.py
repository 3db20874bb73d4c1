"""What a service manager is told (systemd's sd_notify): ready, how it is, still alive, stopping. Elsewhere nothing.

`Type=notify` and `WatchdogSec=` of the unit stand on it. The event loop itself says that it is alive, so that a loop
that stands still is ended and started anew.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable

__all__ = ["keep_telling", "tell_ready", "tell_stopping", "watchdog_seconds"]

STATUS_SECONDS = 5.0
"""How often the status is looked at where no watchdog wants more."""
SEND_SECONDS = 0.1
"""The longest that the loop may stand for a manager that does not take what it is told."""

log = logging.getLogger("countertop.notify")


def tell_ready(status: str) -> bool:
    """Everything is served from now on. False where nobody was told."""
    return _tell("READY=1", _status(status))


def tell_stopping(seconds: float) -> bool:
    """It stops, and may take that many seconds, whatever the unit's `TimeoutStopSec=` says."""
    return _tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")


def watchdog_seconds() -> float | None:
    """Within how many seconds the manager wants to hear of this process; None when it does not."""
    micros = os.environ.get("WATCHDOG_USEC", "")
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None  # another process is meant, whose child this is
    return int(micros) / 1e6 if micros.isdecimal() and int(micros) > 0 else None


async def keep_telling(status: Callable[[], str]) -> None:
    """Say that the loop is alive, twice as often as is wanted, and a status that has changed. Runs until it is
    cancelled; returns at once where nobody listens.
    """
    if not os.environ.get("NOTIFY_SOCKET"):
        return
    wanted = watchdog_seconds()
    period = STATUS_SECONDS if wanted is None else min(STATUS_SECONDS, wanted / 2)
    told = ""
    while True:
        now = status()
        lines = ["WATCHDOG=1"] if wanted is not None else []
        if now != told:
            lines.append(_status(now))
        if lines and _tell(*lines):
            told = now
        await asyncio.sleep(period)


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())  # a line break would begin another assignment


def _tell(*assignments: str) -> bool:
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(SEND_SECONDS)
            sender.sendto("\n".join(assignments).encode(), address)
    except OSError as error:
        log.warning("the service manager could not be told %s: %s", assignments[0], type(error).__name__)
        return False
    return True
