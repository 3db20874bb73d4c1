"""Whole pictures: a JPEG that is cut off is told from a whole one, and a picture's size is known before it is decoded.

Usual decoders fill what is missing of a JPEG with grey and say nothing.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import simplejpeg

from countertop.sdk.cameras.jpeg import frame_size, is_whole
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.v1 import error_pb2

__all__ = ["MAX_PIXELS", "check_still", "decode", "decode_reference", "picture_header"]

MAX_PIXELS = 40_000_000
"""Of a picture that is decoded at all: 120 MB in memory."""
_SOI = b"\xff\xd8"
_PNG, _BMP = b"\x89PNG\r\n\x1a\n", b"BM"
_BROKEN = (OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, struct.error,
           zlib.error, Warning)  # fmt: skip
"""What Pillow raises for files that are not what they say."""


def check_still(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG that is whole: every line of it is decoded once.

    Zeros behind the end are allowed: cameras pad their buffers. Raises CountertopError(CAMERA_PICTURE_DAMAGED) for
    everything else, cut off with an end glued on too, and for more than 40 megapixels.
    """
    if not is_whole(data):
        raise _damaged("it is cut off")
    size = picture_header(data)
    if size is None or size[0] * size[1] > MAX_PIXELS:
        raise _damaged("it has no size that a camera's picture can have")
    try:
        height, width = simplejpeg.decode_jpeg(data, colorspace="GRAY", strict=True).shape[:2]
    except (ValueError, RuntimeError, MemoryError):
        raise _damaged("its data end too early or make no sense") from None
    return int(width), int(height)


def decode(data: bytes, *, gray: bool = False) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The pixels of a camera's JPEG as they lie in the file, uint8: (height, width, 3) in BGR, or (height, width).

    Fast and lenient: what is cut off is grey; check_still tells. Raises CountertopError(CAMERA_PICTURE_DAMAGED) when
    nothing can be made of it.
    """
    size = picture_header(data)
    if size is None or not 0 < size[0] * size[1] <= MAX_PIXELS:
        raise _damaged("it is no picture")
    kind = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR
    try:
        picture: Any = cv2.imdecode(np.frombuffer(data, np.uint8), kind | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        picture = None
    if picture is None:
        raise _damaged("it cannot be decoded")
    pixels: np.ndarray[Any, np.dtype[np.uint8]] = picture
    return pixels


def decode_reference(data: bytes, field: str, *, upright: bool = True) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The pixels of a picture that a client gave (JPEG, PNG or BMP): (height, width, 3) in BGR, uint8; upright as its
    EXIF data say, or as they lie in the file. What is transparent lies on white.

    Raises InvalidRequest for `field` when the file is none of these or not whole, and for more than 40 megapixels,
    before anything of those is decoded.
    """
    size = picture_header(data)
    if size is None or 0 in size:
        raise InvalidRequest({field: "expected a whole PNG, JPEG or BMP file"})
    if size[0] * size[1] > MAX_PIXELS:
        raise InvalidRequest({field: f"expected at most 40 megapixels, got {size[0]} by {size[1]}"})
    from PIL import Image, ImageOps

    try:
        if data.startswith(_SOI):
            # Pillow takes a cut one with an end glued on
            simplejpeg.decode_jpeg(data, colorspace="GRAY", strict=True)
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "BMP")) as file:
            if file.size != size:
                raise ValueError("two sizes")
            image: Any = ImageOps.exif_transpose(file) if upright else file
            if image.mode.startswith("I"):  # 16 bits of grey
                image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
            flat = _on_white(image)
    except (*_BROKEN, RuntimeError, MemoryError):
        raise InvalidRequest({field: "expected a whole PNG, JPEG or BMP file"}) from None
    return np.ascontiguousarray(np.asarray(flat)[:, :, ::-1])


def picture_header(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG, PNG or BMP by its header alone; None for everything else. Raises nothing."""
    if data.startswith(_SOI):
        return frame_size(data)
    if data.startswith(_PNG):
        if data[12:16] != b"IHDR" or len(data) < 24:
            return None
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    if data.startswith(_BMP) and len(data) >= 26:
        (header,) = struct.unpack_from("<I", data, 14)
        if header == 12:  # OS/2
            width, height = struct.unpack_from("<HH", data, 18)
        else:
            width, height = struct.unpack_from("<ii", data, 18)
        return (width, abs(height)) if width >= 0 else None
    return None


def _on_white(image: Any) -> Any:
    """In RGB."""
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return image.convert("RGB")
    from PIL import Image

    clear = image.convert("RGBA")
    ground = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(ground, clear).convert("RGB")


def _damaged(why: str) -> CountertopError:
    return CountertopError(
        error_pb2.REASON_CAMERA_PICTURE_DAMAGED,
        f"The camera's picture is damaged: {why}; take another one, and check cable and hub when it comes again.",
    )
