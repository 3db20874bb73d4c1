"""Pictures on a card: read with care, turned upright, laid into their boxes."""

from __future__ import annotations

import io
import math
import struct
import zlib
from typing import Any

from countertop.sdk.cards.patch import Patch, Rect
from countertop.sdk.cards.planes import Canvas
from countertop.sdk.cards.shapes import rounded_mask
from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt._needs import need
from countertop.v1 import card_design_pb2
from countertop.v1.card_design_pb2 import CardPicture

__all__ = ["MAX_PIXELS", "figure_patch", "picture_patch"]

MAX_PIXELS = 16_000_000
_FORMATS = ("PNG", "JPEG", "BMP")
_ORIENTATION = 0x0112
_BROKEN = (OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, IndexError, OverflowError, struct.error,
           zlib.error, Warning)  # fmt: skip
"""What Pillow raises for files that are not what they say."""
_FAINT = 0.05
_FIGURE = ((214, 221, 228), (150, 163, 176))
"""Behind the figure, and the figure."""


def picture_patch(picture: CardPicture, data: bytes, rect: Rect, canvas: Canvas, path: str) -> Patch:
    """A picture's file in its box. Raises InvalidRequest for what is no picture, or one beyond 16 megapixels."""
    pil = need("PIL.Image")
    try:
        image = pil.open(io.BytesIO(data), formats=_FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise InvalidRequest({path: f"expected at most 16 megapixels, got {image.width} by {image.height}"})
        grey = picture.gray or not canvas.color
        image = _fitted(_upright(image, picture, rect, grey=grey), picture, rect)
    except (*_BROKEN, pil.DecompressionBombError):
        raise InvalidRequest({path: "expected a whole PNG, JPEG or BMP file"}) from None
    return _placed(image, picture, rect, canvas)


def figure_patch(picture: CardPicture, rect: Rect, canvas: Canvas) -> Patch:
    """Head and shoulders, where a preview has no picture."""
    pil, draw = need("PIL.Image"), need("PIL.ImageDraw")
    width, height = rect.width * 2, rect.height * 2
    back, front = _FIGURE
    image = pil.new("RGB", (width, height), back)
    pen = draw.Draw(image)
    unit = min(width, height * 0.8)
    x, y = width / 2, height * 0.4
    pen.ellipse((x - unit * 0.42, y + unit * 0.3, x + unit * 0.42, y + unit * 1.5), fill=front)
    pen.ellipse((x - unit * 0.25, y - unit * 0.33, x + unit * 0.25, y + unit * 0.29), fill=back)
    pen.ellipse((x - unit * 0.21, y - unit * 0.29, x + unit * 0.21, y + unit * 0.23), fill=front)
    return _placed(image.resize(rect.size, pil.Resampling.BOX), picture, rect, canvas)


def _upright(image: Any, picture: CardPicture, rect: Rect, *, grey: bool) -> Any:
    """Decoded, turned as its EXIF data say, in RGB or RGBA, or in L where no colour is wanted. A large JPEG is decoded
    no larger than it is needed, and without the colours that it is not.
    """
    ops = need("PIL.ImageOps")
    turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    if image.format == "JPEG":
        width, height = (image.height, image.width) if turned else image.size
        scale = _scale(picture, width, height, rect)
        needed = (max(1, math.ceil(image.width * scale[turned])), max(1, math.ceil(image.height * scale[not turned])))
        image.draft("L" if grey else None, needed)
    image.load()
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        image = _eight_bits(image)
    alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    image = image.convert("RGBA" if alpha else "L" if grey else "RGB")
    return ops.exif_transpose(image)


def _eight_bits(image: Any) -> Any:
    """Grey of 16 bits; Pillow's own conversion cuts instead of scaling."""
    np = need("numpy")
    grey = (np.asarray(image).astype(np.int32) >> 8).clip(0, 255).astype(np.uint8)
    return need("PIL.Image").fromarray(grey)


def _scale(picture: CardPicture, width: int, height: int, rect: Rect) -> tuple[float, float]:
    """By what width and height are multiplied."""
    x, y = rect.width / width, rect.height / height
    if picture.fit == card_design_pb2.PICTURE_FIT_STRETCH:
        return x, y
    scale = max(x, y) if picture.fit == card_design_pb2.PICTURE_FIT_COVER else min(x, y)
    return scale, scale


def _fitted(image: Any, picture: CardPicture, rect: Rect) -> Any:
    x, y = _scale(picture, image.width, image.height, rect)
    width = min(rect.width, max(1, round(image.width * x)))
    height = min(rect.height, max(1, round(image.height * y)))
    crop_width, crop_height = min(image.width, width / x), min(image.height, height / y)
    left, top = (image.width - crop_width) / 2, (image.height - crop_height) / 2
    if picture.fit == card_design_pb2.PICTURE_FIT_COVER:
        box = (left, top, left + crop_width, top + crop_height)
    else:
        box = (0, 0, image.width, image.height)
    if image.size == (width, height) and box == (0, 0, width, height):
        return image
    sampling = need("PIL.Image").Resampling
    # Hamming takes a third of Lanczos's time; what it loses does not show in grey, least of all in single dots
    chosen = sampling.HAMMING if image.mode == "L" else sampling.LANCZOS
    return image.resize((width, height), chosen, box=box, reducing_gap=3.0)


def _placed(image: Any, picture: CardPicture, rect: Rect, canvas: Canvas) -> Patch:
    """In the middle of its box, with its corners and its strength."""
    pil, chops = need("PIL.Image"), need("PIL.ImageChops")
    cover = image.getchannel("A") if image.mode == "RGBA" else None
    if picture.radius_mm:
        corners = rounded_mask(image.width, image.height, canvas.dots(picture.radius_mm))
        cover = corners if cover is None else chops.multiply(cover, corners)
    opacity = max(_FAINT, picture.opacity) if picture.opacity else 1.0
    if opacity < 1:
        strength = pil.new("L", image.size, round(255 * opacity))
        cover = strength if cover is None else chops.multiply(cover, strength)
    if picture.gray:
        image = image.convert("L")
    place = Rect(rect.left + (rect.width - image.width) // 2, rect.top + (rect.height - image.height) // 2, *image.size)
    return Patch(place, image.convert("RGB"), cover, translucent=cover is not None)
