"""One operation as its caller sees it: updates, result, cancel; carried over a lost connection."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Generic, TypedDict, TypeVar

import grpc

from countertop.client._stubs import Connection, Outage, consumes
from countertop.client.errors import ConnectionLost, CountertopError, error_of
from countertop.v1 import device_pb2, error_pb2, operation_pb2
from countertop.v1.operation_pb2 import CancelOutcome, Operation, OperationOptions

__all__ = ["CallOptions", "OperationHandle", "call_options"]

Update = TypeVar("Update")
Result = TypeVar("Result")

FINAL = (
    operation_pb2.OPERATION_STATE_SUCCEEDED,
    operation_pb2.OPERATION_STATE_FAILED,
    operation_pb2.OPERATION_STATE_CANCELLED,
    operation_pb2.OPERATION_STATE_UNCERTAIN,
)


class CallOptions(TypedDict, total=False):
    """What every device call takes beside its own arguments."""

    timeout: float | None
    """Longest time on the device, waiting for the person included, 0.1 to 600 s; the verb has a default."""
    queue_timeout: float | None
    """Longest time in the device's queue, 0 to 600 s; default 30 s."""
    visit_id: str
    """The customer's visit that this belongs to: the app's own number."""
    operation_id: str | None
    """Chosen by the app, to attach to the operation again later; by default a new UUID."""
    copy_of: str
    """The operation of which this is a wanted second copy."""
    claim_token: str
    """The token of the claim under which this runs."""


def call_options(given: CallOptions) -> OperationOptions:
    """As the request has them; always with an operation id."""
    options = OperationOptions(
        operation_id=given.get("operation_id") or uuid.uuid4().hex,
        visit_id=given.get("visit_id", ""),
        copy_of=given.get("copy_of", ""),
        claim_token=given.get("claim_token", ""),
    )
    for field in ("timeout", "queue_timeout"):
        seconds = given.get(field)
        if isinstance(seconds, int | float):
            getattr(options, field).FromNanoseconds(round(seconds * 1e9))
    return options


class OperationHandle(Generic[Update, Result]):
    """An operation that was begun: `async for update in handle`, `await handle.result()`, `await handle.cancel()`.

    The operation goes its way whether or not anybody listens. When the connection breaks, the handle attaches to it
    again by its id. Leaving the handle's `async with` hangs up: that cancels an operation that only reads, and leaves
    alone one that uses something up. A handle that is not left so hangs up when the counter is closed.
    """

    def __init__(
        self, connection: Connection, request: Any, find_device: Callable[[], Awaitable[str]] | None = None
    ) -> None:
        self._connection = connection
        self._request = request
        self._find_device = find_device
        self._operation: Operation | None = None
        self._result: Any = None
        self._sent = False
        self._pending: deque[Any] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[Result] = asyncio.create_task(self._run(), name=f"operation {self.id}")
        self._task.add_done_callback(self._ended)
        connection.adopt(self._task)

    @property
    def id(self) -> str:
        """The operation's id, chosen before the call."""
        return str(self._request.options.operation_id)

    @property
    def operation(self) -> Operation:
        """The operation as last heard of; before the daemon's first word only its id is set."""
        return self._operation if self._operation is not None else Operation(id=self.id)

    @property
    def done(self) -> bool:
        """It ended, or could not be followed to its end: `result` answers at once."""
        return self._task.done()

    def __repr__(self) -> str:
        return f"<OperationHandle {self.id} {operation_pb2.OperationState.Name(self.operation.state)}>"

    async def __aiter__(self) -> AsyncGenerator[Update, None]:
        """Each update once, the last one with the final state; then raises as `result` does.

        States between two updates may be left out; events of the verb never are.
        """
        while self._pending or not self._task.done():
            if not self._pending:
                await self._change()
                continue
            update: Update = self._pending.popleft()
            yield update
        await self.result()

    async def result(self) -> Result:
        """What the verb gives, once the operation succeeded.

        Raises:
            OperationFailed, OperationCancelled, OutcomeUncertain: by the operation's final state.
            InvalidRequest, NotFound, DeviceUnavailable: it was refused.
            ConnectionLost: the daemon stayed away for longer than the counter's patience.
        """
        await asyncio.wait([self._task])
        if self._task.cancelled():
            raise CountertopError(
                "The call was ended before the operation's outcome was known.",
                code=grpc.StatusCode.CANCELLED,
                operation=self._operation,
            )
        return self._task.result()

    async def cancel(self) -> CancelOutcome:
        """Ask for the operation to be given up, and wait until that is settled: CANCELLED or TOO_LATE.

        Raises CountertopError when the operation was refused from the start.
        """
        while self._operation is None and not self._task.done():
            await self._change()
        if self._operation is None:
            await self.result()
        response = await self._connection.ask(operation_pb2.CancelOperationRequest(operation_id=self.id))
        outcome: CancelOutcome = response.outcome
        return outcome

    async def close(self) -> None:
        """Hang up. Cancels an operation that only reads; one that uses something up goes on."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def __aenter__(self) -> OperationHandle[Update, Result]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self) -> Result:
        if not self._request.device_id and self._find_device is not None:
            self._request.device_id = await self._find_device()
        await self._connection.reach()
        outage = Outage(self._connection.patience)
        while True:
            broken: CountertopError
            try:
                await self._know_daemon()
                async with aclosing(self._connection.stream(self._request)) as updates:
                    async for update in updates:
                        outage.over()
                        self._take(update)
                broken = ConnectionLost("The daemon ended the stream before the operation.", operation=self._operation)
            except CountertopError as error:
                if (
                    error.reason == error_pb2.REASON_EPOCH_CHANGED
                ):  # that daemon knows nothing of what the first one did
                    error.operation, error.physical_effect = self._operation, error_pb2.PHYSICAL_EFFECT_UNKNOWN
                if not isinstance(error, ConnectionLost) and not self._left_by(error):
                    raise
                broken = error
                broken.operation = self._operation
            if self._operation is not None and self._operation.state in FINAL:
                return self._outcome(self._operation)
            if self._sent and consumes(self._request):  # it may be under way
                broken.physical_effect = error_pb2.PHYSICAL_EFFECT_UNKNOWN
            await outage.pause(broken)

    def _left_by(self, error: CountertopError) -> bool:
        """The daemon stops before the operation's end is known; the next one will tell."""
        begun = self._operation is not None and self._operation.state not in FINAL
        return begun and error.reason == error_pb2.REASON_TERMINAL_STOPPING

    def _take(self, update: Any) -> None:
        """Keep an update for whoever iterates: states collapse to the latest, events are never dropped."""
        self._operation = update.operation
        if update.WhichOneof("payload") == "result":
            self._result = update.result
        if self._pending and self._pending[-1].WhichOneof("payload") is None:
            self._pending.pop()
        self._pending.append(update)
        self._news.set()

    async def _change(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _outcome(self, operation: Operation) -> Result:
        if operation.state != operation_pb2.OPERATION_STATE_SUCCEEDED:
            raise error_of(operation)
        if self._result is None:
            raise CountertopError("The operation succeeded without a result.", operation=operation)
        result: Result = self._result
        return result

    async def _know_daemon(self) -> None:
        """Say in which epoch this was first sent. A daemon that has lost its journal since refuses it then, instead of
        doing it a second time.
        """
        options = self._request.options
        if consumes(self._request) and not options.epoch:
            options.epoch = (await self._connection.ask(device_pb2.GetTerminalRequest())).terminal.epoch
        self._sent = True

    def _ended(self, task: asyncio.Task[Result]) -> None:
        self._news.set()
        if not task.cancelled():
            task.exception()  # an outcome that nobody asks for is no mistake
