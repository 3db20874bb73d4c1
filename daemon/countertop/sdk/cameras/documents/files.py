"""Pictures as files that know their dots per inch, and that fit into a message."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Any

import cv2
import numpy as np

from countertop.sdk.errors import InvalidRequest
from countertop.v1.image_pb2 import Image

__all__ = ["MAX_BYTES", "jpeg_image", "png_image"]

MAX_BYTES = 768 * 1024
"""Of an Image's data."""
_QUALITIES = (90, 85, 80, 75, 70, 65, 60)
"""Of JPEG, until it fits: below the last one small print suffers."""
_JFIF = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
_DOTS_PER_INCH = 1
_PER_METRE = 1
_INCHES_PER_METRE = 39.3701


def jpeg_image(pixels: Any, dpi: int, cure: dict[str, str]) -> Image:
    """A JPEG of pixels, (height, width, 3) in BGR or (height, width), uint8; `dpi` of 0 is not stated in it.

    As good as fits into 768 KiB, quality 90 to 60. Raises InvalidRequest(cure) when none does.
    """
    for quality in _QUALITIES:
        made, file = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if made and file.size <= MAX_BYTES:
            return _image("image/jpeg", _with_density(file.tobytes(), dpi), pixels)
    raise InvalidRequest(cure)


def png_image(white: Any, dpi: int, cure: dict[str, str]) -> Image:
    """A PNG of one bit a pixel: white where `white` (height, width) is not 0. Raises InvalidRequest(cure) for one
    beyond 768 KiB.
    """
    height, width = white.shape
    rows = np.packbits(white != 0, axis=1)
    filtered = np.concatenate((np.zeros((height, 1), np.uint8), rows), axis=1).tobytes()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))]
    if dpi:
        metre = round(dpi * _INCHES_PER_METRE)
        chunks.append((b"pHYs", struct.pack(">IIB", metre, metre, _PER_METRE)))
    chunks += [(b"IDAT", zlib.compress(filtered, 6)), (b"IEND", b"")]
    file = b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))
    if len(file) > MAX_BYTES:
        raise InvalidRequest(cure)
    return _image("image/png", file, white)


def _image(media_type: str, data: bytes, pixels: Any) -> Image:
    height, width = pixels.shape[:2]
    return Image(media_type=media_type, width=width, height=height, data=data, sha256=hashlib.sha256(data).digest())


def _with_density(file: bytes, dpi: int) -> bytes:
    """With dots per inch in its JFIF segment (ITU-T T.871, 10.1), which the encoder writes first."""
    if not dpi:
        return file
    if not file.startswith(_JFIF):
        raise AssertionError("the JPEG encoder wrote no JFIF segment")
    return file[:13] + struct.pack(">BHH", _DOTS_PER_INCH, dpi, dpi) + file[18:]


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    name, data = chunk
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
