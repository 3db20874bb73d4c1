"""The models: where they write, how fine, how fast their line is (an open driver after the maker's Java SDK)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MODELS", "Model"]


@dataclass(frozen=True, slots=True)
class Model:
    """A model's calibrated box in its own units, its resolution and its line."""

    number: int
    """As it tells it; invented, the maker's numbers are not known."""
    left: int
    top: int
    right: int
    bottom: int
    dpi: float = 410
    baud: int = 19200
    narrow: bool = False
    """7 bits a byte on the line."""
    lcd: bool = False


MODELS = {
    "siglite-1x5": Model(1, 500, 700, 2650, 2100),
    "siglite-lcd-1x5": Model(2, 400, 350, 2400, 1050, lcd=True),
    "siglite-lcd-4x5": Model(3, 500, 500, 2600, 2100, baud=38400, lcd=True),
    "siggem-1x5": Model(4, 400, 350, 2400, 950),
    "siggem-lcd-1x5": Model(5, 400, 350, 2400, 1250, narrow=True, lcd=True),
    "clipgem": Model(6, 485, 170, 2800, 3200, dpi=275, baud=9600),
}
