"""From grey to black and white, and from pixels to packed bits."""

from __future__ import annotations

from typing import Any

from countertop.sdk.receipt._needs import need
from countertop.sdk.receipt.ir import Bitmap
from countertop.v1 import receipt_pb2
from countertop.v1.receipt_pb2 import Dither

__all__ = ["dithered", "pack", "unpack"]

_BAYER_2 = ((0, 2), (3, 1))
_INVERT = bytes(255 - value for value in range(256))


def dithered(grey: Any, dither: Dither, threshold: int = 128) -> Bitmap:
    """A PIL image of mode L as a bitmap; 1 is black. `threshold` 1 to 255 counts for THRESHOLD only."""
    if dither == receipt_pb2.DITHER_FLOYD_STEINBERG:
        packed = grey.convert("1").tobytes().translate(_INVERT)
        return _clear_padding(Bitmap(grey.width, grey.height, packed))
    np = need("numpy")
    pixels = np.asarray(grey)
    if dither == receipt_pb2.DITHER_THRESHOLD:
        return pack(pixels < threshold)
    screen = _bayer(np)
    tiled = np.tile(screen, (-(-grey.height // 8), -(-grey.width // 8)))[: grey.height, : grey.width]
    return pack(pixels < tiled)


def pack(black: Any) -> Bitmap:
    """A numpy array of booleans (rows, columns), True for black, as a bitmap."""
    height, width = black.shape
    return Bitmap(width, height, need("numpy").packbits(black, axis=1).tobytes())


def unpack(bitmap: Bitmap) -> Any:
    """A bitmap as a numpy array of booleans (rows, columns)."""
    np = need("numpy")
    rows = np.frombuffer(bitmap.rows, np.uint8).reshape(bitmap.height, bitmap.stride)
    return np.unpackbits(rows, axis=1)[:, : bitmap.width].astype(bool)


def _bayer(np: Any) -> Any:
    """Thresholds of the 8 by 8 ordered screen, 2 to 254: white stays white, black stays black."""
    small = np.array(_BAYER_2)
    screen = small
    for _ in range(2):
        screen = np.block([[4 * screen + value for value in row] for row in _BAYER_2])
    return (screen * 4 + 2).astype(np.uint8)


def _clear_padding(bitmap: Bitmap) -> Bitmap:
    """The bits behind the right edge are paper."""
    if bitmap.width % 8 == 0:
        return bitmap
    np = need("numpy")
    rows = np.frombuffer(bitmap.rows, np.uint8).reshape(bitmap.height, bitmap.stride).copy()
    rows[:, -1] &= 0xFF << (8 - bitmap.width % 8) & 0xFF
    return Bitmap(bitmap.width, bitmap.height, rows.tobytes())
