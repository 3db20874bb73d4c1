"""Ink as a PNG picture."""

from __future__ import annotations

import io

from countertop.sdk.errors import CountertopError
from countertop.sdk.ink.stroke_width import width_class, width_mm
from countertop.v1 import error_pb2
from countertop.v1.image_pb2 import Image
from countertop.v1.ink_pb2 import Ink

__all__ = ["to_png"]

FINER = 3
"""Drawn so many times larger and shrunk, for smooth edges."""
MOST_PIXELS = 4_000_000


def to_png(ink: Ink, dpi: float = 300.0) -> Image:
    """The whole writing area, dark on white, 8 bits of grey. Large areas get fewer dots per inch, 4 million in all.

    Raises CountertopError(NOT_SUPPORTED) when Pillow is missing.
    """
    try:
        import PIL.Image
        import PIL.ImageDraw
    except ImportError as error:
        raise CountertopError(
            error_pb2.REASON_NOT_SUPPORTED,
            "Drawing ink as PNG needs Pillow: run `pip install 'countertop[signature]'`.",
        ) from error
    per_mm = ink.space.units_per_mm or 1.0
    inches = (ink.space.width / per_mm / 25.4, ink.space.height / per_mm / 25.4)
    dpi = min(dpi, (MOST_PIXELS / max(inches[0] * inches[1], 1e-6)) ** 0.5)
    size = (max(1, round(inches[0] * dpi)), max(1, round(inches[1] * dpi)))
    large = PIL.Image.new("L", (size[0] * FINER, size[1] * FINER), 255)
    draw = PIL.ImageDraw.Draw(large)
    scale = dpi / 25.4 * FINER
    for stroke in ink.strokes:
        places = [(point.x / per_mm * scale, point.y / per_mm * scale) for point in stroke.points]
        for index, (x, y) in enumerate(places):
            width = width_mm(width_class(stroke.points[index])) * scale
            if index:
                draw.line((places[index - 1], (x, y)), fill=0, width=max(1, round(width)))
            draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=0)
    file = io.BytesIO()
    large.reduce(FINER).save(file, "PNG", dpi=(dpi, dpi))
    return Image(media_type="image/png", width=size[0], height=size[1], data=file.getvalue())
