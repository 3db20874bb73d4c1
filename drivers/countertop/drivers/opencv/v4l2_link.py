"""V4L2 cameras through OpenCV: MJPG frames go to the clients as the camera made them, nobody decodes them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Self

from countertop.drivers.opencv.encoding import jpeg_of
from countertop.drivers.opencv.grabber import Grabber
from countertop.drivers.opencv.nodes import Card, find_node, maker_and_serial
from countertop.drivers.opencv.options import CameraOptions
from countertop.drivers.opencv.source import CameraLink, Mode
from countertop.sdk import CountertopError, DeviceFault, LinkFault, LinkUrl
from countertop.sdk.cameras import FrameSlot, Shot, frame_size, is_whole
from countertop.v1 import error_pb2

__all__ = ["V4l2CameraLink"]

SELECT_SECONDS = "3"
"""How long OpenCV waits for a frame before a read fails; its own default is 10 s."""
NEEDS_OPENCV = "Cameras need OpenCV: pip install 'countertop[camera]'"


class V4l2CameraLink(CameraLink):
    """`v4l2:///dev/v4l/by-id/usb-Acme_Cam_SN01-video-index0`, or the name without `-video-index0`; or `/dev/video0`,
    which is whatever camera came first.
    """

    schemes: ClassVar[tuple[str, ...]] = ("v4l2",)

    def __init__(self, url: LinkUrl, card: Card, maker: str, serial: str) -> None:
        self.url = url
        self._card = card
        self._mode = Mode("MJPG", vendor=maker, model=card.card, serial=serial)
        self._damaged = 0
        self._grabber: _V4l2Grabber | None = None

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Ask the node what it is. Raises LinkFault, CountertopError(NOT_SUPPORTED) without OpenCV."""
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", SELECT_SECONDS)  # read when cv2 first waits
        try:
            await asyncio.to_thread(__import__, "cv2")
        except ImportError:
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, NEEDS_OPENCV) from None
        node, card = await asyncio.to_thread(find_node, url.path)
        return cls(url, card, *await asyncio.to_thread(maker_and_serial, node))

    @property
    def mode(self) -> Mode:
        """As the camera says after it was set."""
        return self._mode

    @property
    def damaged(self) -> int:
        """Pictures that were cut off."""
        return self._damaged + (self._grabber.damaged if self._grabber is not None else 0)

    async def present(self) -> None:
        """Its node is there, and is of the same camera as when it was opened."""
        _, card = await asyncio.to_thread(find_node, self.url.path)
        if (card.card, card.bus) != (self._card.card, self._card.bus):
            raise LinkFault(error_pb2.REASON_LINK_LOST, "Another camera has taken its place.", step="look")

    async def begin(self, slot: FrameSlot, options: CameraOptions) -> None:
        """Start reading."""
        self._begin(slot, options, options.width, options.height)

    def _begin(self, slot: FrameSlot, options: CameraOptions, width: int, height: int) -> None:
        self._grabber = _V4l2Grabber(self.url.path, slot, options, (width, height), self._set_mode)
        self._grabber.start()

    def _set_mode(self, pixels: str, fps: float) -> None:
        self._mode = replace(self._mode, format=pixels, fps=fps)

    async def still(self, slot: FrameSlot, options: CameraOptions) -> Shot | None:
        """Where stills are larger: switch to their size, let the exposure settle, take one, switch back."""
        if not options.still_width or (options.still_width, options.still_height) == (options.width, options.height):
            return None
        was_on = self._grabber is not None
        mode = self._mode
        await self.end()
        apart = FrameSlot()
        self._begin(apart, options, options.still_width, options.still_height)
        try:
            async with asyncio.timeout(options.open_seconds + options.settle_seconds):
                first = shot = await apart.newer_than(0)
                while shot.monotonic_ns - first.monotonic_ns < options.settle_seconds * 1e9:
                    shot = await apart.newer_than(shot.sequence)
        except TimeoutError:
            raise DeviceFault(error_pb2.REASON_CAMERA_STALLED, step="take a still", got="no frame") from None
        finally:
            await self.end()
            self._mode = mode
            if was_on:
                await self.begin(slot, options)
        return Shot(
            slot.number(), shot.monotonic_ns, shot.time_ns, shot.jpeg, shot.width, shot.height, is_jpeg=shot.is_jpeg
        )

    async def end(self) -> None:
        """Stop reading."""
        grabber, self._grabber = self._grabber, None
        if grabber is not None:
            self._damaged += grabber.damaged
            await grabber.end()

    async def close(self) -> None:
        """Stop reading."""
        await self.end()


class _V4l2Grabber(Grabber):
    """Reads one node."""

    def __init__(self, path: str, slot: FrameSlot, options: CameraOptions, size: tuple[int, int], opened: Any) -> None:
        super().__init__(path)
        self.damaged = 0
        self._path = path
        self._slot = slot
        self._options = options
        self._size = size
        self._opened = opened
        self._raw = True

    def open(self) -> Any:
        """Set the format before the size: a camera that is set the other way round gives 5 frames a second."""
        import cv2

        node, _ = find_node(self._path)
        capture = cv2.VideoCapture(str(node), cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            raise LinkFault(
                error_pb2.REASON_DEVICE_OFFLINE,
                f"The camera at {self._path} cannot be opened.",
                step="switch on",
                action="End the program that uses the camera (`fuser -v` names it).",
            )
        wanted = cv2.VideoWriter.fourcc(*self._options.format)
        capture.set(cv2.CAP_PROP_FOURCC, wanted)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        capture.set(cv2.CAP_PROP_FPS, self._options.fps)
        code = int(capture.get(cv2.CAP_PROP_FOURCC))
        pixels = code.to_bytes(4, "little").decode("ascii", "replace")
        self._raw = pixels in ("MJPG", "JPEG")
        if self._raw:
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        self._opened(pixels, float(capture.get(cv2.CAP_PROP_FPS)))
        return capture

    def read(self, capture: Any) -> bool:
        """A frame to the slot; one that is cut off is counted only."""
        ok, frame = capture.read()
        if self.ended:  # a frame that comes late is nobody's
            return False
        if not ok or frame is None:
            self.wait(0.01)  # some failures come at once: three of them are not yet a lost camera
            return False
        if not self._raw:
            height, width = frame.shape[:2]
            self._slot.put(partial(jpeg_of, frame, self._options.quality), width, height, is_jpeg=False)
            return True
        data = frame.tobytes()
        size = frame_size(data)
        if size is None or not is_whole(data):
            self.damaged += 1
        else:
            self._slot.put(lambda: data, *size)
        return True

    def failed(self, fault: DeviceFault) -> None:
        """To those who wait for frames."""
        self._slot.fail(fault)
