"""Operations: what they are, who follows them, which are remembered."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from google.protobuf.message import Message

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.states import CANCELLED, FAILED, FINAL, QUEUED, RUNNING, SUCCEEDED, UNCERTAIN, WAYS
from countertop.server.times import stamp
from countertop.server.verbs import Verb
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Failure, Reason
from countertop.v1.operation_pb2 import Operation, OperationState

__all__ = ["OperationRecord", "OperationStore", "fingerprint"]

MAX_PENDING_EVENTS = 10_000
"""Events that a follower may lag behind before it is ended."""


def fingerprint(verb: Verb, request: Any) -> bytes:
    """SHA-256 over verb and request, without the call's own times: what makes two requests the same."""
    bare = type(request)()
    bare.CopyFrom(request)
    bare.options.ClearField("timeout")
    bare.options.ClearField("queue_timeout")
    return hashlib.sha256(verb.name.encode() + b"\0" + bare.SerializeToString(deterministic=True)).digest()


class _Follower:
    """One stream's place in an operation: states collapse to the latest, payloads are never dropped."""

    __slots__ = ("caller", "changed", "pending", "wake")

    def __init__(self, pending: Iterable[Message], *, caller: bool) -> None:
        self.caller = caller
        self.pending: deque[Message] = deque(pending)
        self.changed = True
        self.wake = asyncio.Event()
        self.wake.set()


class OperationRecord:
    """One operation with its request, its followers and its result."""

    def __init__(self, verb: Verb, request: Any, on_change: Callable[[OperationRecord], None]) -> None:
        options = request.options
        self.verb = verb
        self.request = request
        self.committed = False
        self.result: Message | None = None
        self.result_dropped = False
        self.task: asyncio.Task[Any] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.interrupted_by: Reason | None = None
        self.cancel_requested = False
        self.timeout = _seconds(options, "timeout", verb.default_timeout, least=0.1)
        self.queue_timeout = _seconds(options, "queue_timeout", 30.0, least=0.0)
        self.operation = Operation(
            id=options.operation_id or secrets.token_hex(16),
            device_id=request.device_id,
            verb=verb.name,
            state=QUEUED,
            visit_id=options.visit_id,
            copy_of=options.copy_of,
            physical_effect=error_pb2.PHYSICAL_EFFECT_NONE,
            revision=1,
        )
        stamp(self.operation.created)
        self._on_change = on_change
        self._payloads: dict[str, Message] = {}
        self._followers: set[_Follower] = set()
        self.done = asyncio.Event()

    @cached_property
    def fingerprint(self) -> bytes:
        """What another request must have to be the same."""
        return fingerprint(self.verb, self.request)

    @property
    def id(self) -> str:
        """The operation's id."""
        return self.operation.id

    @property
    def ended(self) -> bool:
        """It is in a final state."""
        return self.operation.state in FINAL

    @property
    def called(self) -> bool:
        """A stream of the verb itself hangs on it; mere watchers do not count."""
        return any(follower.caller for follower in self._followers)

    def move(self, state: OperationState, **changes: Any) -> None:
        """Go to a state, change fields with it, tell everybody. A way that the table lacks is a bug of the daemon."""
        operation = self.operation
        if state not in WAYS[operation.state]:
            raise AssertionError(f"no way from state {operation.state} to {state} ({operation.verb})")
        operation.state = state
        for name in ("prompt", "stopped_by", "queue_position"):
            operation.ClearField(name)
        for name, value in changes.items():
            setattr(operation, name, value)
        if state == RUNNING and not operation.HasField("started"):
            stamp(operation.started)
        if state in FINAL:
            stamp(operation.ended)
        self.touch()
        if state in FINAL:
            self.timer = None
            self.done.set()

    def touch(self) -> None:
        """Tell everybody that a field changed."""
        self.operation.revision += 1
        self._on_change(self)
        for follower in self._followers:
            follower.changed = True
            follower.wake.set()

    def emit(self, payload: Message) -> None:
        """Send a payload to every follower; a later one sees the last of each type."""
        field = self.verb.field(payload)
        self._payloads[field] = payload
        update = self.verb.update(self.operation, payload)
        for follower in self._followers:
            follower.pending.append(update)
            follower.wake.set()

    def succeed(self, result: Message) -> None:
        """End well."""
        self.verb.field(result)
        self.result = result
        effect = error_pb2.PHYSICAL_EFFECT_COMPLETE if self.verb.consumes else error_pb2.PHYSICAL_EFFECT_NONE
        self.move(SUCCEEDED, physical_effect=effect)

    def fail(self, failure: Failure) -> None:
        """End badly: CANCELLED, UNCERTAIN or FAILED follow from reason and effect."""
        operation = self.operation
        effect = operation.physical_effect
        fault = failure.device_fault if failure.HasField("device_fault") else None
        if fault is not None and fault.physical_effect:
            effect = fault.physical_effect
        elif self.committed and effect == error_pb2.PHYSICAL_EFFECT_NONE:
            effect = error_pb2.PHYSICAL_EFFECT_UNKNOWN
        state = FAILED
        if effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN:
            state = UNCERTAIN
        elif failure.reason == error_pb2.REASON_CANCELLED:
            state = CANCELLED
        if fault is not None:
            fault.physical_effect = effect
        operation.failure.CopyFrom(failure)
        self.move(state, physical_effect=effect)

    def forget_result(self) -> None:
        """Drop what may hold customer data."""
        if self.result is not None:
            self.result, self.result_dropped = None, True
        self._payloads.clear()
        if self.request is not None:
            self.fingerprint  # noqa: B018 - kept beyond the request
            self.request = None

    async def follow(self, *, caller: bool = False) -> AsyncIterator[Message]:
        """The verb's updates from now to the end; the last one carries the final state and the result."""
        events = [] if self.ended else [self.verb.update(self.operation, item) for item in self._payloads.values()]
        follower = _Follower(events, caller=caller)
        self._followers.add(follower)
        try:
            while True:
                await follower.wake.wait()
                follower.wake.clear()
                while follower.pending:
                    if len(follower.pending) > MAX_PENDING_EVENTS:
                        raise CountertopError(error_pb2.REASON_WATCHER_TOO_SLOW)
                    yield follower.pending.popleft()
                if follower.changed:
                    follower.changed = False
                    ended = self.ended
                    yield self.verb.update(self.operation, self.result if ended else None)
                    if ended:
                        return
        finally:
            self._followers.discard(follower)


def _seconds(options: Any, field: str, default: float, least: float) -> float:
    if not options.HasField(field):
        return default
    duration = getattr(options, field)
    seconds: float = duration.seconds + duration.nanos / 1e9
    if not least <= seconds <= 600:
        raise InvalidRequest({f"options.{field}": f"expected {least:g} s to 600 s, got {seconds:g} s"})
    return seconds


class OperationStore:
    """Remembers operations: those that go on, and the last `capacity` that ended.

    Results, which may hold customer data, are dropped `reads_seconds` or `consumes_seconds` after the end.
    """

    def __init__(self, capacity: int = 10_000, reads_seconds: float = 60.0, consumes_seconds: float = 3600.0) -> None:
        self._records: dict[str, OperationRecord] = {}
        self._ended: deque[str] = deque()
        self._capacity = capacity
        self._keep = {False: reads_seconds, True: consumes_seconds}
        self._results: dict[bool, deque[tuple[float, OperationRecord]]] = {False: deque(), True: deque()}
        self._sweeper: asyncio.TimerHandle | None = None

    def __iter__(self) -> Iterator[OperationRecord]:
        """From the oldest to the newest."""
        return iter(self._records.values())

    def __reversed__(self) -> Iterator[OperationRecord]:
        """From the newest to the oldest."""
        return reversed(self._records.values())

    def get(self, operation_id: str) -> OperationRecord:
        """Raises CountertopError(OPERATION_NOT_FOUND)."""
        record = self._records.get(operation_id)
        if record is None:
            raise CountertopError(
                error_pb2.REASON_OPERATION_NOT_FOUND, f"No operation {operation_id!r} is known on this terminal."
            )
        return record

    def attach(self, verb: Verb, request: Any) -> OperationRecord | None:
        """The operation that the request's id belongs to, if any.

        Raises CountertopError: OPERATION_ID_REUSED for another request, OPERATION_EXPIRED when its result is gone.
        """
        record = self._records.get(request.options.operation_id)
        if record is None:
            return None
        if record.fingerprint != fingerprint(verb, request):
            raise CountertopError(
                error_pb2.REASON_OPERATION_ID_REUSED,
                f"The operation id {record.id!r} belongs to a {record.operation.verb} with another request.",
            )
        if record.result_dropped:
            raise CountertopError(
                error_pb2.REASON_OPERATION_EXPIRED,
                f"The operation {record.id!r} ended and its result is no longer kept; it is not run again.",
            )
        return record

    def add(self, record: OperationRecord) -> None:
        """Remember a new operation."""
        self._records[record.id] = record

    def ended(self, record: OperationRecord) -> None:
        """Note that an operation ended: forget its result later, and the oldest of too many now."""
        loop = asyncio.get_running_loop()
        consumes = record.verb.consumes
        self._results[consumes].append((loop.time() + self._keep[consumes], record))
        if self._sweeper is None:
            self._sweeper = loop.call_later(min(self._keep.values()), self._sweep)
        self._ended.append(record.id)
        while len(self._ended) > self._capacity:
            del self._records[self._ended.popleft()]

    def _sweep(self) -> None:
        """Drop results whose time is up; come again while there are others."""
        loop = asyncio.get_running_loop()
        for results in self._results.values():
            while results and results[0][0] <= loop.time():
                results.popleft()[1].forget_result()
        coming = [results[0][0] for results in self._results.values() if results]
        self._sweeper = loop.call_at(min(coming), self._sweep) if coming else None

    def close(self) -> None:
        """Drop all results."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for record in self:
            record.forget_result()
