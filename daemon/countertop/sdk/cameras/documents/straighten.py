"""A document as if it lay straight below the camera, in its own size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from countertop.sdk.cameras.documents.files import jpeg_image, png_image
from countertop.sdk.cameras.documents.quad import Quad
from countertop.sdk.cameras.documents.sizes import MM_PER_INCH, SIZES_MM, check_size, guess
from countertop.sdk.errors import InvalidRequest
from countertop.v1 import camera_pb2
from countertop.v1.camera_pb2 import DocumentSize
from countertop.v1.image_pb2 import Image

__all__ = ["CARD_DPI", "DPI", "Straightened", "check_dpi", "straighten"]

DPI, CARD_DPI = 200, 300
"""Where the caller does not say."""
_DPI_RANGE = (72, 600)
_MOST_FINER = 4
"""A picture that shrinks by more is aliased a little; none does that has to be read."""
_INK, _FAINT_INK = 0.55, 0.88
"""Part of the paper's brightness: darker is ink for certain, and can be ink when it is darker than its surroundings."""


@dataclass(frozen=True, slots=True)
class Straightened:
    """A document's picture."""

    image: Image
    """JPEG, or PNG of one bit when it is BITONAL."""
    dpi: int
    """Dots per inch of it; 0 when nobody knows the document's size."""
    homography: tuple[float, ...]
    """From the original's pixels to the document's: 3 x 3, row by row."""
    size: DocumentSize
    """What it was taken for; UNSPECIFIED when it kept its own size."""


def straighten(picture: Any, quad: Quad, *, size: int = 0, color: int = 0, dpi: int = 0,
               stage_dpi: float = 0.0) -> Straightened:  # fmt: skip
    """Straighten what lies in the quad on a picture (height, width, 3; BGR, uint8). Blocks for some ten milliseconds.

    `size` (DocumentSize) UNSPECIFIED: guessed from the shape; where nothing fits it keeps its own pixels, and `dpi` has
    no effect. `color` is a DocumentColor. `dpi` 72 to 600; 0 for 200, or 300 of a card. `stage_dpi`: that of the
    picture, 0 when not measured. A card that stands is laid down; whether it is upside down nobody has looked.

    Raises InvalidRequest for values outside of these, and, naming dpi, when the picture does not fit into 768 KiB.
    """
    check_dpi(dpi)
    if color not in camera_pb2.DocumentColor.values():
        raise InvalidRequest({"color": f"expected a value of DocumentColor, got {color}"})
    kind = check_size(size) or guess(quad, stage_dpi)
    if kind == camera_pb2.DOCUMENT_SIZE_ID_1:
        quad = quad.lying()
    if kind:
        dpi = dpi or (CARD_DPI if kind == camera_pb2.DOCUMENT_SIZE_ID_1 else DPI)
        long, short = (round(mm / MM_PER_INCH * dpi) for mm in SIZES_MM[kind])
        width, height = (long, short) if quad.width >= quad.height else (short, long)
        cure = {"dpi": f"expected less than {dpi}: at quality 60 the picture is larger than 768 KiB"}
    else:
        dpi = round(stage_dpi)
        width, height = max(1, round(quad.width)), max(1, round(quad.height))
        cure = {
            "size": "expected the document's size and fewer dpi: its own pixels are more than 768 KiB at quality 60"
        }
    pixels, homography = _warped(picture, quad, width, height)
    if color == camera_pb2.DOCUMENT_COLOR_BITONAL:
        image = png_image(_bitonal(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)), dpi, cure)
    elif color == camera_pb2.DOCUMENT_COLOR_GRAY:
        image = jpeg_image(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), dpi, cure)
    else:
        image = jpeg_image(pixels, dpi, cure)
    return Straightened(image, dpi, tuple(map(float, homography.reshape(-1))), kind)


def check_dpi(dpi: int) -> None:
    """Raises InvalidRequest for dots per inch outside 72 to 600; 0 stands for the default."""
    least, most = _DPI_RANGE
    if dpi and not least <= dpi <= most:
        raise InvalidRequest({"dpi": f"expected {least} to {most}, got {dpi}"})


def _warped(picture: Any, quad: Quad, width: int, height: int) -> tuple[Any, Any]:
    """The document, and the homography. Shrunk by more than two it is warped finer first, then averaged."""
    finer = max(1, min(_MOST_FINER, int(min(quad.width / width, quad.height / height))))
    fine = cv2.warpPerspective(picture, _homography(quad, width * finer, height * finer),
                               (width * finer, height * finer), flags=cv2.INTER_CUBIC,
                               borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    if finer > 1:
        fine = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return fine, _homography(quad, width, height)


def _homography(quad: Quad, width: int, height: int) -> Any:
    """The corners become the outer corners of the outermost pixels."""
    right, low = width - 0.5, height - 0.5
    target = ((-0.5, -0.5), (right, -0.5), (right, low), (-0.5, low))
    # cv2's own takes single precision only
    rows, values = [], []
    for (x, y), (u, v) in zip(quad.corners, target, strict=True):
        rows += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
        values += [u, v]
    try:
        solved = np.linalg.solve(np.array(rows, np.float64), np.array(values))
    except np.linalg.LinAlgError:
        raise InvalidRequest({"corners": "expected corners of a convex shape"}) from None
    return np.append(solved, 1.0).reshape(3, 3)


def _bitonal(gray: Any) -> Any:
    """255 for paper, 0 for ink: beside the paper's brightness round about, and beside what is next to it."""
    height, width = gray.shape
    small = cv2.resize(gray, (max(1, width // 8), max(1, height // 8)), interpolation=cv2.INTER_AREA)
    around = max(3, min(small.shape) // 6) | 1
    paper = cv2.GaussianBlur(
        cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((around, around), np.uint8)), (0, 0), around / 4
    )
    light = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    block = max(11, min(width, height) // 40) | 1
    beside = cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block, 10)
    dark = cv2.compare(gray, cv2.convertScaleAbs(light, alpha=_INK), cv2.CMP_LT)
    darker = cv2.compare(gray, cv2.convertScaleAbs(light, alpha=_FAINT_INK), cv2.CMP_LT)
    return cv2.bitwise_not(cv2.bitwise_or(dark, cv2.bitwise_and(beside, darker)))
