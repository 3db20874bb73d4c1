"""Encodes what cameras send in other formats, for those who look."""

from __future__ import annotations

from typing import Any

from countertop.sdk import DeviceFault
from countertop.v1 import error_pb2

__all__ = ["jpeg_of"]


def jpeg_of(picture: Any, quality: int) -> bytes:
    """A BGR picture (height x width x 3, bytes) as a JPEG file."""
    import cv2

    ok, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise DeviceFault(error_pb2.REASON_CAMERA_PICTURE_DAMAGED, step="encode")
    data: bytes = encoded.tobytes()
    return data
