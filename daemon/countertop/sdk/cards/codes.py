"""Barcodes and codes of two dimensions on a card. A module is always a whole number of dots, so that it can be read."""

from __future__ import annotations

import re
from typing import Any

from countertop.sdk.cards.patch import Patch, Rect, color_of, luma
from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt._needs import need
from countertop.v1 import receipt_pb2
from countertop.v1.card_design_pb2 import CardCode

__all__ = ["LEAST_DOTS", "code_patches"]

LEAST_DOTS = 2
"""Dots of a module below which a code is hard to read: told as a warning."""
_WHITE = (255, 255, 255)
_LIGHT = 128

_BARCODES: dict[int, tuple[str, str, str, tuple[int, int]]] = {
    receipt_pb2.BARCODE_SYMBOLOGY_CODE128: ("Code128", r"[ -~]+", "printable ASCII", (10, 10)),
    receipt_pb2.BARCODE_SYMBOLOGY_EAN13: ("EAN13", r"\d{12,13}", "12 digits, or 13 with their check digit", (11, 7)),
    receipt_pb2.BARCODE_SYMBOLOGY_EAN8: ("EAN8", r"\d{7,8}", "7 digits, or 8 with their check digit", (7, 7)),
    receipt_pb2.BARCODE_SYMBOLOGY_CODE39: ("Code39", r"[0-9A-Z $%+./-]+", "capital letters, digits, $%+./-", (10, 10)),
    receipt_pb2.BARCODE_SYMBOLOGY_ITF: ("ITF", r"(\d\d)+", "an even number of digits", (10, 10)),
}
"""Name, what it can say, the same in words, quiet zones at its left and right in modules (ISO/IEC 15417, 15420, 16388,
16390)."""
_SYMBOLS = {
    receipt_pb2.SYMBOL_KIND_QR_CODE: ("QRCode", 4),
    receipt_pb2.SYMBOL_KIND_PDF417: ("PDF417", 2),
    receipt_pb2.SYMBOL_KIND_DATA_MATRIX: ("DataMatrix", 1),
}
"""Name, quiet zone on every side in modules (ISO/IEC 18004, 15438, 16022)."""
_EC_LEVELS = {
    receipt_pb2.ERROR_CORRECTION_LOW: "L",
    receipt_pb2.ERROR_CORRECTION_MEDIUM: "M",
    receipt_pb2.ERROR_CORRECTION_QUARTILE: "Q",
    receipt_pb2.ERROR_CORRECTION_HIGH: "H",
}


def code_patches(code: CardCode, text: str, rect: Rect, path: str) -> tuple[Patch | None, Patch, int]:
    """The white plate that a dark code with a quiet zone lies on, the code itself, and the dots of its modules.

    The module is as large as the box allows, the code lies in the middle. Raises InvalidRequest for a text that the
    symbology cannot say, and for a box that is too small.
    """
    np, pil = need("numpy"), need("PIL.Image")
    if code.WhichOneof("kind") == "barcode":
        modules, (left, right), around = _bars(code, text, path)
        rows = 0
    else:
        modules, around = _matrix(code, text, path)
        left = right = around
        rows = modules.shape[0]
    if code.no_quiet_zone:
        left = right = around = 0
    columns = modules.shape[1] + left + right
    rows += 2 * around
    module = min(rect.width // columns, rect.height // rows if rows else rect.width)
    if module < 1:
        needed = f"{columns} by {rows}" if rows else f"{columns}"
        raise InvalidRequest({f"{path}.text": f"expected less, or a larger box: the code needs {needed} dots"})
    dots = np.repeat(modules, module, axis=1)
    dots = np.repeat(dots, module, axis=0) if rows else np.repeat(dots, rect.height, axis=0)
    height, width = dots.shape
    whole = Rect(
        rect.left + (rect.width - columns * module) // 2,
        rect.top + (rect.height - rows * module) // 2 if rows else rect.top,
        columns * module,
        rows * module if rows else rect.height,
    )
    place = Rect(whole.left + left * module, whole.top + around * module, width, height)
    color = color_of(code.color)
    plate = Patch(whole, _WHITE) if not code.no_quiet_zone and luma(color) < _LIGHT else None
    return plate, Patch(place, color, pil.fromarray(dots.astype(np.uint8) * 255)), module


def _bars(code: CardCode, text: str, path: str) -> tuple[Any, tuple[int, int], int]:
    name, pattern, expected, quiet = _BARCODES[code.barcode]
    if not re.fullmatch(pattern, text, re.ASCII):
        raise InvalidRequest({f"{path}.text": f"expected {expected}"})
    return _drawn(name, text, {}, f"{path}.text", expected)[:1], quiet, 0


def _matrix(code: CardCode, text: str, path: str) -> tuple[Any, int]:
    kind = code.symbol or receipt_pb2.SYMBOL_KIND_QR_CODE
    name, quiet = _SYMBOLS[kind]
    level = _EC_LEVELS[code.error_correction or receipt_pb2.ERROR_CORRECTION_MEDIUM]
    options = {"ec_level": level} if kind == receipt_pb2.SYMBOL_KIND_QR_CODE else {}
    return _drawn(name, text, options, f"{path}.text", f"text that fits into a {name}"), quiet


def _drawn(name: str, text: str, options: dict[str, str], path: str, expected: str) -> Any:
    """Modules as a numpy array of booleans (rows, columns), True for dark. Kept nowhere: it is a customer's data."""
    np, zxing = need("numpy"), need("zxingcpp")
    try:
        code = zxing.create_barcode(text, getattr(zxing.BarcodeFormat, name), **options)
        image = code.to_image(scale=1, add_quiet_zones=False, add_hrt=False)
    except (ValueError, RuntimeError):
        raise InvalidRequest({path: f"expected {expected}"}) from None
    return np.asarray(image) < _LIGHT
