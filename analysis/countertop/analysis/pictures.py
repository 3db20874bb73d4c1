"""From files to pixels, with limits: nothing is decoded before its size is known."""

from __future__ import annotations

import struct
from typing import Any

import cv2
import numpy as np
import simplejpeg

from countertop.analysis.geometry import Box
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.v1 import error_pb2

__all__ = ["MAX_PIXELS", "Picture", "cut", "decode_frame", "decode_photo", "shrunk", "to_jpeg"]

Picture = np.ndarray[Any, np.dtype[np.uint8]]
"""Bytes (height, width, 3): blue, green, red."""

MAX_PIXELS = 40_000_000
"""Of a frame or a photo; the largest cameras of counters have half as many."""
_PHOTO = "reference.data"


def decode_frame(data: bytes) -> Picture:
    """A camera's JPEG. Raises CountertopError(CAMERA_PICTURE_DAMAGED) for one that is cut off or damaged."""
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        if int(width) * int(height) <= MAX_PIXELS:
            picture: Picture = simplejpeg.decode_jpeg(data, colorspace="BGR", strict=True)
            return picture
    except ValueError as error:  # its text would be libjpeg's, which says nothing to a teller
        raise CountertopError(error_pb2.REASON_CAMERA_PICTURE_DAMAGED) from error
    raise CountertopError(
        error_pb2.REASON_CAMERA_PICTURE_DAMAGED,
        f"The camera's picture has {width} x {height} pixels; expected at most {MAX_PIXELS}.",
    )


def decode_photo(data: bytes) -> Picture:
    """A photo's file: JPEG, PNG or BMP. Raises InvalidRequest for anything else, and for damaged ones."""
    size = _size(data)
    if size is None:
        raise InvalidRequest({_PHOTO: "expected a JPEG, PNG or BMP file, got something else"})
    width, height = size
    if not 0 < width * height <= MAX_PIXELS:
        raise InvalidRequest({_PHOTO: f"expected at most {MAX_PIXELS} pixels, got {width} x {height}"})
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise InvalidRequest({_PHOTO: "expected a picture that can be decoded, got a damaged file"})
    return picture.astype(np.uint8, copy=False)


def to_jpeg(picture: Picture, quality: int) -> bytes:
    """A JPEG file without subsampling of its colours; `quality` is 1 to 100."""
    return bytes(
        simplejpeg.encode_jpeg(np.ascontiguousarray(picture), quality, colorspace="BGR", colorsubsampling="444")
    )


def shrunk(picture: Picture, longest: int) -> tuple[Picture, float]:
    """The picture with its longer side at most this many pixels, and the factor by which it was shrunk, 0 to 1."""
    height, width = picture.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return picture, 1.0
    across, down = max(1, round(width * factor)), max(1, round(height * factor))
    small: Any = picture
    while small.shape[1] >= 2 * across and small.shape[0] >= 2 * down:
        rows, columns = small.shape[0] // 2, small.shape[1] // 2
        even = small[: 2 * rows, : 2 * columns]  # exact halves are ten times faster than anything else
        small = cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (across, down), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False), factor


def cut(picture: Picture, box: Box) -> Picture | None:
    """What of a box lies in the picture, at least one pixel; None when nothing does. A view, not a copy."""
    height, width = picture.shape[:2]
    left, top = max(0, round(box.x)), max(0, round(box.y))
    right, bottom = min(width, round(box.right)), min(height, round(box.bottom))
    return picture[top:bottom, left:right] if right > left and bottom > top else None


def _size(data: bytes) -> tuple[int, int] | None:
    if data.startswith(b"\xff\xd8"):
        try:
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        except ValueError:
            return None
        return int(width), int(height)
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data.startswith(b"BM") and len(data) >= 26:
        width, height = struct.unpack("<ii", data[18:26])
        return abs(width), abs(height)
    return None
