"""What every way to a camera has in common."""

from __future__ import annotations

import asyncio
import contextlib
from abc import abstractmethod
from dataclasses import dataclass

from countertop.drivers.opencv.options import CameraOptions
from countertop.sdk import Link, LinkFault, LinkUrl
from countertop.sdk.cameras import FrameSlot, Shot
from countertop.v1 import error_pb2

__all__ = ["CABLE", "CameraLink", "Mode", "listens"]

CABLE = "Check the camera's power and network cable."
PRESENT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Mode:
    """What a camera does, as it says itself."""

    format: str
    fps: float = 0.0
    vendor: str = ""
    model: str = ""
    serial: str = ""


class CameraLink(Link):
    """A way to a camera. Opened, it is found, and off; `begin` and `end` switch it on and off, as often as wished."""

    @property
    @abstractmethod
    def mode(self) -> Mode:
        """Known when it was on once."""

    @property
    @abstractmethod
    def damaged(self) -> int:
        """Pictures so far that were cut off."""

    @abstractmethod
    async def present(self) -> None:
        """Look whether it is there, without switching it on. Raises LinkFault."""

    @abstractmethod
    async def begin(self, slot: FrameSlot, options: CameraOptions) -> None:
        """Switch it on: whole frames go to `slot`, and so does the fault that ends them. Raises LinkFault."""

    @abstractmethod
    async def end(self) -> None:
        """Switch it off; returns when it is off, or when it does not react within a second. Never raises."""

    async def still(self, slot: FrameSlot, options: CameraOptions) -> Shot | None:
        """A still by a way of its own, while it is off or on; None where there is no such way. Raises DeviceFault."""
        return None


async def listens(url: LinkUrl, port: int) -> None:
    """Look whether somebody listens at a network camera's port, or at `port` where the URL names none. Raises
    LinkFault(DEVICE_OFFLINE).
    """
    try:
        async with asyncio.timeout(PRESENT_SECONDS):
            _, writer = await asyncio.open_connection(url.host, url.port or port)
    except (OSError, TimeoutError) as error:
        raise LinkFault(
            error_pb2.REASON_DEVICE_OFFLINE,
            f"The camera at {url.host} does not answer.",
            step="open",
            got=type(error).__name__,
            action=CABLE,
        ) from None
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
