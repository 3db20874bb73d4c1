"""Pictures of pages put together: as pages of a PDF, or the two sides of a card on one sheet of A4."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import simplejpeg

from countertop.sdk.cameras.documents.files import jpeg_image
from countertop.sdk.cameras.documents.pdf import POINTS_PER_INCH, PdfPage, PdfPicture, Placed, write_pdf
from countertop.sdk.cameras.documents.sizes import MM_PER_INCH, SIZES_MM
from countertop.sdk.cameras.documents.straighten import CARD_DPI, DPI, check_dpi
from countertop.sdk.cameras.stills import decode_reference
from countertop.sdk.errors import InvalidRequest
from countertop.v1 import camera_pb2
from countertop.v1.image_pb2 import Image

__all__ = ["MAX_BYTES", "MAX_PAGES", "Composed", "compose"]

MAX_PAGES = 16
MAX_BYTES = 3 * 1024 * 1024
"""Of all pictures together."""
_CARD_MM = SIZES_MM[camera_pb2.DOCUMENT_SIZE_ID_1]
_SHEET_MM = SIZES_MM[camera_pb2.DOCUMENT_SIZE_A4][::-1]
_GAP_MM = (_SHEET_MM[1] / 2 - 2 * _CARD_MM[1]) / 3
"""Above, between and below the two sides, which share the upper half of the sheet."""
_CARD_ASPECT_TOLERANCE = 0.12


@dataclass(frozen=True, slots=True)
class Composed:
    """What was put together."""

    pdf: bytes
    sheet: Image | None = None
    """With CARD_ON_A4: the sheet as a JPEG."""


def compose(pages: Sequence[tuple[bytes, str]], layout: int = 0, dpi: int = 0) -> Composed:
    """Put pictures (file, media type: image/jpeg or image/png) together, in their order. Blocks for some ten
    milliseconds a page. Each is decoded once to see that it is whole; a JPEG goes into the PDF byte for byte, so that
    an orientation in its EXIF data has no effect there.

    `layout` is a PageLayout; of a card front and back, lying. `dpi` 72 to 600 makes the size of pages, and the pixels
    of the sheet; 0 for 200, or 300 of a card.

    Raises InvalidRequest that names the picture, for what is no whole JPEG or PNG; and for too many, too large, or
    pictures that have not the shape of a card.
    """
    check_dpi(dpi)
    if layout not in camera_pb2.PageLayout.values():
        raise InvalidRequest({"layout": f"expected a value of PageLayout, got {layout}"})
    card = layout == camera_pb2.PAGE_LAYOUT_CARD_ON_A4
    least, most = (2, 2) if card else (1, MAX_PAGES)
    if not least <= len(pages) <= most:
        expected = "front and back of a card" if card else f"1 to {MAX_PAGES} pictures"
        raise InvalidRequest({"pages": f"expected {expected}, got {len(pages)}"})
    if sum(len(data) for data, _ in pages) > MAX_BYTES:
        raise InvalidRequest({"pages": "expected at most 3 MiB in all"})
    read = [_read(data, media_type, f"pages[{index}]") for index, (data, media_type) in enumerate(pages)]
    if card:
        return _card_on_a4(read, dpi or CARD_DPI)
    scale = POINTS_PER_INCH / (dpi or DPI)
    return Composed(write_pdf([_page(picture, scale) for picture, _ in read]))


def _read(data: bytes, media_type: str, field: str) -> tuple[PdfPicture, Any]:
    """For the PDF, and its pixels in BGR."""
    if media_type not in ("image/jpeg", "image/png"):
        raise InvalidRequest({f"{field}.media_type": "expected image/jpeg or image/png"})
    if not data.startswith(b"\xff\xd8" if media_type == "image/jpeg" else b"\x89PNG\r\n\x1a\n"):
        raise InvalidRequest({f"{field}.data": f"expected a whole file of {media_type}"})
    pixels = decode_reference(data, f"{field}.data", upright=False)
    if media_type == "image/jpeg":
        height, width = pixels.shape[:2]
        _, _, space, _ = simplejpeg.decode_jpeg_header(data)
        if space not in ("Gray", "YCbCr", "RGB"):
            raise InvalidRequest({f"{field}.data": "expected a JPEG in grey or in red, green and blue"})
        return PdfPicture(data, "DCTDecode", width, height, gray=space == "Gray"), pixels
    return _flate(data, pixels), pixels


def _flate(data: bytes, pixels: Any) -> PdfPicture:
    """A PNG's pixels, in as few bits as they need."""
    height, width = pixels.shape[:2]
    depth, kind = struct.unpack_from(">BB", data, 24)
    gray = kind == 0
    if gray and depth == 1:
        rows, bits = np.packbits(pixels[..., 0] > 127, axis=1), 1
    else:
        rows, bits = (pixels[..., 0] if gray else pixels[..., ::-1]), 8
    packed = zlib.compress(np.ascontiguousarray(rows).tobytes(), 6)
    return PdfPicture(packed, "FlateDecode", width, height, gray=gray, bits=bits)


def _page(picture: PdfPicture, scale: float) -> PdfPage:
    width, height = picture.width * scale, picture.height * scale
    return PdfPage(width, height, (Placed(picture, 0, 0, width, height),))


def _card_on_a4(sides: Sequence[tuple[PdfPicture, Any]], dpi: int) -> Composed:
    for index, (picture, _) in enumerate(sides):
        if abs(picture.width / picture.height / (_CARD_MM[0] / _CARD_MM[1]) - 1) > _CARD_ASPECT_TOLERANCE:
            raise InvalidRequest({f"pages[{index}]": "expected a card that lies, 85.60 by 53.98 mm"})
    points, dots = POINTS_PER_INCH / MM_PER_INCH, dpi / MM_PER_INCH
    left = (_SHEET_MM[0] - _CARD_MM[0]) / 2
    tops = [_GAP_MM + index * (_CARD_MM[1] + _GAP_MM) for index in range(len(sides))]
    sheet = np.full((round(_SHEET_MM[1] * dots), round(_SHEET_MM[0] * dots), 3), 255, np.uint8)
    size = (round(_CARD_MM[0] * dots), round(_CARD_MM[1] * dots))
    placed = []
    for (picture, pixels), top in zip(sides, tops, strict=True):
        x, y = round(left * dots), round(top * dots)
        smaller = size[0] < pixels.shape[1]
        way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        sheet[y : y + size[1], x : x + size[0]] = cv2.resize(pixels, size, interpolation=way)
        bottom = _SHEET_MM[1] - top - _CARD_MM[1]
        placed.append(Placed(picture, left * points, bottom * points, _CARD_MM[0] * points, _CARD_MM[1] * points))
    page = PdfPage(_SHEET_MM[0] * points, _SHEET_MM[1] * points, tuple(placed))
    cure = {"dpi": f"expected less than {dpi}: at quality 60 the sheet is larger than 768 KiB"}
    return Composed(write_pdf([page]), jpeg_image(sheet, dpi, cure))
