"""The drawn side of a card as the commands that print it, one for each panel of the ribbon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.drivers.evolis.bitmaps import compress, density, one_bit, packed
from countertop.drivers.evolis.protocol import bitmap

if TYPE_CHECKING:
    from countertop.sdk.cards import Planes

__all__ = ["panels_of"]


def panels_of(planes: Planes | None, letters: str, levels: int) -> list[bytes]:
    """`Db` and `Dbc` commands in the order of the ribbon; none for a panel without ink."""
    if planes is None:
        return []
    made = []
    for panel in letters:
        if panel in "ymc" and planes.rgb is not None:
            data = packed(density(planes.rgb, panel), levels)
            made.append(bitmap("Db", panel, levels, data=data))
        plane = {"k": planes.black, "o": planes.overlay}.get(panel)
        if plane is not None and plane.any():
            data = compress(one_bit(plane))
            made.append(bitmap("Dbc", panel, 2, len(data), data=data))
    return made
