"""A code on the screen of a phone that somebody holds before the camera."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import zxingcpp

from countertop.emulators.camera.scenes.held import PHONE_LAYER, phone, tilted
from countertop.emulators.camera.scenes.layers import Layer

__all__ = ["code_phone_corners", "make_code", "phone_with_code"]

_SCREEN_WIDTH, _SCREEN_HEIGHT = 594, 1056
_CODE_SIDE = 500


@lru_cache(maxsize=4)
def make_code(text: str) -> Any:
    """A QR code as grey bytes (n, n), one pixel a module, without the quiet zone.

    Raises ValueError that starts with `text:` when it makes no code.
    """
    try:
        code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    except ValueError:
        raise ValueError("text: expected a text that fits into a QR code with error correction M") from None
    return np.array(code.to_image(scale=1, add_quiet_zones=False))


def phone_with_code(text: str) -> Layer:
    """A phone whose white screen shows the code, under a coloured bar as payment apps have it."""
    modules = make_code(text)
    screen = np.full((_SCREEN_HEIGHT, _SCREEN_WIDTH, 3), (248, 248, 246), np.uint8)
    screen[:150] = (186, 112, 30)
    cv2.rectangle(screen, (60, 68), (300, 90), (240, 226, 208), -1)
    for row, wide in ((880, 330), (925, 210)):
        left = (_SCREEN_WIDTH - wide) // 2
        cv2.rectangle(screen, (left, row), (left + wide, row + 16), (190, 188, 184), -1)
    left, top = (_SCREEN_WIDTH - _CODE_SIDE) // 2, (_SCREEN_HEIGHT - _CODE_SIDE) // 2
    # whole pixels a module where they fit, so that all modules are of one size
    side = max(1, _CODE_SIDE // modules.shape[0]) * modules.shape[0]
    side = side if side > 0.75 * _CODE_SIDE else _CODE_SIDE
    drawn = cv2.resize(modules, (side, side), interpolation=cv2.INTER_NEAREST)
    drawn = cv2.resize(drawn, (_CODE_SIDE, _CODE_SIDE), interpolation=cv2.INTER_AREA)
    screen[top : top + _CODE_SIDE, left : left + _CODE_SIDE] = np.maximum(drawn, 18)[..., None]
    return phone(screen)


def code_phone_corners(size: float, turned: float, width: int, height: int) -> Any:
    """Where the phone's layer lies when the code is so high, as a part of the frame's height; `turned` comes on top of
    the tilt of the hand.
    """
    scale = size * height / _CODE_SIDE
    return tilted(*PHONE_LAYER, scale, turned + 6.0, width, height)
