"""One side of a card while it is drawn: patches go onto its planes, later ones above earlier ones."""

from __future__ import annotations

from typing import Any

from countertop.sdk.cards.patch import Patch, Rect, color_of, luma, rotated
from countertop.sdk.cards.planes import Canvas, Planes
from countertop.sdk.errors import CountertopError
from countertop.sdk.receipt._needs import need
from countertop.sdk.receipt.dither import dithered, unpack
from countertop.v1 import card_design_pb2, error_pb2, receipt_pb2
from countertop.v1.card_design_pb2 import CardBox, CardSide
from countertop.v1.receipt_pb2 import Dither

__all__ = ["Sheet"]

_HALF = 128
_WHITE = (255, 255, 255)
_BLANK = ((255, 255),) * 3


class Sheet:
    """The planes of one side. Not for use by two threads at once."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._image: Any = None
        self._black: Any = None
        self._uv: Any = None
        self._varnish: Any = None

    def background(self, color: str) -> None:
        """Fill all of the canvas. In one bit it becomes an even screen."""
        patch = Patch(Rect(0, 0, self._canvas.width, self._canvas.height), color_of(color))
        self.color(patch, receipt_pb2.DITHER_ORDERED)

    def color(self, patch: Patch, dither: Dither) -> None:
        """Print in colour; in one bit where the printer has no colour. Hides the black that it covers."""
        if not self._canvas.color:
            self.black(patch, dither)
            return
        piece = self._within(patch)
        if piece is None:
            return
        if self._image is None:
            self._image = need("PIL.Image").new("RGB", (self._canvas.width, self._canvas.height), _WHITE)
        if self._black is not None:
            self._cover_black(piece)
        rect = piece.rect
        where = (rect.left, rect.top, rect.left + rect.width, rect.top + rect.height)
        self._image.paste(piece.paint, where, piece.cover)

    def black(self, patch: Patch, dither: Dither) -> None:
        """Print in one bit. Where the printer has colour only, these dots become black in colour at the end."""
        if not (self._canvas.black or self._canvas.color):
            raise CountertopError(
                error_pb2.REASON_NOT_SUPPORTED, "The printer's ribbon prints neither colour nor black."
            )
        piece = self._within(patch)
        if piece is None:
            return
        if self._black is None:
            self._black = self._empty()
        np = need("numpy")
        dots, area = _one_bit(piece, dither), self._black[_slices(piece.rect)]
        if piece.cover is None:
            area[...] = dots
            return
        solid = _solid(piece)
        area[...] = np.where(solid, dots, area | dots if piece.translucent else area)

    def uv(self, patch: Patch, dither: Dither) -> None:
        """Print for ultraviolet light."""
        self._uv = self._inked(self._uv, patch, dither)

    def overlay(self, patch: Patch, dither: Dither) -> None:
        """Varnish."""
        self._varnish = self._inked(self._varnish, patch, dither)

    def planes(self, side: CardSide) -> Planes:
        """What was drawn; the overlay as the side says. Its holes stay free whatever was varnished."""
        rgb, black = None, self._black
        if black is not None and not black.any():
            black = None
        if self._image is not None or (black is not None and not self._canvas.black):
            rgb = self._rgb(black)
        uv = self._uv if self._uv is not None and self._uv.any() else None
        return Planes(rgb=rgb, black=black if self._canvas.black else None, overlay=self._overlay_plane(side), uv=uv)

    def _rgb(self, black: Any) -> Any | None:
        np = need("numpy")
        fold = black is not None and not self._canvas.black
        if self._image is None:
            rgb = np.full((self._canvas.height, self._canvas.width, 3), 255, np.uint8)
        elif not fold and self._image.getextrema() == _BLANK:
            return None
        else:
            rgb = np.array(self._image)
        if fold:
            rgb[black] = 0
        return rgb

    def _overlay_plane(self, side: CardSide) -> Any | None:
        if not self._canvas.overlay:
            return None
        if side.overlay == card_design_pb2.OVERLAY_COVER_NONE:
            plane = self._empty() if self._varnish is None else self._varnish
        else:
            plane = ~self._empty()
        for box in side.overlay_holes:
            self._open(plane, box)
        return plane

    def _open(self, plane: Any, box: CardBox) -> None:
        rect = Rect.of(box, self._canvas)
        piece = self._within(rotated(Patch(rect, _WHITE), box.rotation, rect.middle))
        if piece is not None:
            plane[_slices(piece.rect)] &= ~_solid(piece)

    def _cover_black(self, piece: Patch) -> None:
        """Black below a colour goes into the colour panels first, so that what covers it only half shows it."""
        np, pil = need("numpy"), need("PIL.Image")
        area, solid = self._black[_slices(piece.rect)], _solid(piece)
        hidden = area & solid
        if hidden.any():
            if piece.cover is not None:
                mask = pil.fromarray(hidden.astype(np.uint8) * 255)
                self._image.paste((0, 0, 0), (piece.rect.left, piece.rect.top), mask)
            area[...] = area & ~solid

    def _inked(self, plane: Any, patch: Patch, dither: Dither) -> Any:
        """One colour is ink, whatever it is; of pictures and gradients the dark parts are."""
        if plane is None:
            plane = self._empty()
        piece = self._within(patch)
        if piece is not None:
            ink = _solid(piece)
            if not piece.flat:
                ink = ink & _one_bit(piece, dither)
            plane[_slices(piece.rect)] |= ink
        return plane

    def _empty(self) -> Any:
        return need("numpy").zeros((self._canvas.height, self._canvas.width), bool)

    def _within(self, patch: Patch) -> Patch | None:
        """The part of a patch that lies on the canvas."""
        rect = patch.rect
        left, top = max(rect.left, 0), max(rect.top, 0)
        right = min(rect.left + rect.width, self._canvas.width)
        bottom = min(rect.top + rect.height, self._canvas.height)
        if left >= right or top >= bottom:
            return None
        inside = Rect(left, top, right - left, bottom - top)
        if inside == rect:
            return patch
        where = (left - rect.left, top - rect.top, right - rect.left, bottom - rect.top)
        paint = patch.paint if patch.flat else patch.paint.crop(where)
        return Patch(inside, paint, None if patch.cover is None else patch.cover.crop(where), patch.translucent)


def _slices(rect: Rect) -> tuple[slice, slice]:
    return slice(rect.top, rect.top + rect.height), slice(rect.left, rect.left + rect.width)


def _solid(piece: Patch) -> Any:
    """Booleans, True where the piece covers half of a dot and more."""
    np = need("numpy")
    if piece.cover is None:
        return np.ones((piece.rect.height, piece.rect.width), bool)
    return np.asarray(piece.cover) >= _HALF


def _one_bit(piece: Patch, dither: Dither) -> Any:
    """Booleans, True where the piece is black. What shines through is mixed with white."""
    np, pil = need("numpy"), need("PIL.Image")
    if piece.flat:
        grey = luma(piece.paint)
        if dither == receipt_pb2.DITHER_THRESHOLD or grey in (0, 255):
            return np.full((piece.rect.height, piece.rect.width), grey < _HALF)
        image = pil.new("L", piece.rect.size, grey)
    else:
        image = piece.paint.convert("L")
        if piece.translucent:
            white = pil.new("L", piece.rect.size, 255)
            white.paste(image, (0, 0), piece.cover)
            image = white
    if dither == receipt_pb2.DITHER_FLOYD_STEINBERG:
        return ~np.asarray(image.convert("1"))
    return unpack(dithered(image, dither))
