"""The daemon's side of `countertop.sdk.Run`: a driver's handle on the operation that it carries out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from google.protobuf.message import Message

from countertop.server.operations import OperationRecord
from countertop.server.states import RUNNING, WAITING
from countertop.v1.error_pb2 import PhysicalEffect
from countertop.v1.operation_pb2 import PromptKind

__all__ = ["OperationRun", "Refine"]

Refine = Callable[[Message], Awaitable[None]]
"""Completes a message that a driver made (a decoded photo) before anybody sees it."""


class OperationRun:
    """Implements `countertop.sdk.Run` for one operation; `wants_refining` tells for which messages `refine` matters."""

    def __init__(self, record: OperationRecord, refine: Refine, wants_refining: Callable[[Message], bool]) -> None:
        self._record = record
        self._refine = refine
        self._wants_refining = wants_refining
        self._deadline = asyncio.get_running_loop().time() + record.timeout
        self._outbox: asyncio.Task[None] | None = None

    @property
    def operation_id(self) -> str:
        """The operation's id."""
        return self._record.id

    @property
    def time_left(self) -> float:
        """Seconds until the operation's time is up, never negative."""
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        """Say how far it is."""
        progress = self._record.operation.progress
        progress.done, progress.total, progress.unit = done, total, unit
        self._record.touch()

    def prompt(self, kind: PromptKind) -> None:
        """Ask a person for something."""
        operation = self._record.operation
        if operation.state != WAITING or operation.prompt != kind:
            self._record.move(WAITING, prompt=kind)

    def working(self) -> None:
        """The device works again."""
        if self._record.operation.state != RUNNING:
            self._record.move(RUNNING)

    def emit(self, event: Message) -> None:
        """Send one of the verb's own events, in order; refined ones hold back those behind them."""
        self._record.verb.field(event)
        if self._outbox is None and not self._wants_refining(event):
            self._record.emit(event)
        else:
            self._outbox = asyncio.create_task(self._emit_after(self._outbox, event))

    async def _emit_after(self, before: asyncio.Task[None] | None, event: Message) -> None:
        if before is not None:
            await before
        await self._refine(event)
        self._record.emit(event)

    async def complete(self, result: Message) -> None:
        """Make the result ready: everything emitted before it is out, and it is refined."""
        await self.flush()
        if self._wants_refining(result):
            await self._refine(result)

    async def flush(self) -> None:
        """Wait until everything emitted is out."""
        if self._outbox is not None:
            await self._outbox
            self._outbox = None

    async def commit_point(self, step: str) -> None:
        """The next byte has an effect in the world: cancelling is too late from here on."""
        if self._record.cancel_requested:
            # the wish came between two awaits of the driver: it still wins, nothing has left yet
            raise asyncio.CancelledError
        self._record.committed = True

    def effect(self, effect: PhysicalEffect) -> None:
        """State what has happened in the world so far."""
        self._record.operation.physical_effect = effect
        self._record.touch()
