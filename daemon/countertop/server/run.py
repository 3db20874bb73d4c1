"""The daemon's side of `countertop.sdk.Run`: a driver's handle on the operation that it carries out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from google.protobuf.message import Message

from countertop.server.operations import OperationRecord
from countertop.server.states import RUNNING, STOPPED, WAITING
from countertop.v1 import operation_pb2
from countertop.v1.error_pb2 import PhysicalEffect, Reason
from countertop.v1.operation_pb2 import PromptKind

__all__ = ["Commit", "Completion", "OperationRun"]

MAX_EVIDENCE = 4096
Commit = Callable[[OperationRecord], Awaitable[None]]
"""Puts an operation that is about to take effect on the disk. Raises CountertopError(JOURNAL_FAILED)."""


class Completion(Protocol):
    """Completes messages that drivers made, before anybody sees them: decodes a photo, seals a signature."""

    def concerns(self, message: Message) -> bool:
        """There is something to complete in it."""
        ...

    async def complete(self, record: OperationRecord, message: Message) -> None:
        """Complete it in place."""
        ...


class OperationRun:
    """Implements `countertop.sdk.Run` for one operation."""

    def __init__(self, record: OperationRecord, completions: Sequence[Completion], commit: Commit) -> None:
        self._record = record
        self._commit = commit
        self._completions = completions
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
        """Send one of the verb's own events, in order; one that is being completed holds back those behind it."""
        self._record.verb.field(event)
        if self._outbox is None and not any(completion.concerns(event) for completion in self._completions):
            self._record.emit(event)
        else:
            self._outbox = asyncio.create_task(self._emit_after(self._outbox, event))

    async def _emit_after(self, before: asyncio.Task[None] | None, event: Message) -> None:
        if before is not None:
            await before
        await self._complete(event)
        self._record.emit(event)

    async def _complete(self, message: Message) -> None:
        for completion in self._completions:
            if completion.concerns(message):
                await completion.complete(self._record, message)

    async def complete(self, result: Message) -> None:
        """Make the result ready: everything emitted before it is out, and it is complete."""
        await self.flush()
        await self._complete(result)

    async def flush(self) -> None:
        """Wait until everything emitted is out."""
        if self._outbox is not None:
            await self._outbox
            self._outbox = None

    def stop(self, reason: Reason, prompt: operation_pb2.PromptKind = operation_pb2.PROMPT_KIND_UNSPECIFIED) -> None:
        """Held by something that a person can mend."""
        operation = self._record.operation
        if operation.state != STOPPED or (operation.stopped_by, operation.prompt) != (reason, prompt):
            self._record.move(STOPPED, stopped_by=reason, prompt=prompt)

    async def instruction(self) -> Message:
        """The next thing that the app says to the operation."""
        return await self._record.instructions.get()

    async def commit_point(self, step: str, evidence: Mapping[str, Any] | None = None) -> None:
        """The next byte has an effect in the world: cancelling is too late from here on. Returns when the disk has it.

        Raises CountertopError(JOURNAL_FAILED), ValueError for evidence that is no JSON or longer than 4096 bytes.
        """
        record = self._record
        if record.cancel_requested:
            # the wish came between two awaits of the driver: it still wins, nothing has left yet
            raise asyncio.CancelledError
        kept = dict(evidence or {})
        size = len(json.dumps(kept))
        if size > MAX_EVIDENCE:
            raise ValueError(f"expected evidence of at most {MAX_EVIDENCE} bytes, got {size}")
        before = (record.committed, record.evidence)
        record.committed, record.evidence = True, kept
        try:
            await self._commit(record)
        except BaseException:
            record.committed, record.evidence = before  # nothing has left yet
            raise

    def used(self, medium: str, amount: float) -> None:
        """Count what was used up."""
        self._record.used[medium] = self._record.used.get(medium, 0.0) + amount

    def effect(self, effect: PhysicalEffect) -> None:
        """State what has happened in the world so far."""
        self._record.operation.physical_effect = effect
        self._record.touch()
