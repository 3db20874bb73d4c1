"""The models: what each is, and which reports it has (Wacom's STU SDK and WebHID drivers)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MODELS", "REPORT_SIZES", "Model"]

ZLIB, ONE_BIT, SIXTEEN_BIT, TWENTY_FOUR_BIT = 1, 2, 4, 8
"""Bits of the capability report's encoding flag."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model. The tablet's size in units of 0.01 mm is of 430 and 530 as measured; of the others by the screen. The
    speed of the 541's line is not known: it is that of the 430V.
    """

    name: str
    product_id: int
    width: int
    height: int
    tablet_x: int
    tablet_y: int
    encodings: int
    option_modes: frozenset[int]
    """What PenDataOptionMode may be: 1 time, 2 sequence, 3 both."""
    encryption: int
    """Version: 1 Diffie-Hellman, 2 RSA."""
    baud: int = 0
    """Of the serial models; 0 for USB."""
    bulk: bool = False
    """It takes images with the bulk bit (0x10) in their encoding."""


_BOTH = frozenset({0, 1, 2, 3})
MODELS = {
    model.name: model
    for model in (
        Model("300", 0xA2, 396, 100, 9900, 2500, ZLIB | ONE_BIT, frozenset({0}), 1),
        Model("430", 0xA4, 320, 200, 9600, 6000, ZLIB | ONE_BIT, _BOTH, 2),
        Model("500", 0xA1, 640, 480, 10240, 7680, ONE_BIT, frozenset({0}), 1),
        Model("520", 0xA3, 800, 480, 10400, 6240, ONE_BIT | SIXTEEN_BIT, frozenset({0, 1}), 1),
        Model("530", 0xA5, 800, 480, 10800, 6480, TWENTY_FOUR_BIT | SIXTEEN_BIT, _BOTH, 2, bulk=True),
        Model("540", 0xA8, 800, 480, 10800, 6480, TWENTY_FOUR_BIT | SIXTEEN_BIT, _BOTH, 2, bulk=True),
        Model("541", 0xA9, 800, 480, 10800, 6480, TWENTY_FOUR_BIT | SIXTEEN_BIT, _BOTH, 2, baud=128000, bulk=True),
        Model("430V", 0xA6, 320, 200, 9600, 6000, ZLIB | ONE_BIT, _BOTH, 2, baud=128000),
    )
}
RATE = 200
PRESSURE_LEVELS = 1024
UNITS_PER_INCH = 2540
VENDOR_ID = 0x056A

_V1 = {0x13: 17, 0x14: 17, 0x1A: 17, 0x1B: 3}
_V2 = {0x40: 68, 0x50: 17}
_ALL = {
    0x03: 5, 0x04: 2, 0x08: 17, 0x09: 17, 0x0A: 5, 0x15: 5, 0x16: 2, 0x20: 2, 0x21: 2, 0x22: 5, 0x25: 2,
    0x26: 256, 0x27: 2,
}  # fmt: skip
_NEWER = {0x0B: 11, 0x0E: 2, 0x23: 11, 0x24: 11, 0x2A: 9, 0x32: 2}
_COLOUR = {0x28: 4, 0x29: 3, 0x2B: 3, 0x2D: 5, 0x2E: 4}
_CONTRAST = {0x2C: 3}


def report_sizes(model: Model) -> dict[int, int]:
    """Feature reports and their sizes, ids included."""
    sizes = _ALL | (_V1 if model.encryption == 1 else _V2)
    if len(model.option_modes) > 1:
        sizes |= _NEWER
    sizes |= _COLOUR if model.encodings & (SIXTEEN_BIT | TWENTY_FOUR_BIT) else _CONTRAST
    if model.name == "540":
        sizes |= {0x0F: 14}
    return sizes


REPORT_SIZES = {name: report_sizes(model) for name, model in MODELS.items()}
INPUT_SIZES = {0x01: 7, 0x10: 17, 0x30: 9, 0x31: 21, 0x33: 17, 0x34: 11}
