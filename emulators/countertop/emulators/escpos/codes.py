"""Barcodes and codes of two dimensions, drawn for real."""

from __future__ import annotations

from typing import Any

__all__ = ["OLD_BARCODES", "barcode", "symbol"]

OLD_BARCODES = {0: 65, 1: 66, 2: 67, 3: 68, 4: 69, 5: 70, 6: 71}
"""GS k m of the old form, as m of the new one."""

_FORMATS = {
    65: ("UPCA", "UPC-A"),
    66: ("UPCE", "UPC-E"),
    67: ("EAN13", "EAN13"),
    68: ("EAN8", "EAN8"),
    69: ("Code39", "CODE39"),
    70: ("ITF", "ITF"),
    71: ("Codabar", "CODABAR"),
    72: ("Code93", "CODE93"),
    73: ("Code128", "CODE128"),
}
_SYMBOLS = {"QRCode": "QR_CODE", "PDF417": "PDF417"}
_ROWS_EACH = {"QRCode": 1, "PDF417": 3}
"""How many rows of dots zxing draws for one row of modules."""


def _code128_text(data: bytes) -> str:
    """What {A, {B and {C stretches say; `{{` is a brace, other functions say nothing."""
    text, code_set, at = "", "B", 0
    while at < len(data):
        if data[at : at + 1] == b"{" and at + 1 < len(data):
            mark = chr(data[at + 1])
            code_set = mark if mark in "ABC" else code_set
            text += "{" if mark == "{" else ""
            at += 2
        else:
            text += f"{data[at]:02d}" if code_set == "C" else chr(data[at])
            at += 1
    return text


def barcode(m: int, data: bytes) -> tuple[Any, str, str] | None:
    """(bars as a numpy row of booleans, what it says, its name); None when the data cannot be a code of that kind."""
    import numpy as np
    import zxingcpp

    name, label = _FORMATS.get(m, ("", ""))
    if not name:
        return None
    text = _code128_text(data) if m == 73 else data.decode("latin-1")
    if m == 69:
        text = text.strip("*")
    try:
        code = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, name))
    except (ValueError, RuntimeError):
        return None
    image = np.array(code.to_image(scale=1, add_hrt=False, add_quiet_zones=False)) < 128
    return image[0], text, label


def symbol(kind: str, data: bytes, level: str = "") -> tuple[Any, str, str] | None:
    """(modules as a numpy array of booleans, what it says, its name); `kind` is QRCode or PDF417. None when the data
    does not fit into any.
    """
    import numpy as np
    import zxingcpp

    content: str | bytes
    try:
        content = text = data.decode("utf-8")
    except UnicodeDecodeError:  # the very bytes, and what they are likely to say
        content, text = data, data.decode("gb18030", "replace")
    options = {"ec_level": level} if level else {}
    try:
        code = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, kind), **options)
    except (ValueError, RuntimeError):
        return None
    modules = np.array(code.to_image(scale=1, add_quiet_zones=False)) < 128
    return modules[:: _ROWS_EACH[kind]], text, _SYMBOLS[kind]
