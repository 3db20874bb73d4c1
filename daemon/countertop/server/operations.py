"""Operations: what they are, who follows them, which are remembered."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

from google.protobuf.message import Message

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.caller import CALLER
from countertop.server.journal.batch import OperationRow
from countertop.server.redact import holds_customer_data
from countertop.server.states import CANCELLED, FAILED, FINAL, QUEUED, RUNNING, STOPPED, SUCCEEDED, UNCERTAIN, WAYS
from countertop.server.times import stamp
from countertop.server.verbs import Verb
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Failure, PhysicalEffect, Reason
from countertop.v1.operation_pb2 import Operation, OperationState, Resolution
from countertop.v1.vendor_pb2 import CallRequest

__all__ = ["OperationRecord", "OperationStore", "fingerprint", "seconds"]

MAX_PENDING_EVENTS = 10_000
"""Events that a follower may lag behind before it is ended."""


MAX_RESULTS_BYTES = 64 * 1024 * 1024
"""Of results of operations that only read, all together: pictures are large, and a minute is long."""
MAX_INSTRUCTIONS = 16
"""Instructions that may wait for a driver to take them."""


def fingerprint(verb: Verb, request: Any) -> bytes:
    """SHA-256 over verb and request, without what belongs to the call alone: what makes two requests the same."""
    bare = type(request)()
    bare.CopyFrom(request)
    for field in ("timeout", "queue_timeout", "claim_token", "epoch"):
        bare.options.ClearField(field)
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

    def __init__(self, verb: Verb, operation: Operation, on_change: Callable[[OperationRecord], None]) -> None:
        self.verb = verb
        self.operation = operation
        self.request: Any = None
        self.caller = CALLER.get().turn
        self.claim_token = ""
        self.committed = False
        self.evidence: dict[str, Any] = {}
        self.used: dict[str, float] = {}
        self.result: Message | None = None
        self.result_dropped = False
        self.picture = b""
        """One that is too large for the result, where it belongs."""
        self.task: asyncio.Task[Any] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.instructions: asyncio.Queue[Message] = asyncio.Queue(MAX_INSTRUCTIONS)
        """What apps say to it while it runs."""
        self.interrupted_by: Reason | None = None
        self.cancel_requested = False
        self._left = False
        self.timeout = verb.default_timeout
        self.queue_timeout = 30.0
        self.queue_until = 0.0
        """Unix time up to which it may wait."""
        self._on_change = on_change
        self._payloads: dict[str, Message] = {}
        self._followers: set[_Follower] = set()
        self.done = asyncio.Event()
        """It ended, and the journal has that where it is kept there."""

    @classmethod
    def asked(cls, verb: Verb, request: Any, on_change: Callable[[OperationRecord], None]) -> OperationRecord:
        """A new one. Raises InvalidRequest."""
        options = request.options
        timeout = _seconds(options, "timeout", verb.default_timeout, least=0.1)
        queue_timeout = _seconds(options, "queue_timeout", 30.0, least=0.0)
        operation = Operation(
            id=options.operation_id or secrets.token_hex(16),
            device_id=request.device_id,
            verb=verb.name,
            state=QUEUED,
            visit_id=options.visit_id,
            copy_of=options.copy_of,
            physical_effect=error_pb2.PHYSICAL_EFFECT_NONE,
            revision=1,
        )
        if isinstance(request, CallRequest):
            operation.vendor_command = request.command.TypeName()
        stamp(operation.created)
        record = cls(verb, operation, on_change)
        record.request, record.claim_token = request, options.claim_token
        record.timeout, record.queue_timeout = timeout, queue_timeout
        record.queue_until = time.time() + queue_timeout
        return record

    @classmethod
    def restored(cls, verb: Verb, row: OperationRow, on_change: Callable[[OperationRecord], None]) -> OperationRecord:
        """One that the journal kept. One that had passed its commit point is STOPPED until it is known what became of
        it; one that had not is QUEUED again, and waits for its client to send the request again.
        """
        operation = Operation.FromString(row.body or b"")
        record = cls(verb, operation, on_change)
        record.fingerprint = row.digest
        record.committed, record.queue_until = row.committed, row.queue_until
        record.evidence = json.loads(row.evidence) if row.evidence else {}
        if record.ended:
            record.done.set()
            if row.result is not None:
                record.result = verb.result_type.FromString(row.result)
            record.result_dropped = operation.state == SUCCEEDED and row.result is None
            return record
        operation.state = STOPPED if row.committed else QUEUED
        for name in ("prompt", "stopped_by", "queue_position"):
            operation.ClearField(name)
        if row.committed:
            operation.stopped_by = error_pb2.REASON_INTERRUPTED
        else:
            operation.ClearField("started")
            operation.ClearField("progress")
        record.queue_timeout = max(0.0, row.queue_until - time.time())
        return record

    def take_up(self, request: Any) -> None:
        """Give a restored operation the request that its client sent again."""
        self.request, self.claim_token = request, request.options.claim_token
        self.caller = CALLER.get().turn
        self.timeout = _seconds(request.options, "timeout", self.verb.default_timeout, least=0.1)
        self.queue_timeout = max(0.0, self.queue_until - time.time())

    def row(self) -> OperationRow:
        """As the journal keeps it: no request, and no result that holds customer data."""
        kept = self.result is not None and not holds_customer_data(self.result)
        return OperationRow(
            id=self.id,
            digest=self.fingerprint,
            state=self.operation.state,
            committed=self.committed,
            queue_until=self.queue_until,
            ended=self.operation.ended.seconds + self.operation.ended.nanos / 1e9 if self.ended else None,
            body=self.operation.SerializeToString(),
            result=self.result.SerializeToString() if kept and self.result is not None else None,
            evidence=json.dumps(self.evidence) if self.evidence else None,
        )

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

    def instruct(self, instruction: Message) -> None:
        """Say something to the driver that carries it out. Raises CountertopError: NOT_RUNNING, QUEUE_FULL."""
        if self.ended or not self.operation.HasField("started"):
            raise CountertopError(error_pb2.REASON_NOT_RUNNING, f"The operation {self.id!r} does not run.")
        try:
            self.instructions.put_nowait(instruction)
        except asyncio.QueueFull:
            message = f"{MAX_INSTRUCTIONS} instructions wait for the operation {self.id!r}, which is the limit."
            raise CountertopError(error_pb2.REASON_QUEUE_FULL, message) from None

    def succeed(self, result: Message) -> None:
        """End well."""
        self.verb.field(result)
        self.result = result
        effect = error_pb2.PHYSICAL_EFFECT_COMPLETE if self.verb.consumes else error_pb2.PHYSICAL_EFFECT_NONE
        self.move(SUCCEEDED, physical_effect=effect)

    def fail(self, failure: Failure) -> None:
        """End badly: CANCELLED, UNCERTAIN or FAILED follow from reason and effect."""
        operation = self.operation
        effect = self.effect_of(failure)
        fault = failure.device_fault if failure.HasField("device_fault") else None
        state = FAILED
        if effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN:
            state = UNCERTAIN
        elif failure.reason == error_pb2.REASON_CANCELLED:
            state = CANCELLED
        if fault is not None:
            fault.physical_effect = effect
        operation.failure.CopyFrom(failure)
        self.move(state, physical_effect=effect)

    def effect_of(self, failure: Failure) -> PhysicalEffect:
        """What has happened in the world when it fails so."""
        effect = self.operation.physical_effect
        if failure.HasField("device_fault") and failure.device_fault.physical_effect:
            return failure.device_fault.physical_effect
        if self.committed and effect == error_pb2.PHYSICAL_EFFECT_NONE:
            return error_pb2.PHYSICAL_EFFECT_UNKNOWN
        return effect

    def leave(self) -> None:
        """The daemon ends before it is known what became of this one: streams end without an outcome."""
        self._left = True
        for follower in self._followers:
            follower.wake.set()

    def resolve(self, resolution: Resolution) -> None:
        """Add a person's word. Raises CountertopError(NOT_UNCERTAIN)."""
        if self.operation.state != UNCERTAIN or self.operation.HasField("resolution"):
            raise CountertopError(
                error_pb2.REASON_NOT_UNCERTAIN,
                f"The operation {self.id!r} is not UNCERTAIN, or somebody has given a word on it already.",
            )
        self.operation.resolution.CopyFrom(resolution)
        self.touch()

    @property
    def result_bytes(self) -> int:
        """What its result takes in memory, nearly."""
        return len(self.picture) + (0 if self.result is None else self.result.ByteSize())

    def forget_result(self) -> None:
        """Drop what may hold customer data."""
        if self.result is not None and holds_customer_data(self.result):
            self.result, self.result_dropped = None, True
        self.picture = b""
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
                    if ended:
                        await self.done.wait()  # nobody is told an outcome that a crash could take back
                    yield self.verb.update(self.operation, self.result if ended else None)
                    if ended:
                        return
                if self._left:
                    raise CountertopError(error_pb2.REASON_TERMINAL_STOPPING)
        finally:
            self._followers.discard(follower)


def seconds(message: Any, field: str, default: float, least: float = 0.0, prefix: str = "") -> float:
    """A duration field in seconds. Raises InvalidRequest unless it is `least` to 600 s."""
    if not message.HasField(field):
        return default
    duration = getattr(message, field)
    found: float = duration.seconds + duration.nanos / 1e9
    if not least <= found <= 600:
        raise InvalidRequest({f"{prefix}{field}": f"expected {least:g} s to 600 s, got {found:g} s"})
    return found


def _seconds(options: Any, field: str, default: float, least: float) -> float:
    return seconds(options, field, default, least, "options.")


class OperationStore:
    """Remembers operations: those that go on, and the last `capacity` that ended.

    Results that hold customer data are dropped `reads_seconds` or `consumes_seconds` after the end; those of operations
    that only read earlier, the oldest first, when they are more than MAX_RESULTS_BYTES. `find` looks in the journal for
    those that are not remembered.
    """

    def __init__(
        self,
        find: Callable[[str], OperationRecord | None] = lambda operation_id: None,
        capacity: int = 10_000,
        reads_seconds: float = 60.0,
        consumes_seconds: float = 3600.0,
    ) -> None:
        self._find = find
        self._records: dict[str, OperationRecord] = {}
        self._ended: deque[str] = deque()
        self._capacity = capacity
        self._keep = {False: reads_seconds, True: consumes_seconds}
        self._results: dict[bool, deque[tuple[float, OperationRecord, int]]] = {False: deque(), True: deque()}
        self._read_bytes = 0
        self._sweeper: asyncio.TimerHandle | None = None

    def __contains__(self, operation_id: str) -> bool:
        return operation_id in self._records

    def __iter__(self) -> Iterator[OperationRecord]:
        """From the oldest to the newest."""
        return iter(self._records.values())

    def __reversed__(self) -> Iterator[OperationRecord]:
        """From the newest to the oldest."""
        return reversed(self._records.values())

    def device_of(self, operation_id: str) -> str:
        """The device that a known operation is of; empty for an unknown one."""
        try:
            return self.get(operation_id).operation.device_id
        except CountertopError:
            return ""

    def get(self, operation_id: str) -> OperationRecord:
        """Raises CountertopError(OPERATION_NOT_FOUND)."""
        record = self._records.get(operation_id) or self._find(operation_id)
        if record is None:
            raise CountertopError(
                error_pb2.REASON_OPERATION_NOT_FOUND, f"No operation {operation_id!r} is known on this terminal."
            )
        return record

    def attach(self, verb: Verb, request: Any) -> OperationRecord | None:
        """The operation that the request's id belongs to, if any.

        Raises CountertopError: OPERATION_ID_REUSED for another request, OPERATION_EXPIRED when its result is gone.
        """
        operation_id = request.options.operation_id
        record = self._records.get(operation_id) or (self._find(operation_id) if verb.consumes else None)
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
        size = 0 if consumes else record.result_bytes
        self._results[consumes].append((loop.time() + self._keep[consumes], record, size))
        self._read_bytes += size
        while self._read_bytes > MAX_RESULTS_BYTES and len(self._results[False]) > 1:
            self._forget_oldest(self._results[False])
        if self._sweeper is None:
            self._sweeper = loop.call_later(min(self._keep.values()), self._sweep)
        self._ended.append(record.id)
        while len(self._ended) > self._capacity:
            del self._records[self._ended.popleft()]

    def _forget_oldest(self, results: deque[tuple[float, OperationRecord, int]]) -> None:
        _, record, size = results.popleft()
        self._read_bytes -= size
        record.forget_result()

    def _sweep(self) -> None:
        """Drop results whose time is up; come again while there are others."""
        loop = asyncio.get_running_loop()
        for results in self._results.values():
            while results and results[0][0] <= loop.time():
                self._forget_oldest(results)
        coming = [results[0][0] for results in self._results.values() if results]
        self._sweeper = loop.call_at(min(coming), self._sweep) if coming else None

    def close(self) -> None:
        """Drop all results."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for record in self:
            record.forget_result()
