"""Looks through a camera beside its operations: one frame, or one for each credit of a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.driver_errors import CONNECT_ANEW, as_ours
from countertop.server.runner import DeviceRunner
from countertop.server.terminal import Terminal
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.camera_pb2 import (
    Frame,
    FramesInterrupted,
    GetFrameRequest,
    WatchFramesRequest,
    WatchFramesResponse,
)

__all__ = ["MAX_CREDITS", "Lookout", "next_frame"]

MAX_CREDITS = 8
"""That a client may have at once; each holds a frame in its connection's buffers."""
MAX_FRAME = 7 * 512 * 1024
"""Bytes of a frame: gRPC clients take messages of 4 MiB when nobody tells them otherwise."""


async def next_frame(runner: DeviceRunner, driver: Any, newer_than: int) -> Frame:
    """A frame of a camera's driver. Raises CountertopError; the runner connects anew when the camera is lost."""
    try:
        frame: Frame = await driver.next_frame(GetFrameRequest(newer_than=newer_than))
    except Exception as error:
        ours = as_ours(runner.id, error, "next frame")
        runner.lose(driver, ours)
        raise ours from None
    if len(frame.data) > MAX_FRAME:
        raise CountertopError(
            error_pb2.REASON_NOT_SUPPORTED,
            f"A frame of {runner.id} has {len(frame.data)} bytes, which is more than one message holds; take stills of "
            "it, or set a smaller `width` and `height` for its frames.",
        )
    return frame


class Lookout:
    """One client's stream of frames."""

    def __init__(self, terminal: Terminal, requests: AsyncIterator[WatchFramesRequest]) -> None:
        self._terminal = terminal
        self._requests = requests
        self._credits = 0
        self._more = asyncio.Event()
        self._ended = False
        self._refusal: CountertopError | None = None
        self._token = ""

    async def responses(self) -> AsyncIterator[WatchFramesResponse]:
        """Until the client ends it. Raises CountertopError: DEVICE_NOT_FOUND, WRONG_KIND, CLAIMED_BY_OTHER, …"""
        first = await anext(self._requests, None)
        if first is None:
            return
        if not first.device_id:
            raise InvalidRequest({"device_id": "required in the first message"})
        self._token = first.claim_token
        runner = self._terminal.runner(first.device_id, device_pb2.DEVICE_KIND_CAMERA)
        self._allowed(runner)
        self._credit(first)
        reading = asyncio.create_task(self._read(), name=f"credits {runner.id}")
        try:
            async for response in self._look(runner):
                yield response
        finally:
            reading.cancel()
            await asyncio.wait({reading})

    async def _read(self) -> None:
        try:
            async for request in self._requests:
                self._credit(request)
        except CountertopError as error:
            self._refusal = error
        finally:
            self._ended = True
            self._more.set()

    def _credit(self, request: WatchFramesRequest) -> None:
        self._credits = min(MAX_CREDITS, self._credits + (request.credits or 1))
        self._more.set()

    async def _wanted(self) -> bool:
        """Wait until the client wants a frame; False when it wants no more."""
        while not self._credits and not self._ended:
            self._more.clear()
            await self._more.wait()
        if self._refusal is not None:
            raise self._refusal
        return self._credits > 0

    def _allowed(self, runner: DeviceRunner) -> None:
        self._terminal.claims.check(runner.id, self._token)

    async def _look(self, runner: DeviceRunner) -> AsyncIterator[WatchFramesResponse]:
        last = 0
        driver: Any = None
        while await self._wanted():
            self._allowed(runner)
            try:
                driver = runner.reached()
                frame = await next_frame(runner, driver, last)
            except CountertopError as error:
                if error.reason not in CONNECT_ANEW:
                    raise
                yield WatchFramesResponse(interrupted=FramesInterrupted(reason=error.reason, message=error.message))
                await self._until_back(runner, driver)
                continue
            self._allowed(runner)  # the claim may have ended while it came
            self._credits -= 1
            skipped = frame.sequence - last - 1 if last else 0
            last = frame.sequence
            yield WatchFramesResponse(frame=frame, skipped=skipped)

    async def _until_back(self, runner: DeviceRunner, before: Any) -> None:
        """Wait for the camera, or for the client to go. Raises CountertopError(TERMINAL_STOPPING)."""
        back = asyncio.create_task(runner.reach.anew(before), name=f"wait for {runner.id}")
        try:
            while not back.done() and not self._ended:
                self._more.clear()
                more = asyncio.create_task(self._more.wait())
                await asyncio.wait({back, more}, return_when=asyncio.FIRST_COMPLETED)
                more.cancel()
            if back.done():
                back.result()
        finally:
            back.cancel()
