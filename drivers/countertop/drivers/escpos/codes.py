"""Barcodes and 2D codes in the printer's own commands, where it surely prints what was laid out.

A printer prints nothing at all when a code is wider than the room. So a code is printed natively only if its width is
known to fit; everything else is printed as a picture. The same holds for data with control characters: a DLE in it
would reach the printer's real-time stage.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from countertop.drivers.escpos.profiles import Profile
from countertop.sdk.receipt.ir import CodeItem, SymbolItem
from countertop.v1 import receipt_pb2

__all__ = ["native_barcode", "native_symbol"]

_QR_LEVELS = {
    receipt_pb2.ERROR_CORRECTION_LOW: 48,
    receipt_pb2.ERROR_CORRECTION_MEDIUM: 49,
    receipt_pb2.ERROR_CORRECTION_QUARTILE: 50,
    receipt_pb2.ERROR_CORRECTION_HIGH: 51,
}
# A printer may encode digits as bytes: 8 bits instead of 10/3, that is up to 1.55 times as wide.
_QR_SLACK = 1.6
_MAX_QR_BYTES = 2953
_PDF417_ROW_HEIGHT = 3


def _symbol(cn: int, fn: int, parameters: bytes) -> bytes:
    """GS ( k."""
    return struct.pack("<3sHBB", b"\x1d(k", len(parameters) + 2, cn, fn) + parameters


def _printable(text: str) -> bool:
    return not any(char < " " or char == "\x7f" for char in text)


def native_symbol(item: SymbolItem, profile: Profile) -> bytes | None:
    """GS ( k commands that print the symbol at the left margin, or None where it must be a picture."""
    if not _printable(item.data) or not 1 <= item.module <= 8:
        return None
    if item.kind == receipt_pb2.SYMBOL_KIND_QR_CODE and profile.qr:
        return _qr(item, profile)
    if item.kind == receipt_pb2.SYMBOL_KIND_PDF417 and profile.pdf417:
        return _pdf417(item)
    return None


def _qr(item: SymbolItem, profile: Profile) -> bytes | None:
    data = item.data.encode()
    if item.x + item.width * _QR_SLACK > profile.width_dots or len(data) > _MAX_QR_BYTES:
        return None
    return b"".join(
        (
            _symbol(49, 65, b"2\x00"),
            _symbol(49, 67, bytes((item.module,))),
            _symbol(49, 69, bytes((_QR_LEVELS[item.error_correction],))),
            _symbol(49, 80, b"0" + data),
            _symbol(49, 81, b"0"),
        )
    )


def _pdf417(item: SymbolItem) -> bytes | None:
    # start, two indicators, stop: 69 modules; 17 a column
    columns, odd = divmod(item.width // item.module - 69, 17)
    if odd or not 1 <= columns <= 30:
        return None
    return b"".join(
        (
            _symbol(48, 65, bytes((columns,))),
            _symbol(48, 66, b"\x00"),
            _symbol(48, 67, bytes((item.module,))),
            _symbol(48, 68, bytes((_PDF417_ROW_HEIGHT,))),
            _symbol(48, 80, b"0" + item.data.encode()),
            _symbol(48, 81, b"0"),
        )
    )


def _code128(data: str) -> tuple[int, int, bytes]:
    # code set B throughout: start, data, check of 11 modules each, stop of 13
    return 73, 11 * (len(data) + 2) + 13, b"{B" + data.encode("ascii").replace(b"{", b"{{")


def _ean13(data: str) -> tuple[int, int, bytes]:
    return 67, 95, data.encode("ascii")


def _ean8(data: str) -> tuple[int, int, bytes]:
    return 68, 67, data.encode("ascii")


# Symbologies whose width every printer agrees on: the number for GS k, modules, data.
_BARCODES: dict[int, Callable[[str], tuple[int, int, bytes]]] = {
    receipt_pb2.BARCODE_SYMBOLOGY_CODE128: _code128,
    receipt_pb2.BARCODE_SYMBOLOGY_EAN13: _ean13,
    receipt_pb2.BARCODE_SYMBOLOGY_EAN8: _ean8,
}


def native_barcode(item: CodeItem, profile: Profile) -> bytes | None:
    """GS k with its settings, or None where it must be a picture."""
    build = _BARCODES.get(item.symbology)
    if build is None or not profile.barcodes or not item.data.isascii() or not _printable(item.data):
        return None
    if not 2 <= item.module <= 6 or not 1 <= item.height <= 255:
        return None
    number, modules, data = build(item.data)
    if modules * item.module != item.width or len(data) > 255:
        return None  # an encoder may save room by code set C; its pairs could spell a DLE
    settings = bytes((0x1D, 0x68, item.height, 0x1D, 0x77, item.module, 0x1D, 0x66, 0, 0x1D, 0x48, 2 * item.text_below))
    return settings + bytes((0x1D, 0x6B, number, len(data))) + data
