"""Drawn cards as the pages of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from countertop.drivers.ipp_card.raster import document
from countertop.drivers.ipp_card.states import media_name

if TYPE_CHECKING:
    from countertop.sdk.cards import CardImage, Planes

__all__ = ["card_document"]


def card_document(image: CardImage | None, printer: dict[str, Any], *, rotation: int, dpi: int) -> bytes:
    """A card of one or two sides as a PWG raster document. `printer` is its attributes; `rotation` is 90 or 270."""
    import numpy as np

    turns = -rotation // 90
    sides = [image.front, image.back] if image is not None else []
    pages = [np.ascontiguousarray(np.rot90(_flat(side), turns)) for side in sides if side is not None]
    if sides and sides[0] is None:
        pages.insert(0, np.full_like(pages[0], 255))
    if len(pages) == 2:
        pages[1] = _for_back(pages[1], str(printer.get("pwg-raster-document-sheet-back", "normal")))
    return document(pages, dpi=dpi, two_sided=len(pages) == 2, size_name=media_name(printer))


def _flat(planes: Planes) -> Any:
    """The planes as one picture: colours with black on top, or grey."""
    import numpy as np

    if planes.rgb is None:
        assert planes.black is not None, "drawn for this printer"
        return np.where(planes.black, 0, 255).astype(np.uint8)
    flat = planes.rgb.copy()
    if planes.black is not None:
        flat[planes.black] = 0
    return flat


def _for_back(page: Any, sheet_back: str) -> Any:
    """The back as the printer wants it (PWG 5102.4, table 5; two-sided, long edge)."""
    import numpy as np

    if sheet_back == "rotated":
        return np.ascontiguousarray(page[::-1, ::-1])
    return np.ascontiguousarray(page[::-1]) if sheet_back == "flipped" else page
