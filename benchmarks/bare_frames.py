"""The reference of `frames`: reads the same camera, and passes frames on with grpc.aio, one for each credit. No more.

`python -m benchmarks.bare_frames PORT`: the camera's port on this machine. It believes every length, knows one
camera and no claims, and loses the camera for good when it is lost.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc

from countertop.v1.camera_pb2 import Frame, WatchFramesRequest, WatchFramesResponse


class Newest:
    """The newest frame."""

    def __init__(self) -> None:
        self.frame = Frame()
        self.changed = asyncio.Event()

    async def read(self, port: int) -> None:
        """Read the camera."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        writer.write(b"GET /stream HTTP/1.0\r\n\r\n")
        while True:
            line = await reader.readline()
            if line.lower().startswith(b"content-length:"):
                size = int(line.split(b":")[1])
                await reader.readuntil(b"\r\n")  # the empty line behind the last header
                data = await reader.readexactly(size)
                self.frame = Frame(sequence=self.frame.sequence + 1, monotonic_ns=time.monotonic_ns(), data=data)
                event, self.changed = self.changed, asyncio.Event()
                event.set()

    async def after(self, sequence: int) -> Frame:
        """A newer frame."""
        while self.frame.sequence <= sequence:
            await self.changed.wait()
        return self.frame


async def main(port: int) -> None:
    """Serve until SIGTERM."""
    newest = Newest()
    reading = asyncio.create_task(newest.read(port))

    async def watch(requests: AsyncIterator[WatchFramesRequest], context: Any) -> AsyncIterator[WatchFramesResponse]:
        last = 0
        async for _ in requests:
            frame = await newest.after(last)
            last = frame.sequence
            yield WatchFramesResponse(frame=frame)

    server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(
        watch, WatchFramesRequest.FromString, WatchFramesResponse.SerializeToString
    )
    service = grpc.method_handlers_generic_handler("countertop.v1.CameraService", {"WatchFrames": handler})
    server.add_generic_rpc_handlers((service,))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await server.start()
    print(json.dumps({"addresses": [address]}), flush=True)
    await stop.wait()
    reading.cancel()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
