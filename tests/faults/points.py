"""The named moments of an operation at which a daemon can be made to die, and the daemon that does.

The daemon's own code knows nothing of this: each point is a function of it with a step before or after.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["POINTS", "RECOVERY_POINTS", "serve_until_killed"]


CUSTOMER_SECONDS = 1.0
"""How long a customer may still take a card after the daemon has come back: shorter than in life."""


class Trigger:
    """Kills this process when the armed point is passed for the n-th time from then on."""

    def __init__(self) -> None:
        self._point, self._left = "", 0

    def arm(self, point: str, count: int) -> None:
        """Die at a point."""
        self._point, self._left = point, count

    def passed(self, point: str) -> None:
        """The daemon is at a point."""
        if point != self._point:
            return
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


TRIGGER = Trigger()


def _before(owner: Any, name: str, point: str, when: Callable[..., bool] = lambda *args: True) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if when(*args):
            TRIGGER.passed(point)
        return original(*args, **kwargs)

    setattr(owner, name, call)


def _after(owner: Any, name: str, point: str, when: Callable[..., bool] = lambda *args: True) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if when(*args):
            TRIGGER.passed(point)
        return result

    setattr(owner, name, call)


def _after_await(owner: Any, name: str, point: str) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    async def call(*args: Any, **kwargs: Any) -> Any:
        result = await original(*args, **kwargs)
        TRIGGER.passed(point)
        return result

    setattr(owner, name, call)


def _consumes(record: Any, *args: Any) -> bool:
    return bool(record.verb.consumes)


def _lay_points() -> None:
    from countertop.sdk.cards import recovery
    from countertop.sdk.links import TcpLink
    from countertop.server import terminal
    from countertop.server.journal.batch import Batch
    from countertop.server.operations import OperationRecord
    from countertop.server.run import OperationRun
    from countertop.server.runner import DeviceRunner
    from countertop.server.settling import Settling

    _after(DeviceRunner, "submit", "taken", lambda runner, record: _consumes(record))
    _after_await(terminal.Terminal, "_accepted", "accepted")
    _before(OperationRun, "commit_point", "before commit")
    _before(terminal.Terminal, "commit", "commit asked")
    _after_await(terminal.Terminal, "commit", "commit on disk")
    _after_await(TcpLink, "send", "bytes sent")
    recovery.TAKE_SECONDS = CUSTOMER_SECONDS
    _before(Batch, "write", "journal begins to write")
    _after(Batch, "write", "journal has written")
    _after(OperationRun, "progress", "blocks confirmed")
    _before(OperationRecord, "succeed", "before success")
    _after(OperationRecord, "succeed", "success not on disk")
    _before(terminal, "_told", "outcome on disk")
    _after(terminal, "_told", "outcome told")
    _before(Settling, "_ask", "before reconcile")
    _before(Settling, "_take", "reconciled")


POINTS = (
    "taken",
    "accepted",
    "before commit",
    "commit asked",
    "commit on disk",
    "bytes sent",
    "journal begins to write",
    "journal has written",
    "blocks confirmed",
    "before success",
    "success not on disk",
    "outcome on disk",
    "outcome told",
)
RECOVERY_POINTS = ("before reconcile", "reconciled", "bytes sent", "journal begins to write", "journal has written")


def _listen(orders: Connection) -> None:
    while True:
        try:
            TRIGGER.arm(*orders.recv())
        except EOFError:
            return


def serve_until_killed(config: Path, log: Path, orders: Connection, point: str, count: int) -> None:
    """Run the daemon; `orders` brings (point, count) to die at, `point` is the first."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    _lay_points()
    if point:
        TRIGGER.arm(point, count)
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    from countertop.server.serving import serve

    raise SystemExit(serve(config))
