"""The reference of `fanout`: a raw grpc.aio stream that sends ready bytes to each watcher.

`python -m benchmarks.fanout_server ADDRESS`; orders on standard input as of `instant_daemon`.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc

from benchmarks.methods import WATCH, Method
from countertop.server.times import stamp
from countertop.v1.device_pb2 import Event, MediaChanged, Synced, WatchEventsResponse

BOOKMARK = "0123456789ab:"


class Log:
    """All messages so far, and who waits for the next."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.waiting: set[asyncio.Future[None]] = set()

    def append(self) -> None:
        """Make the next message."""
        event = Event(media_changed=MediaChanged(device_id="id-reader", media=1))
        stamp(event.time)
        number = len(self.messages) + 1
        response = WatchEventsResponse(sequence=number, bookmark=f"{BOOKMARK}{number}", event=event)
        self.messages.append(response.SerializeToString())
        waiting, self.waiting = self.waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def watch(self, request: Any, context: Any) -> AsyncIterator[bytes]:
        """What comes from now on."""
        at = len(self.messages)
        yield WatchEventsResponse(synced=Synced()).SerializeToString()
        while True:
            while at < len(self.messages):
                yield self.messages[at]
                at += 1
            future = asyncio.get_running_loop().create_future()
            self.waiting.add(future)
            await future


async def make(log: Log, orders: asyncio.Queue[str]) -> None:
    """Obey standard input."""
    while True:
        count, _, pause = (await orders.get()).partition(" ")
        for number in range(int(count)):
            log.append()
            if pause:
                await asyncio.sleep(float(pause))
            elif number % 50 == 49:
                await asyncio.sleep(0)


async def main(address: str) -> None:
    """Serve until SIGTERM."""
    method, log, server = Method.of(WATCH), Log(), grpc.aio.server()
    handler = grpc.unary_stream_rpc_method_handler(log.watch, method.request.FromString, None)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(method.service, {method.name: handler}),))
    server.add_insecure_port(address)
    stop, orders, loop = asyncio.Event(), asyncio.Queue[str](), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_reader(sys.stdin, lambda: orders.put_nowait(line) if (line := sys.stdin.readline().strip()) else None)
    maker = asyncio.create_task(make(log, orders))
    await server.start()
    print(json.dumps({"addresses": [address]}), flush=True)
    await stop.wait()
    maker.cancel()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
