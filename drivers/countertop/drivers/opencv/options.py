"""Options of a camera."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from countertop.sdk import Options

__all__ = ["CameraOptions"]


class CameraOptions(Options):
    """What is asked of a camera. It gives the mode that comes nearest; `DeviceInfo.camera` tells which that is."""

    width: int = Field(default=1280, ge=16, le=16384)
    height: int = Field(default=720, ge=16, le=16384)
    fps: float = Field(default=30.0, gt=0, le=1000)
    """Width, height and rate are asked of V4L2 cameras; others send what they send."""
    format: Literal["MJPG", "YUYV"] = "MJPG"
    """Of a V4L2 camera. YUYV is encoded to JPEG here, for those who look."""
    still_width: int = Field(default=0, ge=0, le=16384)
    still_height: int = Field(default=0, ge=0, le=16384)
    """Of stills, where a V4L2 camera gives larger ones than it streams; 0: as the frames."""
    settle_seconds: float = Field(default=0.5, ge=0, le=10)
    """How long exposure may settle after the change to the still's size."""
    still_url: str = Field(default="", max_length=2048, pattern=r"(https?://[!-~]+)?")
    """Where a network camera gives a still; empty: its next frame."""
    user: str = Field(default="", max_length=256)
    password: str = Field(default="", max_length=256, repr=False)
    """Of a network camera (HTTP Basic)."""
    open_seconds: float = Field(default=5.0, ge=0.2, le=60)
    """How long a camera may take from being switched on to its first frame."""
    stall_seconds: float = Field(default=1.5, ge=0.2, le=60)
    """How long it may give no frame before it is opened anew. Longer than the frames of a slow document camera take."""
    idle_seconds: float = Field(default=30.0, ge=0, le=86400)
    """It is switched off when nobody has looked for so long; 0: it is always on."""
    quality: int = Field(default=90, ge=10, le=100)
    """Of JPEG files that are encoded here."""
