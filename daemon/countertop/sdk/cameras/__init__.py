"""What cameras and those who look through them share: the driver's base, frames, codes, documents, presence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk._lazy import lazy

if TYPE_CHECKING:
    from countertop.sdk.cameras.analysis import (
        AnalysisSettings,
        Observation,
        PresenceAnalyser,
        PresenceSession,
    )
    from countertop.sdk.cameras.camera import Camera, frame_of
    from countertop.sdk.cameras.jpeg import frame_size, is_whole
    from countertop.sdk.cameras.slot import FrameSlot, Shot, shot_of

__all__ = [
    "AnalysisSettings",
    "Camera",
    "FrameSlot",
    "Observation",
    "PresenceAnalyser",
    "PresenceSession",
    "Shot",
    "frame_of",
    "frame_size",
    "is_whole",
    "shot_of",
]

__getattr__ = lazy(
    __name__,
    {
        "analysis": "AnalysisSettings Observation PresenceAnalyser PresenceSession",
        "camera": "Camera frame_of",
        "jpeg": "frame_size is_whole",
        "slot": "FrameSlot Shot shot_of",
    },
)
