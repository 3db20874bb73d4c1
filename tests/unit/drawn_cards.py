"""Elements drawn onto one side of a card, for tests of what they look like."""

from __future__ import annotations

import numpy as np

from countertop.sdk.cards.planes import Canvas, CardImage
from countertop.sdk.cards.render import render
from countertop.v1 import card_design_pb2
from countertop.v1.card_design_pb2 import (
    CardArtwork,
    CardBox,
    CardDesign,
    CardElement,
    CardField,
    CardSide,
    CardValue,
)

CANVAS = Canvas()
SECRET = "王小明 9999021234567890"
SHRINK, WRAP, CLIP, REFUSE = 1, 2, 3, 4
CONTAIN, COVER, STRETCH = 1, 2, 3
MONO = card_design_pb2.CARD_FONT_MONO


def image_of(element: CardElement, canvas: Canvas = CANVAS, *, samples: bool = False, **data: CardValue) -> CardImage:
    fields = [
        CardField(name="text", optional=True),
        CardField(name="photo", kind=card_design_pb2.CARD_FIELD_KIND_PICTURE, optional=True),
    ]
    artwork = CardArtwork(design=CardDesign(fields=fields, front=CardSide(elements=[element])), data=data)
    return render(artwork, canvas, samples=samples)


def place(x: float = 10, y: float = 10, width: float = 40, height: float = 10, rotation: float = 0) -> CardBox:
    return CardBox(x_mm=x, y_mm=y, width_mm=width, height_mm=height, rotation=rotation)


def extent(plane: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(plane.any(1)), np.flatnonzero(plane.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
