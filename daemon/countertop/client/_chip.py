"""Talking to a chip: one command, one answer, over one bidirectional call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any

import grpc

from countertop.client._stubs import Connection
from countertop.client.errors import CountertopError, translate
from countertop.v1.card_printer_pb2 import ChipReady, ExchangeApdusRequest, ExchangeApdusResponse
from countertop.v1.operation_pb2 import OperationOptions

__all__ = ["ChipSession"]


class ChipSession:
    """An exchange of APDUs, for `async with`: entering opens the chip, leaving ends the exchange and waits for its end.

    A command is never sent twice: when the connection breaks, so does the exchange. Each method raises CountertopError.
    """

    def __init__(
        self,
        connection: Connection,
        find_device: Callable[[], Awaitable[str]],
        options: OperationOptions,
        *,
        issue: str,
        contactless: bool,
        protocols: Iterable[int],
    ) -> None:
        self._connection = connection
        self._find_device = find_device
        self._first = ExchangeApdusRequest(options=options)
        if issue:
            self._first.issue_operation_id = issue
        else:
            self._first.open.contactless = contactless
            self._first.open.protocols.extend(protocols)
        self._call: Any = None
        self._number = 0
        self.ready = ChipReady()

    @property
    def atr(self) -> bytes:
        """The chip's last answer to reset, 2 to 33 bytes."""
        return self.ready.atr

    @property
    def protocol(self) -> int:
        """0 or 1, for T=0 or T=1."""
        return self.ready.protocol

    async def transmit(self, command: bytes) -> bytes:
        """Send a command APDU; the response APDU with its status words."""
        self._number += 1
        await self._send(ExchangeApdusRequest(command={"id": self._number, "command": command}))
        answer = await self._answer("chip_answered")
        return answer.chip_answered.response

    async def reset(self) -> bytes:
        """Reset the chip; its ATR."""
        await self._send(ExchangeApdusRequest(reset={}))
        self.ready = (await self._answer("chip_ready")).chip_ready
        return self.atr

    async def __aenter__(self) -> ChipSession:
        self._first.device_id = await self._find_device()
        await self._connection.reach()
        self._call = self._connection.exchange(ExchangeApdusRequest)
        try:
            await self._send(self._first)
            self.ready = (await self._answer("chip_ready")).chip_ready
        except BaseException:
            self._call.cancel()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._call.cancel()
            return
        try:
            await self._call.done_writing()
            while await self._call.read() is not grpc.aio.EOF:
                pass
            code = await self._call.code()
        except grpc.RpcError as broken:
            raise translate(broken) from None
        finally:
            self._call.cancel()
        if code is not grpc.StatusCode.OK:
            raise CountertopError("The exchange did not end well.", code=code)

    async def _send(self, message: ExchangeApdusRequest) -> None:
        try:
            await self._call.write(message)
        except grpc.RpcError as error:
            raise translate(error) from None
        except asyncio.InvalidStateError:  # the call has ended; reading tells how
            await self._answer("")

    async def _answer(self, wanted: str) -> ExchangeApdusResponse:
        """The next message with that payload; those that only tell a state are passed over."""
        operation = None
        try:
            while True:
                response = await self._call.read()
                if response is grpc.aio.EOF:
                    raise CountertopError("The daemon ended the exchange.", operation=operation)
                operation = response.operation
                if response.WhichOneof("payload") == wanted:
                    found: ExchangeApdusResponse = response
                    return found
        except grpc.RpcError as error:
            raise translate(error, operation) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():  # it is the call that was cancelled, earlier
                raise CountertopError("The exchange was broken off.", code=grpc.StatusCode.CANCELLED) from None
            raise
