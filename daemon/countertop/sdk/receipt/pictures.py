"""Pictures on a receipt: read with care, scaled to the paper, dithered."""

from __future__ import annotations

import io
from typing import Any

from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt._needs import need
from countertop.sdk.receipt.dither import dithered, pack
from countertop.sdk.receipt.ir import Paper, PictureItem
from countertop.v1 import receipt_pb2
from countertop.v1.receipt_pb2 import Align, Picture, SealField

__all__ = ["place_frame", "place_picture"]

MAX_PIXELS = 16_000_000
MAX_HEIGHT_DOTS = 20_000
_FORMATS = ("PNG", "JPEG", "BMP")
_GREY = {"1": 8, "L": 8, "I;16": 16, "I;16B": 16, "I;16L": 16, "I": 16}
"""Pillow's modes of grey, with the bits that their pixels have once they are read."""
_STEPS = {"L;2": 85, "L;4": 17}
"""Pillow's raw modes of fewer bits: it scales the pixels to 8 bits by these, but not the transparent value."""


def place_picture(picture: Picture, block: int, paper: Paper) -> PictureItem:
    """Raises InvalidRequest for what is no picture, or one beyond 16 megapixels or 20,000 dots of paper."""
    grey = _grey(picture.data)
    width = min(_width(picture, grey.width, paper), paper.width_dots)
    height = max(1, round(grey.height * width / grey.width))
    if height > MAX_HEIGHT_DOTS:
        raise InvalidRequest({"picture.data": f"expected at most {MAX_HEIGHT_DOTS} dots of paper, got {height}"})
    if width != grey.width:
        resampling = need("PIL.Image").Resampling
        grey = grey.resize((width, height), resampling.LANCZOS if width < grey.width else resampling.NEAREST)
    bitmap = dithered(grey, picture.dither, picture.threshold or 128)
    return PictureItem(block, _shift(width, paper, picture.align), bitmap)


def place_frame(field: SealField, block: int, paper: Paper) -> PictureItem:
    """The empty frame where a seal or a signature goes."""
    np = need("numpy")
    width = min(paper.dots(field.width_mm or 40), paper.width_dots)
    height = paper.dots(field.height_mm or 15)
    black = np.zeros((height, width), bool)
    black[:2] = black[-2:] = True
    black[:, :2] = black[:, -2:] = True
    return PictureItem(block, _shift(width, paper, field.align), pack(black))


def _grey(data: bytes) -> Any:
    """Decode to grey on white. The size is looked at before a pixel is decoded."""
    pil = need("PIL.Image")
    try:
        image = pil.open(io.BytesIO(data), formats=_FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise InvalidRequest(
                {"picture.data": f"expected at most 16 megapixels, got {image.width} by {image.height}"}
            )
        if image.mode in _GREY:
            return _grey_on_white(image)
        if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
            image = image.convert("RGBA")
            paper = pil.new("RGBA", image.size, "white")
            image = pil.alpha_composite(paper, image)
        return image.convert("L")
    except (OSError, SyntaxError, ValueError, pil.DecompressionBombError) as error:
        raise InvalidRequest({"picture.data": "expected a whole PNG, JPEG or BMP file"}) from error


def _grey_on_white(image: Any) -> Any:
    """Grey without an alpha channel, of 1 to 16 bits; one of its values may be declared to be transparent."""
    np = need("numpy")
    step = _STEPS.get(image.tile[0].args, 1) if image.tile else 1  # told before loading only
    image.load()
    transparent = image.info.get("transparency")
    if image.mode == "L" and transparent is None:
        return image
    depth = _GREY[image.mode]
    pixels = np.asarray(image.convert("L") if depth == 8 else image)
    grey = (pixels >> (depth - 8)).clip(0, 255).astype(np.uint8)
    if transparent is not None:
        grey[pixels == transparent * step] = 255
    return need("PIL.Image").fromarray(grey)


def _width(picture: Picture, natural: int, paper: Paper) -> int:
    kind = picture.WhichOneof("width")
    if kind == "width_mm":
        return max(1, paper.dots(picture.width_mm))
    if kind == "width_percent":
        return max(1, paper.width_dots * picture.width_percent // 100)
    return natural


def _shift(width: int, paper: Paper, align: Align) -> int:
    if align == receipt_pb2.ALIGN_CENTER:
        return (paper.width_dots - width) // 2
    return paper.width_dots - width if align == receipt_pb2.ALIGN_RIGHT else 0
