"""The faults of the emulated camera, for the bench."""

from __future__ import annotations

from countertop.emulators.camera.source import FRAME_FAULTS
from countertop.emulators.core.faults import FaultSpec

__all__ = ["CAMERA_FAULTS"]

CAMERA_FAULTS = (
    FaultSpec("stall", "No frame comes; the connection stays. Never counted."),
    FaultSpec("slow", "Two frames come in a second. Never counted."),
    *FRAME_FAULTS,
    FaultSpec(
        "disconnect", "The connection is reset in the middle of a frame; one can connect again. USB: out and in."
    ),
    FaultSpec("garbage", "Random bytes, 1 to 2048, come before a part of the stream. HTTP only."),
    FaultSpec("error", "A request is answered with status 503. USB: reading a frame fails with EIO; never counted."),
)
"""In the order in which ListFaults tells them."""
