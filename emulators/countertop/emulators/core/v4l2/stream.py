"""The frames of one camera: rendered and written at the frame rate, in a thread of the camera's own."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import time
from collections.abc import Callable
from concurrent.futures import Executor

from countertop.emulators.core.clock import Clock
from countertop.emulators.core.v4l2.device import CaptureDevice, Exposure
from countertop.emulators.core.v4l2.faults import IoError, OtherSize, Slow, Stall, StreamFault, Truncated

__all__ = ["FrameSource", "FrameStream"]

FrameSource = Callable[[int, int, int], bytes]
"""frame(index, width, height): a JPEG. `index` counts the stream's frames from 0, with gaps where the client was slow.
Called in a thread, one call at a time for a camera."""


class FrameStream:
    """Fills the buffers of a device. `file` is what the client maps; `thread` is where the source is called."""

    def __init__(
        self, device: CaptureDevice, clock: Clock, source: FrameSource, file: io.FileIO, thread: Executor
    ) -> None:
        self._device = device
        self._clock = clock
        self._source = source
        self._file = file
        self._thread = thread
        self._session: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._fault: StreamFault | None = None

    @property
    def fault(self) -> StreamFault | None:
        """What goes wrong now; takes effect at once."""
        return self._fault

    @fault.setter
    def fault(self, fault: StreamFault | None) -> None:
        self._fault = fault
        self._device.io_error = isinstance(fault, IoError)
        if self._device.io_error:
            self._device.abort(errno.EIO)

    def follow(self) -> None:
        """Begin or end, as the device's client has asked. To be called after each of its ioctls."""
        if self._device.session == self._session:
            return
        self.stop()
        self._session = self._device.session
        if self._session is not None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """No more frames."""
        self._session = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _run(self) -> None:
        try:
            await self._frames()
        except Exception as error:  # the source's: its client sees a broken camera, the emulator's owner the error
            self._device.abort(errno.EIO)
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the frame source of an emulated camera failed", "exception": error}
            )

    async def _frames(self) -> None:
        loop, clock = asyncio.get_running_loop(), self._clock
        due = clock.now()
        while True:
            fault = self._fault
            interval = 1 / (fault.rate if isinstance(fault, Slow) else self._device.rate)
            due += interval
            await clock.sleep(due - clock.now())
            late = max(0, int((clock.now() - due) / interval))
            due += late * interval
            fault = self._fault
            if isinstance(fault, Stall):
                continue
            self._device.skip(late)
            exposure = self._device.expose()
            if exposure is not None and exposure.buffer is not None:
                began = time.monotonic()  # clients compare with their own CLOCK_MONOTONIC, whatever our clock's speed
                used = await loop.run_in_executor(self._thread, self._fill, exposure, fault)
                self._device.complete(exposure, used, began)

    def _fill(self, exposure: Exposure, fault: StreamFault | None) -> int:
        """In the thread: how many bytes were written; 0 for a frame that the buffer cannot hold."""
        assert exposure.buffer is not None
        data = self._render(exposure, fault)
        if isinstance(fault, Truncated):
            data = data[: max(1, int(len(data) * fault.keep))]
        if len(data) > exposure.buffer.length:
            return 0
        view, written = memoryview(data), 0
        while written < len(data):
            written += os.pwrite(self._file.fileno(), view[written:], exposure.buffer.offset + written)
        return written

    def _render(self, exposure: Exposure, fault: StreamFault | None) -> bytes:
        size = fault if isinstance(fault, OtherSize) else exposure.mode.size
        jpeg = self._source(exposure.sequence, size.width, size.height)
        if exposure.mode.format.compressed:
            return jpeg
        from countertop.emulators.core.v4l2.pixels import jpeg_to_yuyv  # OpenCV, only for raw frames

        raw = jpeg_to_yuyv(jpeg)
        if len(raw) != 2 * size.width * size.height:
            raise ValueError(f"expected a JPEG of {size.width}x{size.height}, got one of {len(raw) // 2} pixels")
        return raw
