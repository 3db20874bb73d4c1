"""The empty stage: what documents are told from, and how many dots an inch has on it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from countertop.sdk.cameras.documents.finder import SURE, find
from countertop.sdk.cameras.documents.outline import shrink
from countertop.sdk.cameras.documents.sizes import MM_PER_INCH, SIZES_MM, check_size
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.v1 import error_pb2

__all__ = ["Stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """An empty stage. Keeps a shrunk picture only: 3 MB at most, whatever the camera's size is."""

    width: int
    """Pixels of the picture that it was measured on."""
    height: int
    sha256: bytes
    """Of that picture's file, 32 bytes."""
    dpi: float = 0.0
    """Dots per inch of that picture, in the middle of the stage; 0 when not measured."""
    shrunk: Any = field(default=None, repr=False, compare=False)
    """BGR, uint8."""

    @classmethod
    def of(cls, picture: Any, file: bytes) -> Stage:
        """From a picture (height, width, 3; BGR, uint8) of the empty stage, and the file that it came in. Raises
        InvalidRequest for another array.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise InvalidRequest({"picture": "expected three channels of 8 bits"})
        height, width = picture.shape[:2]
        return cls(width, height, hashlib.sha256(file).digest(), 0.0, shrink(picture)[0].copy())

    def measured(self, picture: Any, size: int) -> Stage:
        """The same stage, with its dots per inch measured on a picture of a sheet of known size (DocumentSize) that
        lies on it.

        Raises InvalidRequest for a size that is none, and CountertopError(STAGE_NOT_CALIBRATED) when no such sheet is
        seen for certain.
        """
        kind = check_size(size, "sheet")
        if kind not in SIZES_MM:
            raise InvalidRequest({"sheet": "expected a size that is known"})
        found = find(picture, self, size)
        if found.quad is None or found.confidence < SURE:
            raise CountertopError(
                error_pb2.REASON_STAGE_NOT_CALIBRATED,
                "The sheet was not found on the stage: lay it flat, whole and alone into the middle, and calibrate the"
                " empty stage again when camera or lamp have been moved.",
            )
        longer, shorter = SIZES_MM[kind]
        dots = math.sqrt(found.quad.area / (longer * shorter)) * MM_PER_INCH
        return replace(self, dpi=dots * self.width / picture.shape[1])

    def dpi_at(self, width: int) -> float:
        """Dots per inch of a picture of so many pixels' width from the same camera; 0 when not measured."""
        return self.dpi * width / self.width

    def matching(self, small: Any) -> Any | None:
        """The empty stage in the size of another shrunk picture, None when that has another shape."""
        height, width = small.shape[:2]
        if self.shrunk is None or abs(self.shrunk.shape[1] / self.shrunk.shape[0] - width / height) > 0.01:
            return None
        if self.shrunk.shape == small.shape:
            return self.shrunk
        return cv2.resize(self.shrunk, (width, height), interpolation=cv2.INTER_AREA)
