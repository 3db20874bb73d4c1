"""Talking to a chip over one bidirectional call: each message of the client is an instruction to the operation, each
answer of the chip one of its payloads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.message import Message

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.operations import OperationRecord
from countertop.v1 import error_pb2
from countertop.v1.card_printer_pb2 import EndOfExchange, ExchangeApdusRequest, ExchangeApdusResponse

__all__ = ["ApduExchange", "check_command"]

Requests = AsyncIterator[ExchangeApdusRequest]
_LATER = "expected a command or a reset after the first message"


def check_command(command: bytes, field: str) -> None:
    """What is no command must not cost a card. Raises InvalidRequest."""
    from countertop.sdk.cards.apdu import parse_command

    try:
        parse_command(command)
    except ValueError as error:
        raise InvalidRequest({field: str(error)}) from None


class ApduExchange:
    """One call. Takes one message of the client at a time and waits for its answer: nothing is held without bound.

    With `joined` the operation is an IssueCard, which goes on when the client is done.
    """

    def __init__(self, record: OperationRecord, requests: Requests, *, joined: bool) -> None:
        self._record = record
        self._requests = requests
        self._joined = joined
        self._turn = asyncio.Event()
        self._waits_ready = True
        self._waits_for: int | None = None

    async def follow(self, updates: AsyncIterator[Message]) -> AsyncIterator[ExchangeApdusResponse]:
        """The call's responses, made of the operation's updates. Raises CountertopError; InvalidRequest for a message
        that has no place there.
        """
        talk = asyncio.create_task(self._talk(), name=f"exchange {self._record.id}")
        coming: asyncio.Future[Any] | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(updates, None))
                waited: set[asyncio.Future[Any]] = {coming} if talk.done() else {coming, talk}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if talk.done() and not self._record.ended:
                    talk.result()
                    if self._joined:
                        return
                if not coming.done():
                    continue
                update, coming = coming.result(), None
                if update is None:
                    return
                response = self._response(update)
                if response is not None:
                    yield response
        finally:
            left = [task for task in (talk, coming) if task is not None]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _response(self, update: Any) -> ExchangeApdusResponse | None:
        """The update in this call's words; None for what is none of its business."""
        if not isinstance(update, ExchangeApdusResponse):
            joined = ExchangeApdusResponse(operation=update.operation)
            payload = update.WhichOneof("payload")
            if payload in ("chip_ready", "chip_answered"):
                getattr(joined, payload).CopyFrom(getattr(update, payload))
            elif payload is not None:
                return None
            update = joined
        if update.HasField("chip_ready"):
            if not self._waits_ready:
                return None
            self._waits_ready = False
            self._turn.set()
        elif update.HasField("chip_answered"):
            if update.chip_answered.id != self._waits_for:
                return None  # an answer of before this client came
            self._waits_for = None
            self._turn.set()
        found: ExchangeApdusResponse = update
        return found

    async def _talk(self) -> None:
        """Hand on what the client says, in turn; ends when it half-closes."""
        while True:
            await self._turn.wait()
            request = await anext(self._requests, None)
            if request is None:
                self._instruct(EndOfExchange())
                return
            what = request.WhichOneof("message")
            if what not in ("command", "reset"):
                raise InvalidRequest({what or "message": _LATER})
            self._turn.clear()
            if what == "command":
                check_command(request.command.command, "command.command")
                self._waits_for = request.command.id
                self._instruct(request.command)
            else:
                self._waits_ready = True
                self._instruct(request.reset)

    def _instruct(self, message: Message) -> None:
        """Say it to the operation; one that has ended tells by itself how."""
        try:
            self._record.instruct(message)
        except CountertopError as error:
            if error.reason != error_pb2.REASON_NOT_RUNNING or not self._record.ended:
                raise
