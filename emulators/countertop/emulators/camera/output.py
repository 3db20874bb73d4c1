"""The newest frame that the camera sent, for the bench."""

from __future__ import annotations

import cv2
import numpy as np

__all__ = ["Newest"]

_MOST_BYTES = 768 * 1024


class Newest:
    """What was sent last, by any link."""

    def __init__(self) -> None:
        self.number = 0
        """How many frames were sent."""
        self._frame = (b"", 0, 0)

    def keep(self, jpeg: bytes, width: int, height: int) -> None:
        """A frame was sent."""
        self.number += 1
        self._frame = (jpeg, width, height)

    def picture(self) -> tuple[bytes, int, int]:
        """The frame, its width and height; drawn smaller where it would not fit into a message of 768 KiB. Spoilt
        frames are returned as they were sent, cut to that size.
        """
        jpeg, width, height = self._frame
        if len(jpeg) <= _MOST_BYTES:
            return jpeg, width, height
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            return jpeg[:_MOST_BYTES], width, height
        data = jpeg
        while len(data) > _MOST_BYTES:
            width, height = max(1, width // 2), max(1, height // 2)
            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
            data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 85))[1].tobytes()
        return data, width, height
