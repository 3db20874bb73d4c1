"""From the frames of a source to the bytes of a pixel format. Imported when something streams: it needs OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ["jpeg_to_yuyv"]


def jpeg_to_yuyv(jpeg: bytes) -> bytes:
    """A JPEG as YUYV 4:2:2, two bytes a pixel, line by line. Raises ValueError for what is no JPEG, and for an odd
    width.
    """
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if picture is None:
        raise ValueError(f"expected a JPEG, got {len(jpeg)} bytes of something else")
    if picture.shape[1] % 2:
        raise ValueError(f"expected an even width, got {picture.shape[1]}")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_YUYV).tobytes()
