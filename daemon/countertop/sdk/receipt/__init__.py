"""Receipts: one layout engine, and back ends for whoever prints or shows what it placed.

::

    layout = lay_out(receipt, Paper(width_dots=576))
    png = to_png(rasterise(layout))

Back ends that draw need the `receipt` extra (Pillow, numpy, zxing-cpp, a font); they are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk._lazy import lazy
from countertop.sdk.receipt.ir import Bitmap, Layout, Paper

if TYPE_CHECKING:
    from countertop.sdk.receipt.cells import text_width
    from countertop.sdk.receipt.layout import lay_out
    from countertop.sdk.receipt.plain import receipt_from_text
    from countertop.sdk.receipt.png import to_png
    from countertop.sdk.receipt.raster import rasterise, rasterise_line, rule_bitmap, text_below
    from countertop.sdk.receipt.symbols import code_bitmap, symbol_bitmap
    from countertop.sdk.receipt.text import line_text, to_text

__all__ = [
    "Bitmap",
    "Layout",
    "Paper",
    "code_bitmap",
    "lay_out",
    "line_text",
    "rasterise",
    "rasterise_line",
    "receipt_from_text",
    "rule_bitmap",
    "symbol_bitmap",
    "text_below",
    "text_width",
    "to_png",
    "to_text",
]

__getattr__ = lazy(
    __name__,
    {
        "cells": "text_width",
        "layout": "lay_out",
        "plain": "receipt_from_text",
        "png": "to_png",
        "raster": "rasterise rasterise_line rule_bitmap text_below",
        "symbols": "code_bitmap symbol_bitmap",
        "text": "line_text to_text",
    },
)
