"""Plain shapes with smooth edges. Straight edges are sharp to the dot."""

from __future__ import annotations

import math
from typing import Any

from countertop.sdk.cards.patch import Patch, Rect, color_of
from countertop.sdk.cards.planes import Canvas
from countertop.sdk.receipt._needs import need
from countertop.v1 import card_design_pb2
from countertop.v1.card_design_pb2 import CardShape

__all__ = ["rounded_mask", "shape_patches"]

_STROKE_MM = 0.25


def shape_patches(shape: CardShape, rect: Rect, canvas: Canvas) -> list[Patch]:
    """What is inside, then the edge, which lies inside the box."""
    stroke = max(1, round(canvas.dots(shape.stroke_mm or _STROKE_MM)))
    if shape.form == card_design_pb2.SHAPE_FORM_LINE:
        return [_line(rect, stroke, shape.stroke or shape.fill)]
    patches = []
    if shape.fill:
        # the edge hides the middle of itself, so that the colour inside does not shine out around it
        inset = stroke // 2 if shape.stroke else 0
        patches.append(Patch(rect, _paint(shape, rect), _mask(shape, rect, canvas, inset)))
    if shape.stroke:
        outer = _mask(shape, rect, canvas, 0)
        inner = _mask(shape, rect, canvas, stroke)
        patches.append(Patch(rect, color_of(shape.stroke), _ring(rect, outer, inner)))
    return patches


def rounded_mask(width: int, height: int, radius: float, inset: int = 0) -> Any:
    """The cover of a rectangle with round corners, so many dots inside its size: a Pillow image of mode L."""
    np = need("numpy")
    mask = np.zeros((height, width), np.uint8)
    inner_width, inner_height = width - 2 * inset, height - 2 * inset
    if inner_width <= 0 or inner_height <= 0:
        return need("PIL.Image").fromarray(mask)
    mask[inset : height - inset, inset : width - inset] = 255
    radius = min(radius - inset, inner_width / 2, inner_height / 2)
    if radius > 0:
        side = min(math.ceil(radius), inner_width, inner_height)
        along = radius - np.arange(side, dtype=np.float32) - 0.5
        distance = np.hypot(along[None, :].clip(0), along[:, None].clip(0))
        corner = _cover(distance - np.float32(radius))
        view = mask[inset : height - inset, inset : width - inset]
        for part in (view, view[:, ::-1], view[::-1], view[::-1, ::-1]):
            part[:side, :side] = np.minimum(part[:side, :side], corner)
    return need("PIL.Image").fromarray(mask)


def _mask(shape: CardShape, rect: Rect, canvas: Canvas, inset: int) -> Any | None:
    if shape.form == card_design_pb2.SHAPE_FORM_ELLIPSE:
        return _ellipse(rect.width, rect.height, inset)
    radius = canvas.dots(shape.radius_mm)
    if not radius and not inset:
        return None
    return rounded_mask(rect.width, rect.height, radius, inset)


def _ring(rect: Rect, outer: Any | None, inner: Any) -> Any:
    """What of the outer mask is not in the inner one."""
    chops = need("PIL.ImageChops")
    if outer is None:
        return chops.invert(inner)
    return chops.subtract(outer, inner)


def _cover(distance: Any) -> Any:
    """Of a dot whose middle is so many dots outside an edge; negative is inside."""
    np = need("numpy")
    return ((0.5 - distance).clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _ellipse(width: int, height: int, inset: int) -> Any:
    """Drawn for a quarter, then mirrored. Its distance is the usual first order one: the form by its slope."""
    np, pil = need("numpy"), need("PIL.Image")
    a, b = width / 2 - inset, height / 2 - inset
    if a <= 0 or b <= 0:
        return pil.new("L", (width, height), 0)
    x = (width / 2 - 0.5 - np.arange((width + 1) // 2, dtype=np.float32))[None, :]
    y = (height / 2 - 0.5 - np.arange((height + 1) // 2, dtype=np.float32))[:, None]
    form = np.sqrt((x / a) ** 2 + (y / b) ** 2)
    slope = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2)
    distance = np.where(form < 0.5, np.float32(-1), form * (form - 1) / np.maximum(slope, np.float32(1e-9)))
    quarter = _cover(distance)
    half = np.concatenate((quarter, quarter[:, ::-1][:, width % 2 :]), axis=1)
    return pil.fromarray(np.ascontiguousarray(np.concatenate((half, half[::-1][height % 2 :]))))


def _line(rect: Rect, stroke: int, color: str) -> Patch:
    """From the upper left to the lower right corner, with blunt ends."""
    np = need("numpy")
    pad = stroke // 2 + 2
    wide = Rect(rect.left - pad, rect.top - pad, rect.width + 2 * pad, rect.height + 2 * pad)
    length = math.hypot(rect.width, rect.height)
    step_x, step_y = rect.width / length, rect.height / length
    x = (np.arange(wide.width, dtype=np.float32) + np.float32(0.5 - pad))[None, :]
    y = (np.arange(wide.height, dtype=np.float32) + np.float32(0.5 - pad))[:, None]
    along = x * np.float32(step_x) + y * np.float32(step_y)
    across = np.abs(x * np.float32(step_y) - y * np.float32(step_x))
    outside = np.maximum(across - np.float32(stroke / 2), np.abs(along - np.float32(length / 2)) - length / 2)
    return Patch(wide, color_of(color), need("PIL.Image").fromarray(_cover(outside)))


def _paint(shape: CardShape, rect: Rect) -> Any:
    """One colour, or a gradient from left to right."""
    start = color_of(shape.fill)
    end = color_of(shape.fill_to, shape.fill)
    if start == end:
        return start
    np = need("numpy")
    share = np.linspace(0, 1, rect.width, dtype=np.float32)[:, None]
    row = np.array(start, np.float32) * (1 - share) + np.array(end, np.float32) * share
    pixels = np.broadcast_to((row + 0.5).astype(np.uint8), (rect.height, rect.width, 3))
    return need("PIL.Image").fromarray(np.ascontiguousarray(pixels))
