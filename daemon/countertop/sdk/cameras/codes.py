"""Codes on a picture.

The reader lets go of the interpreter while it looks: call it from a thread, and the event loop goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

import zxingcpp

from countertop.sdk.errors import InvalidRequest
from countertop.v1 import camera_pb2
from countertop.v1.camera_pb2 import Code, CodeFormat, PicturePoint

__all__ = ["DEFAULT_FORMATS", "Found", "check_formats", "scan"]

DEFAULT_FORMATS = (camera_pb2.CODE_FORMAT_QR,)
_NAMES: dict[CodeFormat, str] = {
    camera_pb2.CODE_FORMAT_QR: "QRCode",
    camera_pb2.CODE_FORMAT_MICRO_QR: "MicroQRCode",
    camera_pb2.CODE_FORMAT_DATA_MATRIX: "DataMatrix",
    camera_pb2.CODE_FORMAT_AZTEC: "Aztec",
    camera_pb2.CODE_FORMAT_PDF417: "PDF417",
    camera_pb2.CODE_FORMAT_CODE_128: "Code128",
    camera_pb2.CODE_FORMAT_CODE_39: "Code39",
    camera_pb2.CODE_FORMAT_EAN_13: "EAN13",
    camera_pb2.CODE_FORMAT_EAN_8: "EAN8",
    camera_pb2.CODE_FORMAT_ITF: "ITF",
    camera_pb2.CODE_FORMAT_CODABAR: "Codabar",
}
"""By zxing-cpp's names."""


def check_formats(formats: Iterable[int], field: str = "formats") -> tuple[CodeFormat, ...]:
    """The formats to look for, each once; QR alone for none. Raises InvalidRequest for one that is not in CodeFormat,
    and for UNSPECIFIED.
    """
    chosen = tuple(dict.fromkeys(formats)) or DEFAULT_FORMATS
    if unknown := sorted(set(chosen) - _NAMES.keys()):
        raise InvalidRequest({field: f"expected values of CodeFormat, got {', '.join(map(str, unknown))}"})
    return tuple(kind for kind in _NAMES if kind in chosen)


def scan(gray: Any, formats: Collection[int] = (), sequence: int = 0) -> list[Code]:
    """All codes of these formats on a picture (height, width) of uint8: turned, mirrored and light on dark too, each
    with its text, its bytes and its corners in pixels. `sequence` is noted as the frame's. Blocks for milliseconds.

    Raises InvalidRequest as check_formats does, and for an array of another shape.
    """
    chosen = check_formats(formats)
    if gray.ndim != 2 or gray.dtype != "uint8" or not gray.size:
        raise InvalidRequest({"picture": f"expected one channel of 8 bits, got {gray.dtype} of shape {gray.shape}"})
    wanted, known = _tables()
    found = zxingcpp.read_barcodes(
        gray,
        formats=zxingcpp.BarcodeFormats([wanted[kind] for kind in chosen]),
        text_mode=zxingcpp.TextMode.Plain,  # the default writes control characters as words
    )
    return [_code(barcode, known, sequence) for barcode in found if barcode.format in known]


class Found:
    """Collects codes, each different one once, in the order in which they were seen."""

    def __init__(self) -> None:
        self._codes: dict[tuple[int, bytes, str], Code] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def add(self, codes: Iterable[Code]) -> list[Code]:
        """Take what was seen on a frame. Returns those that are new."""
        new = []
        for code in codes:
            key = (code.format, code.content, code.text)
            if key not in self._codes:
                self._codes[key] = code
                new.append(code)
        return new

    @property
    def codes(self) -> list[Code]:
        """All of them."""
        return list(self._codes.values())


@cache
def _tables() -> tuple[dict[CodeFormat, Any], dict[Any, CodeFormat]]:
    """CodeFormat to zxing-cpp's, and back."""
    wanted = {kind: getattr(zxingcpp.BarcodeFormat, name) for kind, name in _NAMES.items()}
    return wanted, {theirs: kind for kind, theirs in wanted.items()}


def _code(barcode: Any, known: dict[Any, CodeFormat], sequence: int) -> Code:
    place = barcode.position
    corners = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
    return Code(
        format=known[barcode.format],
        text=barcode.text,
        content=barcode.bytes,
        corners=[PicturePoint(x=corner.x, y=corner.y) for corner in corners],
        sequence=sequence,
    )
