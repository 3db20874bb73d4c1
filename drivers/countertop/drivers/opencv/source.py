"""What every way to a camera has in common."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from countertop.drivers.opencv.options import CameraOptions
from countertop.sdk import Link
from countertop.sdk.cameras import FrameSlot, Shot

__all__ = ["CameraLink", "Mode"]


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
