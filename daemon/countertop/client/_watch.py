"""The terminal's event stream, and an operation's, carried over a lost connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from countertop.client._operation import FINAL
from countertop.client._stubs import Connection, Outage
from countertop.client.errors import ConnectionLost, CountertopError
from countertop.v1 import error_pb2
from countertop.v1.device_pb2 import WatchEventsRequest, WatchEventsResponse
from countertop.v1.operation_pb2 import Operation, WatchOperationRequest

__all__ = ["watch_events", "watch_operation"]

_RESUMABLE = (error_pb2.REASON_WATCHER_TOO_SLOW, error_pb2.REASON_TERMINAL_STOPPING)
_STANDING = ("synced", "event", "heartbeat")
"""Messages behind which a stream may go on: a bookmark inside a snapshot would leave out its rest."""


async def watch_events(
    connection: Connection, request: WatchEventsRequest
) -> AsyncGenerator[WatchEventsResponse, None]:
    """Every message; goes on behind the last one when the connection was lost.

    Raises ConnectionLost when the daemon was away for longer than the connection's patience; other CountertopErrors as
    the daemon refuses.
    """
    await connection.reach()
    outage = Outage(connection.patience)
    while True:
        try:
            async with aclosing(connection.stream(request)) as responses:
                async for response in responses:
                    outage.over()
                    if response.WhichOneof("payload") in _STANDING:
                        request.bookmark = response.bookmark
                    yield response
            broken: CountertopError = ConnectionLost("The daemon ended the event stream.")
        except CountertopError as error:
            if not isinstance(error, ConnectionLost) and error.reason not in _RESUMABLE:
                raise
            broken = error
        await outage.pause(broken)


async def watch_operation(connection: Connection, operation_id: str) -> AsyncGenerator[Operation, None]:
    """The operation's states from now to its end, which is no error to a mere watcher, whatever it is."""
    await connection.reach()
    outage = Outage(connection.patience)
    last = Operation()
    while True:
        try:
            request = WatchOperationRequest(operation_id=operation_id)
            async with aclosing(connection.stream(request)) as responses:
                async for response in responses:
                    outage.over()
                    if response.operation.revision != last.revision:
                        last = response.operation
                        yield last
            broken: CountertopError = ConnectionLost("The daemon ended the stream.", operation=last)
        except CountertopError as error:
            if last.state not in FINAL and not isinstance(error, ConnectionLost):
                raise
            broken = error
        if last.state in FINAL:
            return
        await outage.pause(broken)
