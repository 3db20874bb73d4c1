"""What is known of Topaz' models: calibration boxes, resolution, settings of the line.

After an open driver's table, which follows the vendor's Java SDK. Only the SigLite 1x5 is said to have been tried.
"""

from __future__ import annotations

from dataclasses import dataclass

from countertop.drivers.topaz.packets import Format

__all__ = ["DEFAULT_MODEL", "MODELS", "Box", "Model"]

DEFAULT_MODEL = "siglite-1x5"


@dataclass(frozen=True, slots=True)
class Box:
    """The calibrated writing area in the pad's own units; all four edges belong to it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Places along x."""
        return self.right - self.left + 1

    @property
    def height(self) -> int:
        """Places along y."""
        return self.bottom - self.top + 1


@dataclass(frozen=True, slots=True)
class Model:
    """A model, or a family of them."""

    name: str
    """As its maker writes it."""
    box: Box
    dpi: float = 410
    baud: int = 19200
    form: Format = Format.EIGHT_BIT
    lcd: bool = False
    """It has a display that draws what is written, and takes the control characters for it."""


MODELS: dict[str, Model] = {
    "siglite-1x5": Model("SigLite 1x5", Box(500, 700, 2650, 2100)),
    "siglite-lcd-1x5": Model("SigLite LCD 1x5", Box(400, 350, 2400, 1050), lcd=True),
    "siglite-lcd-4x5": Model("SigLite LCD 4x5", Box(500, 500, 2600, 2100), baud=38400, lcd=True),
    "siggem-1x5": Model("SignatureGem 1x5", Box(400, 350, 2400, 950)),
    "siggem-4x5": Model("SignatureGem 4x5", Box(500, 700, 2650, 2100)),
    "siggem-lcd-1x5": Model("SignatureGem LCD 1x5", Box(400, 350, 2400, 1250), form=Format.SEVEN_BIT, lcd=True),
    "siggem-color-5x7": Model("SigGem Color 5x7", Box(300, 350, 2370, 1950), baud=115200, lcd=True),
    "clipgem": Model("ClipGem", Box(485, 170, 2800, 3200), dpi=275, baud=9600),
}
"""By the name that the option `model` takes."""
