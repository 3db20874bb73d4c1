"""An operation as a driver sees it, without a daemon: remembers what the driver says."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message

from countertop.sdk.device import Evidence
from countertop.testing.conformance._requirement import expect
from countertop.v1 import operation_pb2
from countertop.v1.error_pb2 import PhysicalEffect, Reason
from countertop.v1.operation_pb2 import PromptKind

__all__ = ["RecordingRun"]

_MAX_EVIDENCE = 4096


class RecordingRun:
    """Implements `countertop.sdk.Run`. `on_commit` is awaited at each commit point, and may raise; `on_prompt` is told
    what a person is asked for.
    """

    def __init__(
        self,
        timeout: float = 30.0,
        *,
        operation_id: str = "",
        on_commit: Callable[[], Awaitable[None]] | None = None,
        on_prompt: Callable[[PromptKind], object] | None = None,
    ) -> None:
        self._id = operation_id or f"conformance-{uuid.uuid4().hex[:12]}"
        self._until = asyncio.get_running_loop().time() + timeout
        self._on_commit = on_commit
        self.on_prompt = on_prompt
        self.steps: list[tuple[int, int, str]] = []
        """Each `progress`."""
        self.prompts: list[PromptKind] = []
        self.events: list[Message] = []
        self.stops: list[Reason] = []
        self.commits: list[tuple[str, dict[str, Any]]] = []
        """Each commit point: its step and its evidence."""
        self.effects: list[PhysicalEffect] = []
        self.media: dict[str, float] = {}
        self.instructions: asyncio.Queue[Message] = asyncio.Queue()

    @property
    def operation_id(self) -> str:
        """See Run."""
        return self._id

    @property
    def time_left(self) -> float:
        """See Run."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        """See Run."""
        expect(done >= 0 and (not total or done <= total), f"Progress goes from 0 to the total; got {done} of {total}.")
        self.steps.append((done, total, unit))

    def prompt(self, kind: PromptKind) -> None:
        """See Run."""
        self.prompts.append(kind)
        if self.on_prompt is not None:
            self.on_prompt(kind)

    def working(self) -> None:
        """See Run."""

    def emit(self, event: Message) -> None:
        """See Run."""
        kept = type(event)()
        kept.CopyFrom(event)
        self.events.append(kept)

    def stop(self, reason: Reason, prompt: PromptKind = operation_pb2.PROMPT_KIND_UNSPECIFIED) -> None:
        """See Run."""
        self.stops.append(reason)
        if prompt and self.on_prompt is not None:
            self.on_prompt(prompt)

    async def instruction(self) -> Message:
        """See Run."""
        return await self.instructions.get()

    async def commit_point(self, step: str, evidence: Evidence | None = None) -> None:
        """See Run."""
        kept = dict(evidence or {})
        size = len(json.dumps(kept))  # raises TypeError for what is no JSON
        expect(size <= _MAX_EVIDENCE, f"Evidence is at most {_MAX_EVIDENCE} bytes of JSON; got {size}.")
        if self._on_commit is not None:
            await self._on_commit()
        self.commits.append((step, kept))

    def effect(self, effect: PhysicalEffect) -> None:
        """See Run."""
        self.effects.append(effect)

    def used(self, medium: str, amount: float) -> None:
        """See Run."""
        self.media[medium] = self.media.get(medium, 0.0) + amount

    def said(self) -> str:
        """All that the driver said to the operation and that is kept or logged by a daemon, as text: not its events and
        results, which hold the customer's data by design.
        """
        return json.dumps([self.steps, self.commits, self.media], ensure_ascii=False)  # marks are found as they are
