"""Codes on a receipt can be scanned, and what cannot be a code is refused."""

from __future__ import annotations

import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt import Paper, lay_out, rasterise
from countertop.sdk.receipt.dither import unpack
from countertop.sdk.receipt.ir import CodeItem, SymbolItem
from countertop.v1 import receipt_pb2
from countertop.v1.receipt_pb2 import Barcode, Block, Receipt, Symbol

CODE128, EAN13, EAN8, CODE39, ITF = (
    receipt_pb2.BARCODE_SYMBOLOGY_CODE128,
    receipt_pb2.BARCODE_SYMBOLOGY_EAN13,
    receipt_pb2.BARCODE_SYMBOLOGY_EAN8,
    receipt_pb2.BARCODE_SYMBOLOGY_CODE39,
    receipt_pb2.BARCODE_SYMBOLOGY_ITF,
)
QR, PDF417, MATRIX = (
    receipt_pb2.SYMBOL_KIND_QR_CODE,
    receipt_pb2.SYMBOL_KIND_PDF417,
    receipt_pb2.SYMBOL_KIND_DATA_MATRIX,
)


def place(block: Block, width: int = 576):
    return lay_out(Receipt(blocks=[block]), Paper(width_dots=width))


def scanned(block: Block, width: int = 576) -> list[str]:
    black = np.pad(unpack(rasterise(place(block, width))), 40)
    picture = np.where(black, 0, 255).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    return [code.text for code in zxingcpp.read_barcodes(picture)]


@pytest.mark.parametrize(
    ("symbology", "data", "says"),
    [
        (CODE128, "FEE-2026/42 a", "FEE-2026/42 a"),
        (EAN13, "690123456789", "6901234567892"),
        (EAN13, "6901234567892", "6901234567892"),
        (EAN8, "9638507", "96385074"),
        (CODE39, "CT-42", "CT-42"),
        (ITF, "123456", "123456"),
    ],
)
def test_barcodes_can_be_scanned(symbology, data, says):
    block = Block(barcode=Barcode(symbology=symbology, data=data, align=receipt_pb2.ALIGN_CENTER))
    assert scanned(block) == [says]


@pytest.mark.parametrize("kind", [0, QR, PDF417, MATRIX])
@pytest.mark.parametrize("data", ["https://pay.example.invalid/?id=42", "业务回单 123"])
def test_symbols_can_be_scanned(kind, data):
    assert scanned(Block(symbol=Symbol(kind=kind, data=data))) == [data]


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30), st.integers(1, 4))
def test_any_text_in_a_qr_code_can_be_scanned(text, level):
    assert scanned(Block(symbol=Symbol(data=text, error_correction=level))) == [text]


@pytest.mark.parametrize(
    ("symbology", "data", "expected"),
    [
        (EAN13, "6901234567890", "the check digit 2"),
        (EAN13, "69012345678", "12 or 13 digits"),
        (EAN8, "12a4567", "7 or 8 digits"),
        (ITF, "123", "an even number"),
        (CODE128, "费", "printable ASCII"),
        (CODE39, "lower", "capital letters"),
    ],
)
def test_data_that_a_barcode_cannot_say_is_refused_with_what_was_expected(symbology, data, expected):
    with pytest.raises(InvalidRequest, match=expected) as caught:
        place(Block(barcode=Barcode(symbology=symbology, data=data)))
    assert list(caught.value.violations) == ["receipt.blocks[0].barcode.data"]


def test_too_much_data_and_too_wide_codes_are_refused():
    with pytest.raises(InvalidRequest, match=r"symbol\.data"):
        place(Block(symbol=Symbol(data="费" * 2000, error_correction=4)))
    with pytest.raises(InvalidRequest, match="the paper has 128"):
        place(Block(barcode=Barcode(symbology=CODE128, data="a" * 40)), width=128)
    with pytest.raises(InvalidRequest, match=r"symbol\.data"):
        place(Block(symbol=Symbol(data="a" * 2000)), width=128)


def test_modules_shrink_until_the_code_fits():
    block = Block(symbol=Symbol(data="a" * 60, module_dots=16))
    sizes = {}
    for width in (576, 384, 200):
        (item,) = [item for item in place(block, width).items if isinstance(item, SymbolItem)]
        assert item.x + item.width <= width
        sizes[width] = item.module
    assert sizes[576] > sizes[384] > sizes[200] >= 1


def test_a_barcode_is_as_high_as_was_asked_and_stands_where_it_should():
    block = Block(barcode=Barcode(symbology=EAN13, data="690123456789", height_mm=15, align=receipt_pb2.ALIGN_RIGHT))
    (item,) = [item for item in place(block).items if isinstance(item, CodeItem)]
    assert item.height == 120
    assert item.x + item.width == 576
    assert item.width == 95 * item.module
