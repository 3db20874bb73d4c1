"""What barcodes and codes of two dimensions can say."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from countertop.testing.strategies._texts import texts
from countertop.v1 import receipt_pb2

__all__ = ["barcode_texts", "gs1_check", "symbol_texts"]

_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
_CODE39 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%+./-"


def gs1_check(digits: str) -> str:
    """The check digit of EAN: weights 3 and 1 from the right (GS1 General Specifications, 7.9)."""
    odd, even = digits[-1::-2], digits[-2::-2]
    return str(-(3 * sum(map(int, odd)) + sum(map(int, even))) % 10)


@cache
def barcode_texts(symbology: receipt_pb2.BarcodeSymbology, room: int = 18) -> st.SearchStrategy[str]:
    """What a symbology can say (receipt.proto), in at most `room` characters: then it needs 384 dots at most, the width
    of 58 mm paper. EAN comes with its check digit and without.
    """
    digits = st.text(st.sampled_from("0123456789"), min_size=1, max_size=room // 2)
    if symbology == receipt_pb2.BARCODE_SYMBOLOGY_CODE128:
        return st.text(st.sampled_from(_PRINTABLE), min_size=1, max_size=room)
    if symbology == receipt_pb2.BARCODE_SYMBOLOGY_CODE39:
        return st.text(st.sampled_from(_CODE39), min_size=1, max_size=room)
    if symbology == receipt_pb2.BARCODE_SYMBOLOGY_ITF:
        return digits.map(lambda text: text + text)
    length = 12 if symbology == receipt_pb2.BARCODE_SYMBOLOGY_EAN13 else 7
    short = st.integers(0, 10**length - 1).map(lambda number: f"{number:0{length}d}")
    return short | short.map(lambda text: text + gs1_check(text))


@cache
def symbol_texts(max_chars: int = 40) -> st.SearchStrategy[str]:
    """Text for a code of two dimensions, 1 to `max_chars` characters: any script."""
    address = st.integers(0, 9999).map(lambda number: f"https://bank.example/r/{number}"[:max_chars])
    return address | texts(max_chars, min_chars=1)
