"""RTSP streams and video files through OpenCV's FFmpeg: read on and on, decoded only for those who look."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import quote

from countertop.drivers.opencv.encoding import jpeg_of
from countertop.drivers.opencv.grabber import Grabber
from countertop.drivers.opencv.options import CameraOptions
from countertop.drivers.opencv.source import CameraLink, Mode, listens
from countertop.drivers.opencv.v4l2_link import NEEDS_OPENCV
from countertop.sdk import CountertopError, DeviceFault, LinkFault, LinkUrl
from countertop.sdk.cameras import FrameSlot
from countertop.v1 import error_pb2

__all__ = ["VideoLink"]

RTSP_PORT = 554


class VideoLink(CameraLink):
    """`rtsp://192.0.2.41/main`, or `file:///srv/lobby.mp4`, which is shown at its own speed, again and again."""

    schemes: ClassVar[tuple[str, ...]] = ("rtsp", "file")

    def __init__(self, url: LinkUrl) -> None:
        self.url = url
        self._mode = Mode("BGR")
        self._grabber: _VideoGrabber | None = None

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Look whether it is there. Raises LinkFault, CountertopError(NOT_SUPPORTED) without OpenCV."""
        try:
            await asyncio.to_thread(__import__, "cv2")
        except ImportError:
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, NEEDS_OPENCV) from None
        link = cls(url)
        await link.present()
        return link

    @property
    def mode(self) -> Mode:
        """As the stream says."""
        return self._mode

    @property
    def damaged(self) -> int:
        """FFmpeg does not tell."""
        return 0

    async def present(self) -> None:
        """The file is there, or somebody listens at the port."""
        if self.url.scheme == "file":
            if not await asyncio.to_thread(Path(self.url.path).is_file):
                raise LinkFault(error_pb2.REASON_DEVICE_OFFLINE, f"There is no file {self.url.path}.", step="open")
            return
        await listens(self.url, RTSP_PORT)

    async def begin(self, slot: FrameSlot, options: CameraOptions) -> None:
        """Start reading."""
        self._grabber = _VideoGrabber(self.url, slot, options, self._set_mode)
        self._grabber.start()

    def _set_mode(self, fps: float) -> None:
        self._mode = Mode("BGR", fps)

    async def end(self) -> None:
        """Stop reading."""
        grabber, self._grabber = self._grabber, None
        if grabber is not None:
            await grabber.end()

    async def close(self) -> None:
        """Stop reading."""
        await self.end()


class _VideoGrabber(Grabber):
    """Reads a stream."""

    def __init__(self, url: LinkUrl, slot: FrameSlot, options: CameraOptions, opened: Any) -> None:
        super().__init__(url.host or url.path)
        self._url = url
        self._slot = slot
        self._options = options
        self._opened = opened
        self._fps = 0.0
        self._due = 0.0

    def open(self) -> Any:
        """With time limits of ours: FFmpeg's own are 30 s."""
        import cv2

        place, limits = self._url.path, [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(self._options.open_seconds * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(max(self._options.stall_seconds, 1.0) * 1000),
        ]  # fmt: skip
        if self._url.scheme == "rtsp":
            place = self._url.text
            if self._options.user:
                login = f"{quote(self._options.user, safe='')}:{quote(self._options.password, safe='')}"
                place = place.replace("://", f"://{login}@", 1)
        capture = cv2.VideoCapture(place, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            capture.release()
            raise LinkFault(error_pb2.REASON_DEVICE_OFFLINE, "The stream cannot be opened.", step="switch on")
        self._fps = float(capture.get(cv2.CAP_PROP_FPS))
        self._due = time.monotonic()
        self._opened(self._fps)
        return capture

    def read(self, capture: Any) -> bool:
        """A frame to the slot. A file begins anew at its end."""
        import cv2

        ok, frame = capture.read()
        if not ok and self._url.scheme == "file":
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            ok, frame = capture.read()
        if not ok or self.ended:
            return False
        if self._url.scheme == "file":
            self._due = max(self._due + 1 / (self._fps or 25.0), time.monotonic() - 1)
            self.wait(self._due - time.monotonic())  # a file has no pace of its own
        height, width = frame.shape[:2]
        self._slot.put(partial(jpeg_of, frame, self._options.quality), width, height, is_jpeg=False)
        return True

    def failed(self, fault: DeviceFault) -> None:
        """To those who wait for frames."""
        self._slot.fail(fault)
