"""A claim as its holder sees it: waited for, held, taken up again after a lost connection, given back."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from types import TracebackType

from countertop.client._stubs import Connection, Outage
from countertop.client.errors import ConnectionLost, CountertopError
from countertop.v1 import claim_pb2, error_pb2
from countertop.v1.claim_pb2 import ClaimRequest, HandoverRequested

__all__ = ["Claim"]

OnHandover = Callable[[str], "bool | Awaitable[bool]"]


class Claim:
    """The right to use devices alone: `async with counter.claim("printer", label="counter 3") as claim:`.

    Calls under it take `claim_token=claim.token`. When the connection breaks, the claim is taken up again for as long
    as the daemon keeps it; `lost` is set when it is gone for good, and `error` says why.
    """

    def __init__(
        self,
        connection: Connection,
        device_ids: Sequence[str],
        unit_ids: Sequence[str],
        label: str,
        wait: float,
        on_handover: OnHandover | None,
        on_queued: Callable[[int, list[str]], object] | None,
    ) -> None:
        self._connection = connection
        self._request = ClaimRequest(device_ids=device_ids, unit_ids=unit_ids, label=label)
        self._request.wait.FromNanoseconds(round(wait * 1e9))
        self._on_handover = on_handover
        self._on_queued = on_queued
        self._granted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._answers: set[asyncio.Task[None]] = set()
        self.token = ""
        self.fences: dict[str, int] = {}
        """By device: a number that grows with each claim."""
        self.lost = asyncio.Event()
        self.error: CountertopError | None = None

    def __repr__(self) -> str:
        what = ", ".join([*self._request.device_ids, *self._request.unit_ids])
        return f"<Claim of {what} by {self._request.label!r}>"

    async def acquire(self) -> Claim:
        """Wait until it is granted. Raises CountertopError: QUEUE_TIMEOUT, CLAIMED_BY_OTHER, QUEUE_FULL, …"""
        await self._connection.reach()
        self._task = asyncio.create_task(self._follow(), name=f"claim {self._request.label}")
        self._connection.adopt(self._task)
        granted = asyncio.create_task(self._granted.wait())
        try:
            await asyncio.wait({granted, self._task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.release()
            raise
        finally:
            granted.cancel()
        if self.error is not None:
            raise self.error
        return self

    async def release(self) -> None:
        """Give it back at once. Does nothing when it is lost already."""
        task, self._task = self._task, None
        if task is None:
            return
        if self.token and not self.lost.is_set():
            with suppress(CountertopError):
                await self._connection.ask(claim_pb2.ReleaseClaimRequest(token=self.token))
        for pending in (task, *self._answers):
            pending.cancel()
        await asyncio.wait({task, *self._answers})

    async def __aenter__(self) -> Claim:
        return await self.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.release()

    async def _follow(self) -> None:
        outage = Outage(self._connection.patience)
        try:
            while True:
                try:
                    async with aclosing(self._connection.stream(self._request)) as updates:
                        async for update in updates:
                            outage.over()
                            self._take(update)
                except ConnectionLost as error:
                    if not self.token:
                        raise
                    self._request.resume_token = self.token
                    await outage.pause(error)
                else:
                    return  # released
        except CountertopError as error:
            self.error = error
            self.lost.set()

    def _take(self, update: claim_pb2.ClaimResponse) -> None:
        if update.HasField("granted"):
            self.token, self.fences = update.granted.token, dict(update.granted.fences)
            self._granted.set()
        elif update.HasField("queued") and self._on_queued is not None:
            self._on_queued(update.queued.position, list(update.queued.holders))
        elif update.HasField("handover_requested") and self._on_handover is not None:
            task = asyncio.create_task(self._answer(self._on_handover, update.handover_requested))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _answer(self, ask: OnHandover, request: HandoverRequested) -> None:
        found = ask(request.by)
        yields = await found if inspect.isawaitable(found) else found
        answer = claim_pb2.AnswerHandoverRequest(token=self.token, yield_devices=bool(yields))
        try:
            await self._connection.ask(answer)
        except CountertopError as error:
            if error.reason != error_pb2.REASON_CLAIM_LOST:
                raise
