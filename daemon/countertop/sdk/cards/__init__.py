"""Card printers: what their drivers build on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk._lazy import lazy

if TYPE_CHECKING:
    from countertop.sdk.cards.one_pass import OnePassPrinter
    from countertop.sdk.cards.planes import Canvas, CardImage, Planes
    from countertop.sdk.cards.printer import CardPrinter, CardSight, OnePassCard

__all__ = ["Canvas", "CardImage", "CardPrinter", "CardSight", "OnePassCard", "OnePassPrinter", "Planes"]

__getattr__ = lazy(
    __name__,
    {
        "one_pass": "OnePassPrinter",
        "planes": "Canvas CardImage Planes",
        "printer": "CardPrinter CardSight OnePassCard",
    },
)
