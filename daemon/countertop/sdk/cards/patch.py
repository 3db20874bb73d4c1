"""What is drawn of an element before it goes onto a plane: a paint, how much of each dot it covers, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from countertop.sdk.cards.planes import Canvas, nearest
from countertop.sdk.receipt._needs import need
from countertop.v1.card_design_pb2 import CardBox

__all__ = ["Color", "Patch", "Rect", "color_of", "luma", "rotated"]

Color = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Rect:
    """A place on the canvas in dots; may go over its edges."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def of(cls, box: CardBox, canvas: Canvas) -> Rect:
        """The dots of a box that is not turned; one at least."""
        left, top = canvas.x(box.x_mm), canvas.y(box.y_mm)
        right, bottom = canvas.x(box.x_mm + box.width_mm), canvas.y(box.y_mm + box.height_mm)
        return cls(left, top, max(1, right - left), max(1, bottom - top))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def middle(self) -> tuple[float, float]:
        """About which it is turned."""
        return self.left + self.width / 2, self.top + self.height / 2


@dataclass(frozen=True, slots=True)
class Patch:
    """A piece of a picture."""

    rect: Rect
    paint: Any
    """One colour as a tuple, or a Pillow image of mode RGB and the patch's size."""
    cover: Any | None = None
    """A Pillow image of mode L: how much of each dot is covered, 255 for all. None where all of the patch is."""
    translucent: bool = False
    """What lies below shines through; else `cover` does no more than make edges smooth."""

    @property
    def flat(self) -> bool:
        """It is of one colour."""
        return isinstance(self.paint, tuple)


def color_of(text: str, default: str = "#000000") -> Color:
    """#RRGGBB as numbers of 0 to 255."""
    code = text or default
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def luma(color: Color) -> int:
    """The grey of a colour, 0 to 255, as Pillow rounds it (ITU-R BT.601)."""
    red, green, blue = color
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16


def rotated(patch: Patch, degrees: float, middle: tuple[float, float]) -> Patch:
    """The patch turned clockwise about a point. Quarter turns keep every dot."""
    turn = degrees % 360
    if turn == 0:
        return patch
    image, cover = _turned(patch, turn)
    x, y = patch.rect.middle
    radians = math.radians(turn)
    cosine, sine = math.cos(radians), math.sin(radians)
    x, y = x - middle[0], y - middle[1]
    center_x, center_y = middle[0] + x * cosine - y * sine, middle[1] + x * sine + y * cosine
    drawn = image if image is not None else cover
    width, height = _swapped(patch.rect, turn) if drawn is None else drawn.size
    rect = Rect(nearest(center_x - width / 2), nearest(center_y - height / 2), width, height)
    return Patch(rect, patch.paint if image is None else image, cover, patch.translucent)


def _swapped(rect: Rect, turn: float) -> tuple[int, int]:
    return rect.size if turn == 180 else (rect.height, rect.width)


def _turned(patch: Patch, turn: float) -> tuple[Any | None, Any | None]:
    """Paint (None for one colour) and cover (None for all of a quarter turn)."""
    pil = need("PIL.Image")
    image = None if patch.flat else patch.paint
    quarters = {90: pil.Transpose.ROTATE_270, 180: pil.Transpose.ROTATE_180, 270: pil.Transpose.ROTATE_90}
    if turn in quarters:  # Pillow counts against the clock
        way = quarters[int(turn)]
        return (
            None if image is None else image.transpose(way),
            None if patch.cover is None else patch.cover.transpose(way),
        )
    cover = patch.cover if patch.cover is not None else pil.new("L", patch.rect.size, 255)
    if image is None:
        return None, _spun(cover, turn)
    joined = image.copy()
    joined.putalpha(cover)
    spun = _spun(joined, turn)
    return spun.convert("RGB"), spun.getchannel("A")


def _spun(image: Any, turn: float) -> Any:
    return image.rotate(-turn, resample=need("PIL.Image").Resampling.BICUBIC, expand=True)
