"""Holds a camera's newest frame, between whoever reads the camera and whoever looks at its frames."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from countertop.sdk.cameras.jpeg import frame_size
from countertop.sdk.errors import DeviceFault
from countertop.v1 import error_pb2

__all__ = ["FrameSlot", "Shot", "shot_of"]


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame as the camera gave it."""

    sequence: int
    monotonic_ns: int
    time_ns: int
    """Since the epoch."""
    jpeg: Callable[[], bytes]
    """Its JPEG file; encodes it where the camera sends another format, and may block for as long."""
    width: int
    height: int
    is_jpeg: bool = True
    """`jpeg` returns at once."""


class FrameSlot:
    """Written by one thread, read on the event loop that made it. An older frame that nobody took is forgotten."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._newest: Shot | None = None
        self._fault: DeviceFault | None = None
        self._sequence = time.monotonic_ns() // 1_000_000
        """Higher than that of the slot before it, whose camera was lost: a client's newest frame stays older."""
        self._waiting: set[asyncio.Future[None]] = set()
        self._told = True

    def put(self, jpeg: Callable[[], bytes], width: int, height: int, *, is_jpeg: bool = True) -> None:
        """A new frame, from any thread."""
        with self._lock:
            self._sequence += 1
            shot = Shot(self._sequence, time.monotonic_ns(), time.time_ns(), jpeg, width, height, is_jpeg)
            self._newest, self._fault = shot, None
        self._tell()

    def number(self) -> int:
        """A sequence for a frame that comes another way, such as a still."""
        with self._lock:
            self._sequence += 1
            return self._sequence

    def fail(self, fault: DeviceFault) -> None:
        """There will be no more frames, from any thread: those who wait are told, until `put` says otherwise."""
        with self._lock:
            self._fault = fault
        self._tell()

    def wipe(self) -> None:
        """Forget the frame."""
        with self._lock:
            self._newest = None

    @property
    def newest(self) -> Shot | None:
        """The newest frame, if there is one."""
        return self._newest

    @property
    def fault(self) -> DeviceFault | None:
        """Why there are no more frames."""
        return self._fault

    async def newer_than(self, sequence: int) -> Shot:
        """Wait for a frame with a higher sequence. Raises the DeviceFault that ended the frames."""
        while True:
            with self._lock:
                shot, fault = self._newest, self._fault
                if fault is None and (shot is None or shot.sequence <= sequence):
                    future = self._loop.create_future()
                    self._waiting.add(future)
                    self._told = False
                else:
                    future = None
            if future is None:
                if fault is not None:
                    raise DeviceFault(fault.reason, fault.message, step=fault.step, got=fault.got, action=fault.action)
                assert shot is not None
                return shot
            try:
                await future
            finally:
                with self._lock:
                    self._waiting.discard(future)

    def _tell(self) -> None:
        with self._lock:
            if self._told:
                return
            self._told = True
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)


def shot_of(sequence: int, jpeg: bytes) -> Shot:
    """A shot of a JPEG file that has come now. Raises DeviceFault(CAMERA_PICTURE_DAMAGED) when it is none."""
    size = frame_size(jpeg)
    if size is None:
        raise DeviceFault(
            error_pb2.REASON_CAMERA_PICTURE_DAMAGED, step="take", expected="a JPEG file", got=f"{len(jpeg)} bytes"
        )
    return Shot(sequence, time.monotonic_ns(), time.time_ns(), lambda: jpeg, *size)
