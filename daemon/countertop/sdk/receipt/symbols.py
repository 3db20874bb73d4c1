"""Barcodes and codes of two dimensions: checked, sized to the paper, drawn with zxing-cpp."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt._needs import need
from countertop.sdk.receipt.dither import pack
from countertop.sdk.receipt.ir import Bitmap, CodeItem, Paper, SymbolItem
from countertop.v1 import receipt_pb2
from countertop.v1.receipt_pb2 import Align, Barcode, ErrorCorrection, Symbol, SymbolKind

__all__ = ["code_bitmap", "place_barcode", "place_symbol", "symbol_bitmap"]

_BARCODES: dict[int, tuple[str, str, str]] = {
    receipt_pb2.BARCODE_SYMBOLOGY_CODE128: ("Code128", r"[ -~]+", "printable ASCII"),
    receipt_pb2.BARCODE_SYMBOLOGY_EAN13: ("EAN13", r"\d{12,13}", "12 or 13 digits"),
    receipt_pb2.BARCODE_SYMBOLOGY_EAN8: ("EAN8", r"\d{7,8}", "7 or 8 digits"),
    receipt_pb2.BARCODE_SYMBOLOGY_CODE39: ("Code39", r"[0-9A-Z $%+./-]+", "capital letters, digits and $%+./- "),
    receipt_pb2.BARCODE_SYMBOLOGY_ITF: ("ITF", r"(\d\d)+", "an even number of digits"),
}
_SYMBOLS = {
    receipt_pb2.SYMBOL_KIND_QR_CODE: "QRCode",
    receipt_pb2.SYMBOL_KIND_PDF417: "PDF417",
    receipt_pb2.SYMBOL_KIND_DATA_MATRIX: "DataMatrix",
}
_EC_LEVELS = {
    receipt_pb2.ERROR_CORRECTION_LOW: "L",
    receipt_pb2.ERROR_CORRECTION_MEDIUM: "M",
    receipt_pb2.ERROR_CORRECTION_QUARTILE: "Q",
    receipt_pb2.ERROR_CORRECTION_HIGH: "H",
}
_CHECKED = {receipt_pb2.BARCODE_SYMBOLOGY_EAN13: 13, receipt_pb2.BARCODE_SYMBOLOGY_EAN8: 8}


def place_barcode(code: Barcode, block: int, paper: Paper) -> CodeItem:
    """Raises InvalidRequest for data that the symbology cannot say, and codes wider than the paper."""
    name, pattern, expected = _BARCODES[code.symbology]
    if not re.fullmatch(pattern, code.data, re.ASCII):
        raise InvalidRequest({"barcode.data": f"expected {expected}"})
    data = code.data
    digits = _CHECKED.get(code.symbology)
    if digits is not None:
        right = data[: digits - 1] + str(_check_digit(data[: digits - 1]))
        if len(data) == digits and data != right:
            raise InvalidRequest({"barcode.data": f"expected the check digit {right[-1]}"})
        data = right
    modules = len(_bars(name, data))
    module = _fitting(code.module_dots or 2, modules, paper, 1, "barcode.data")
    width = modules * module
    height = paper.dots(code.height_mm or 10)
    return CodeItem(
        block, _shift(width, paper, code.align), width, height, code.symbology, data, module, code.text_below
    )


def place_symbol(symbol: Symbol, block: int, paper: Paper) -> SymbolItem:
    """Raises InvalidRequest for more data than the symbol holds, and symbols wider than the paper."""
    kind = symbol.kind or receipt_pb2.SYMBOL_KIND_QR_CODE
    level = symbol.error_correction or receipt_pb2.ERROR_CORRECTION_MEDIUM
    matrix = _matrix(_SYMBOLS[kind], symbol.data, _level(kind, level))
    rows, columns = matrix.shape
    module = _fitting(symbol.module_dots or 4, columns, paper, 1, "symbol.data")
    width, height = columns * module, rows * module
    return SymbolItem(block, _shift(width, paper, symbol.align), width, height, kind, symbol.data, module, level)


def symbol_bitmap(item: SymbolItem) -> Bitmap:
    """The symbol, without quiet zone."""
    np = need("numpy")
    matrix = _matrix(_SYMBOLS[item.kind], item.data, _level(item.kind, item.error_correction))
    return pack(np.kron(matrix, np.ones((item.module, item.module), bool)))


def code_bitmap(item: CodeItem) -> Bitmap:
    """The bars, without quiet zones and text."""
    np = need("numpy")
    bars = np.repeat(_bars(_BARCODES[item.symbology][0], item.data), item.module)
    return pack(np.tile(bars, (item.height, 1)))


def _level(kind: SymbolKind, level: ErrorCorrection) -> str:
    return _EC_LEVELS[level] if kind == receipt_pb2.SYMBOL_KIND_QR_CODE else ""


def _check_digit(digits: str) -> int:
    """Modulo 10 with weights 3 and 1 from the right (GS1)."""
    return -sum(int(digit) * (3 if index % 2 == 0 else 1) for index, digit in enumerate(reversed(digits))) % 10


def _fitting(wanted: int, modules: int, paper: Paper, least: int, field: str) -> int:
    module = min(wanted, paper.width_dots // modules)
    if module < least:
        raise InvalidRequest({field: f"expected less: the code needs {modules} dots, the paper has {paper.width_dots}"})
    return module


def _shift(width: int, paper: Paper, align: Align) -> int:
    if align == receipt_pb2.ALIGN_CENTER:
        return (paper.width_dots - width) // 2
    return paper.width_dots - width if align == receipt_pb2.ALIGN_RIGHT else 0


@lru_cache(maxsize=64)
def _matrix(name: str, data: str, level: str) -> Any:
    """Modules as a numpy array of booleans (rows, columns), True for dark. Raises InvalidRequest."""
    np, zxing = need("numpy"), need("zxingcpp")
    options = {"ec_level": level} if level else {}
    try:
        code = zxing.create_barcode(data, getattr(zxing.BarcodeFormat, name), **options)
    except (ValueError, RuntimeError) as error:
        raise InvalidRequest({"symbol.data": f"expected data that fits into a {name}"}) from error
    return np.asarray(code.to_image(scale=1, add_quiet_zones=False)) < 128


@lru_cache(maxsize=64)
def _bars(name: str, data: str) -> Any:
    """Bars as a numpy row of booleans. Raises InvalidRequest."""
    np, zxing = need("numpy"), need("zxingcpp")
    try:
        code = zxing.create_barcode(data, getattr(zxing.BarcodeFormat, name))
    except (ValueError, RuntimeError) as error:
        raise InvalidRequest({"barcode.data": f"expected data that fits into a {name}"}) from error
    image = np.asarray(code.to_image(scale=1, add_quiet_zones=False, add_hrt=False)) < 128
    return image[0]
