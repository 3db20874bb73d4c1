"""Watches frames for a while: `python -m benchmarks.frame_client SIDE ADDRESS SECONDS FPS`. SIDE is `ours` (the client
library) or `bare` (grpc.aio alone); at 0 fps it takes what comes. Says frames, their age when they come, and its CPU.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc

from countertop.client import connect
from countertop.v1.camera_pb2 import Frame, WatchFramesRequest, WatchFramesResponse


async def ours(address: str) -> AsyncGenerator[Frame, None]:
    """By the client library."""
    async with connect(address) as counter, aclosing(counter.camera("camera").frames()) as frames:
        async for frame in frames:
            yield frame


async def bare(address: str) -> AsyncGenerator[Frame, None]:
    """By grpc.aio."""
    async with grpc.aio.insecure_channel(address) as channel:
        call: Any = channel.stream_stream(
            "/countertop.v1.CameraService/WatchFrames",
            WatchFramesRequest.SerializeToString,
            WatchFramesResponse.FromString,
        )()
        while True:
            await call.write(WatchFramesRequest(device_id="camera", credits=1))
            yield (await call.read()).frame


async def main(side: str, address: str, seconds: float, fps: float) -> None:
    """Watch, then say."""
    source = {"ours": ours, "bare": bare}[side](address)
    ages: list[float] = []
    began = cpu = 0.0
    async with aclosing(source) as frames:
        async for frame in frames:
            now = time.monotonic()
            if not began:  # the first one is of the warm-up: a camera that was off
                began, cpu = now, time.process_time()
                continue
            ages.append(now - frame.monotonic_ns / 1e9)
            if now - began >= seconds:
                break
            if fps:
                await asyncio.sleep(1 / fps)
    spent = time.monotonic() - began
    print(json.dumps({"fps": len(ages) / spent, "ages": ages, "cpu": (time.process_time() - cpu) / spent}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
