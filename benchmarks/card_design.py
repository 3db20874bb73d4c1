"""From a card's design and data to the planes that a printer takes, and to a preview, against limits.

There is nothing to measure it beside; the limits are what a person at a counter does not notice. Names and numbers
change from card to card, as they do for a bank: nothing of the card before helps.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.harness import Figure, Settings, quantile
from countertop.cli.card_file import read_design
from countertop.sdk.cards.planes import Canvas
from countertop.sdk.cards.preview import preview_png
from countertop.sdk.cards.render import render
from countertop.v1 import card_design_pb2, receipt_pb2
from countertop.v1.card_design_pb2 import (
    CardArtwork,
    CardBox,
    CardDesign,
    CardElement,
    CardPicture,
    CardShape,
    CardSide,
    CardText,
)

__all__ = ["run"]

EXAMPLES = Path(__file__).parents[1] / "examples" / "cards"
CARD_LIMIT_MS = 150.0
PANEL_LIMIT_MS = 15.0
COLOR, MONO = Canvas(), Canvas(color=False)
WHOLE = CardBox(x_mm=-1, y_mm=-1, width_mm=87.6, height_mm=56)


def photo() -> bytes:
    """A JPEG of 1200 by 1600: what a counter's camera gives."""
    y, x = np.mgrid[0:1600, 0:1200]
    waves = [(np.sin(x / a) + np.cos(y / b) + 2) * 63.75 for a, b in ((97, 131), (151, 89), (61, 173))]
    out = io.BytesIO()
    Image.fromarray(np.stack(waves, axis=-1).astype(np.uint8)).save(out, "JPEG", quality=85)
    return out.getvalue()


def card(name: str, picture: bytes) -> Callable[[int], CardArtwork]:
    """An example design; each number makes another card."""
    design = read_design(EXAMPLES / f"{name}.yaml")

    def numbered(number: int) -> CardArtwork:
        artwork = CardArtwork(design=design)
        artwork.data["name"].text = f"试样{chr(0x4E00 + number * 7)} SHI YANG {number}"
        artwork.data["number"].text = f"9999 {number * 7919 % 10000:04d} {number * 104729 % 10000:04d} 8901"
        artwork.data["expiry"].text = f"{number % 12 + 1:02d}/31"
        artwork.data["photo"].picture = picture
        return artwork

    return numbered


def panel(picture: bytes) -> Callable[[int], CardArtwork]:
    """One side in one bit: a picture over all of it, text above."""
    ground = CardElement(
        box=WHOLE, dither=receipt_pb2.DITHER_ORDERED, shape=CardShape(fill="#FFFFFF", fill_to="#808080")
    )
    box = CardBox(x_mm=45, y_mm=5, width_mm=35, height_mm=44)
    scene = CardElement(box=box, picture=CardPicture(data=picture, fit=card_design_pb2.PICTURE_FIT_COVER))

    def numbered(number: int) -> CardArtwork:
        box = CardBox(x_mm=5, y_mm=20, width_mm=38, height_mm=10)
        name = CardElement(box=box, text=CardText(text=f"试样 SHI YANG {number}", size_pt=12))
        return CardArtwork(design=CardDesign(front=CardSide(elements=[ground, scene, name])))

    return numbered


def timed(make: Callable[[int], CardArtwork], canvas: Canvas, count: int) -> list[float]:
    """Milliseconds of each card, after three that do not count."""
    samples = []
    for number in range(count + 3):
        artwork = make(number)
        start = time.perf_counter()
        render(artwork, canvas)
        samples.append((time.perf_counter() - start) * 1e3)
    return samples[3:]


def previewed(artwork: CardArtwork, count: int) -> tuple[list[float], int]:
    """Milliseconds of a PNG of the front, and its bytes."""
    planes, samples, size = render(artwork, COLOR).front, [], 0
    if planes is None:
        raise AssertionError("the example has no front")
    for _ in range(count):
        start = time.perf_counter()
        size = len(preview_png(planes, COLOR))
        samples.append((time.perf_counter() - start) * 1e3)
    return samples, size


def figure(name: str, samples: list[float], limit: float | None, **details: object) -> Figure:
    """A median and its limit."""
    kept = {"samples": len(samples), "least": min(samples), "p90": quantile(samples, 0.9)} | details
    target = None if limit is None else 1.0
    return Figure(name, "ms", statistics.median(samples), limit, target=target, details=kept)


def run(settings: Settings) -> list[Figure]:
    """Whole cards in colour and in black, one panel, a preview."""
    picture, count = photo(), settings.count(60)
    bank, mono = card("bank-card", picture), card("mono-card", picture)
    preview, size = previewed(bank(0), count)
    return [
        figure("both sides in colour", timed(bank, COLOR, count), CARD_LIMIT_MS, photo_bytes=len(picture)),
        figure("both sides in black", timed(mono, MONO, count), 2 * PANEL_LIMIT_MS),
        figure("one panel in one bit", timed(panel(picture), MONO, count), PANEL_LIMIT_MS),
        figure("preview of one side", preview, None, bytes=size),
    ]
