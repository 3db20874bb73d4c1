"""What an analyser of faces is: a plugin of its own, so that a bank's certified software takes the place of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from countertop.v1.camera_pb2 import Frame, ModelInfo, PictureBox, PresenceGuidance, VerifyPresenceResult

__all__ = ["AnalysisSettings", "Observation", "PresenceAnalyser", "PresenceSession"]


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """What the configuration says about analysis."""

    models_dir: Path | None = None
    """Looked into for models before the system's folder and the package's own."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The analyser's own options."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen on one frame."""

    guidance: PresenceGuidance
    """What the person could do; UNSPECIFIED: the frame was taken for the verdict."""
    face: PictureBox | None = None
    """The face, or the largest one of several."""


class PresenceSession(Protocol):
    """One check of one person. Used by one thread at a time; it may block for as long as its mathematics take."""

    def add(self, frame: Frame) -> Observation:
        """Look at a frame (JPEG), and take it for the verdict when it is good enough.

        Raises CountertopError(CAMERA_PICTURE_DAMAGED) for one that cannot be decoded.
        """
        ...

    @property
    def taken(self) -> int:
        """Frames that were taken so far."""
        ...

    def verdict(self) -> VerifyPresenceResult:
        """The verdict of the frames that were taken: `verdict`, `inconclusive`, `match`, `scores`, `models`, `frames`
        (with sequence, time, sha256, face and scores), `reference_sha256`, `analyser`, `guidance`. Whatever was seen:
        with too few frames it is INCONCLUSIVE.
        """
        ...

    @property
    def best(self) -> Frame | None:
        """The best frame of those taken."""
        ...


class PresenceAnalyser(Protocol):
    """Finds faces, and says whether they are alive and whose they are."""

    def models(self) -> list[ModelInfo]:
        """The models that it uses, loaded or not."""
        ...

    def begin(self, reference: bytes, frames: int) -> PresenceSession:
        """Begin a check that rests on so many frames; `reference` is the photo's file, empty for none. Blocks: loads
        models at the first call.

        Raises CountertopError(NOT_CONFIGURED) that names what is missing, and InvalidRequest for a photo that cannot be
        decoded.
        """
        ...
