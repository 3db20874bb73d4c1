"""The two nodes of a camera, as those see them who have them open; from the unplugging on, ENODEV."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from countertop.emulators.core.v4l2.answers import Answer, Opener
from countertop.emulators.core.v4l2.device import CaptureDevice
from countertop.emulators.core.v4l2.metadata import MetadataDevice
from countertop.emulators.core.v4l2.stream import FrameStream
from countertop.emulators.core.v4l2.structs import Ioctl

__all__ = ["CaptureEndpoint", "NodeEndpoint"]


class NodeEndpoint:
    """A node that may be unplugged. `abandoned` is called once it is, and nobody has it open any more."""

    def __init__(self, device: CaptureDevice | MetadataDevice, abandoned: Callable[[], None]) -> None:
        self._device = device
        self._abandoned = abandoned
        self._openers = 0
        self._gone = False

    def opened(self, opener: Opener) -> None:
        self._openers += 1

    def closed(self, opener: Opener) -> None:
        self._device.release(opener)
        self._openers -= 1
        self._check_abandoned()

    def unplug(self) -> None:
        """From now on everything is ENODEV. Once only."""
        self._gone = True
        self._check_abandoned()

    def call(self, opener: Opener, ioctl: Ioctl, data: bytes) -> Answer | None:
        return Answer(errno.ENODEV) if self._gone else self._device.call(opener, ioctl, data)

    def unknown(self) -> int:
        return errno.ENODEV if self._gone else errno.ENOTTY

    def _check_abandoned(self) -> None:
        if self._gone and not self._openers:
            self._abandoned()


class CaptureEndpoint(NodeEndpoint):
    """The node that has the pictures."""

    def __init__(
        self, device: CaptureDevice, stream: FrameStream, descriptor: int, abandoned: Callable[[], None]
    ) -> None:
        super().__init__(device, abandoned)
        self._capture = device
        self._stream = stream
        self._descriptor = descriptor
        self._size = 0

    def call(self, opener: Opener, ioctl: Ioctl, data: bytes) -> Answer | None:
        answer = super().call(opener, ioctl, data)
        if self._capture.extent > self._size:  # never smaller: a client may still have the old buffers mapped
            self._size = self._capture.extent
            os.ftruncate(self._descriptor, self._size)
        self._stream.follow()
        return answer

    def closed(self, opener: Opener) -> None:
        super().closed(opener)
        self._stream.follow()

    def unplug(self) -> None:
        self._stream.stop()
        self._capture.abort(errno.ENODEV)
        super().unplug()
