"""How large documents are, and which one it is."""

from __future__ import annotations

from countertop.sdk.cameras.documents.quad import Quad
from countertop.sdk.errors import InvalidRequest
from countertop.v1 import camera_pb2
from countertop.v1.camera_pb2 import DocumentSize

__all__ = ["MM_PER_INCH", "SIZES_MM", "check_size", "guess"]

MM_PER_INCH = 25.4
SIZES_MM: dict[DocumentSize, tuple[float, float]] = {
    camera_pb2.DOCUMENT_SIZE_A4: (297.0, 210.0),
    camera_pb2.DOCUMENT_SIZE_ID_1: (85.60, 53.98),
    camera_pb2.DOCUMENT_SIZE_A5: (210.0, 148.0),
}
"""Longer and shorter side (ISO 216, ISO/IEC 7810)."""
_SIZE_TOLERANCE = 0.045
"""Of a side: the camera sees a stage from one point, and cards lie nearer to it than paper."""
_CARD_TOLERANCE = 0.03
"""Of a card's aspect, 1.586: that of paper, 1.414, is 11 % away, and of a photograph, 1.5, 5 %."""


def check_size(size: int, field: str = "size") -> DocumentSize:
    """The size, as the enum. Raises InvalidRequest for a number that is none."""
    for known in (camera_pb2.DOCUMENT_SIZE_UNSPECIFIED, *SIZES_MM):
        if known == size:
            return known
    raise InvalidRequest({field: f"expected a value of DocumentSize, got {size}"})


def guess(quad: Quad, dpi: float = 0.0) -> DocumentSize:
    """Which document has this shape, UNSPECIFIED when none clearly has. `dpi` is the stage's, 0 when not measured.

    Without it only a card is told: A4, A5 and an open passport have one shape.
    """
    if dpi:
        short, long = sorted((quad.width * MM_PER_INCH / dpi, quad.height * MM_PER_INCH / dpi))
        for size, (longer, shorter) in SIZES_MM.items():
            if abs(long / longer - 1) < _SIZE_TOLERANCE and abs(short / shorter - 1) < _SIZE_TOLERANCE:
                return size
        return camera_pb2.DOCUMENT_SIZE_UNSPECIFIED
    longer, shorter = SIZES_MM[camera_pb2.DOCUMENT_SIZE_ID_1]
    if abs(quad.aspect / (longer / shorter) - 1) < _CARD_TOLERANCE:
        return camera_pb2.DOCUMENT_SIZE_ID_1
    return camera_pb2.DOCUMENT_SIZE_UNSPECIFIED
