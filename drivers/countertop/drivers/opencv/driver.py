"""Cameras. One is on while somebody looks, and for a while after."""

from __future__ import annotations

import asyncio
from typing import cast

from countertop.drivers.opencv.http_link import HttpCameraLink
from countertop.drivers.opencv.options import CameraOptions
from countertop.drivers.opencv.source import CameraLink
from countertop.drivers.opencv.v4l2_link import V4l2CameraLink
from countertop.drivers.opencv.video_link import VideoLink
from countertop.sdk import DeviceFault, LinkFault, LinkUrl, Options
from countertop.sdk.cameras import Camera, FrameSlot, Shot
from countertop.sdk.links import open_link
from countertop.v1 import device_pb2, error_pb2

__all__ = ["OpenCvCamera"]

UNKNOWN = "generic"
"""Vendor and model of a camera that does not tell them."""


class OpenCvCamera(Camera):
    """V4L2 cameras, MJPEG over HTTP, RTSP, video files."""

    name = "opencv"
    links = (V4l2CameraLink, HttpCameraLink, VideoLink)
    options_type = CameraOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = cast("CameraOptions", options)
        self._link: CameraLink | None = None
        self._slot: FrameSlot | None = None
        self._on = False
        self._began = 0.0
        self._damaged_at_last = 0
        self._asked = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._switching = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    async def connect(self) -> device_pb2.DeviceInfo:
        """Find it, switch it on, and take a first frame. Raises DeviceFault when none comes."""
        link: CameraLink = await open_link(self.url, allowed=(V4l2CameraLink, HttpCameraLink, VideoLink))
        self._link, self._slot = link, FrameSlot()
        first = await self.shot()
        mode, still = link.mode, (self._options.still_width, self._options.still_height)
        return device_pb2.DeviceInfo(
            vendor=mode.vendor or UNKNOWN,
            model=mode.model or UNKNOWN,
            serial=mode.serial,
            camera=device_pb2.CameraCapabilities(
                width=first.width,
                height=first.height,
                fps=mode.fps,
                format=mode.format,
                still_width=still[0] or first.width,
                still_height=still[1] or first.height,
            ),
        )

    async def disconnect(self) -> None:
        """Switch it off; those who wait for a frame are told."""
        if self._idle is not None:
            self._idle.cancel()
        if self._slot is not None:
            self._slot.fail(LinkFault(error_pb2.REASON_LINK_LOST, "The camera was let go.", step="read"))
        await asyncio.gather(*self._ending)
        if self._link is not None:
            await self._link.close()
        self._on = False

    async def status(self) -> device_pb2.DeviceStatus:
        """While it is on its frames tell; while it is off, whether it is there."""
        link, slot = self._opened()
        async with self._switching:
            if not self._on:
                await link.present()
            elif slot.fault is not None:
                raise slot.fault
            elif self._overdue() <= 0:
                raise self._silent()
        return device_pb2.DeviceStatus()

    async def shot(self, newer_than: int = 0) -> Shot:
        """A frame that is new."""
        _, slot = self._opened()
        self._asked = asyncio.get_running_loop().time()
        while True:
            async with self._switching:
                await self._switch_on()
            try:
                async with asyncio.timeout(max(0.0, self._overdue()) + 0.01):
                    return await slot.newer_than(newer_than)
            except TimeoutError:
                if self._on and not self._switching.locked() and self._overdue() <= 0:  # else it was switched meanwhile
                    raise self._silent() from None

    async def still(self) -> Shot:
        """By the link's own way, else the next frame."""
        link, slot = self._opened()
        self._asked = asyncio.get_running_loop().time()
        async with self._switching:
            shot = await link.still(slot, self._options)
            self._began = asyncio.get_running_loop().time()  # it may have been off meanwhile
        if shot is not None:
            return shot
        newest = slot.newest
        return await self.shot(newest.sequence if newest is not None else 0)

    async def rest(self) -> None:
        """Off at once, and nothing is left of what it saw."""
        async with self._switching:
            await self._switch_off()

    def _opened(self) -> tuple[CameraLink, FrameSlot]:
        assert self._link is not None, "connected"
        assert self._slot is not None, "connected"
        return self._link, self._slot

    # --- on and off ------------------------------------------------------------------------------------------------

    async def _switch_on(self) -> None:
        link, slot = self._opened()
        if self._on:
            return
        self._began = asyncio.get_running_loop().time()
        self._damaged_at_last = link.damaged
        await link.begin(slot, self._options)
        self._on = True
        self._wait_for_idleness()

    async def _switch_off(self) -> None:
        link, slot = self._opened()
        if self._on:
            self._on = False
            await link.end()
        slot.wipe()

    def _wait_for_idleness(self) -> None:
        if self._options.idle_seconds:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_at(self._asked + self._options.idle_seconds, self._maybe_idle)

    def _maybe_idle(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._asked + self._options.idle_seconds:
            self._wait_for_idleness()
            return
        task = asyncio.create_task(self.rest(), name="camera off")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    # --- silence ---------------------------------------------------------------------------------------------------

    def _overdue(self) -> float:
        """Seconds until the next frame is overdue; negative when it is."""
        _, slot = self._opened()
        now = asyncio.get_running_loop().time()
        newest = slot.newest
        last = newest.monotonic_ns / 1e9 if newest is not None else 0.0
        if last >= self._began:
            return last + self._options.stall_seconds - now
        return self._began + self._options.open_seconds - now

    def _silent(self) -> DeviceFault:
        """Why no frame came: it sends none, or none that is whole."""
        link, _ = self._opened()
        damaged = link.damaged - self._damaged_at_last
        if damaged:
            return DeviceFault(
                error_pb2.REASON_CAMERA_PICTURE_DAMAGED,
                "The camera's pictures are cut off.",
                step="read",
                expected="whole JPEG files",
                got=f"{damaged} that are not",
                action="Check the cable; use another port or hub.",
            )
        return DeviceFault(
            error_pb2.REASON_CAMERA_STALLED,
            f"The camera has given no frame for {self._options.stall_seconds:g} s.",
            step="read",
            got="no frame",
            action="Plug the camera in again.",
        )
