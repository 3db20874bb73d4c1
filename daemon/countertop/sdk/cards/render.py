"""From a design and its data to the planes of a printer.

::

    image = render(artwork, Canvas())
    png = preview_png(image.front, Canvas())

Nothing is kept of a card beyond the call but fonts and which single characters they have.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from countertop.sdk.cards.artwork import CardData, check_artwork
from countertop.sdk.cards.codes import LEAST_DOTS, code_patches
from countertop.sdk.cards.patch import Patch, Rect, color_of, rotated
from countertop.sdk.cards.pictures import figure_patch, picture_patch
from countertop.sdk.cards.planes import Canvas, CardImage, Planes
from countertop.sdk.cards.shapes import shape_patches
from countertop.sdk.cards.sheet import Sheet
from countertop.sdk.cards.template import filled
from countertop.sdk.cards.text import text_patch
from countertop.v1 import card_design_pb2, receipt_pb2
from countertop.v1.card_design_pb2 import CardArtwork, CardElement, CardLayer, CardSide
from countertop.v1.receipt_pb2 import Dither

__all__ = ["render"]

_BLACK = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """One element, drawn."""

    patches: list[Patch] = field(default_factory=list)
    plate: Patch | None = None
    """What lies below it, always in colour."""
    warnings: list[str] = field(default_factory=list)


def render(artwork: CardArtwork, canvas: Canvas, *, samples: bool = False) -> CardImage:
    """Draw both sides. Pure, and safe in any thread.

    With `samples`, fields that have no data show their sample or their name, pictures a drawn figure. Raises
    InvalidRequest for mistakes in the artwork, pictures that cannot be read, text that does not fit and texts that a
    code cannot say; CountertopError(NOT_SUPPORTED) without fonts or libraries, or for a ribbon that prints nothing.
    """
    check_artwork(artwork, samples=samples)
    data = CardData.of(artwork, samples=samples)
    warnings: list[str] = []
    sides = {name: _side(side, name, data, canvas, warnings) for name, side in _sides(artwork)}
    return CardImage(front=sides.get("front"), back=sides.get("back"), warnings=tuple(warnings))


def _sides(artwork: CardArtwork) -> list[tuple[str, CardSide]]:
    every = [("front", artwork.design.front), ("back", artwork.design.back)]
    return [(name, side) for name, side in every if side.elements or side.background]


def _side(side: CardSide, name: str, data: CardData, canvas: Canvas, warnings: list[str]) -> Planes:
    sheet = Sheet(canvas)
    if side.background:
        sheet.background(side.background)
    for index, element in enumerate(side.elements):
        if element.only_with and not data.has(element.only_with):
            continue
        label = f"{name}.elements[{index}]" + (f" ({element.name})" if element.name else "")
        lacking = _lacking(element.layer, canvas)
        if lacking:
            warnings.append(f"{label}: left out, the ribbon has no {lacking}")
            continue
        drawing = _drawn(element, data, canvas, f"artwork.design.{name}.elements[{index}]")
        warnings += [f"{label}: {warning}" for warning in drawing.warnings]
        _print(sheet, element, drawing, canvas)
    return sheet.planes(side)


def _lacking(layer: CardLayer, canvas: Canvas) -> str:
    """The panel without which an element is left out; empty when it is there."""
    if layer == card_design_pb2.CARD_LAYER_UV and not canvas.uv:
        return "panel for ultraviolet light"
    if layer == card_design_pb2.CARD_LAYER_OVERLAY and not canvas.overlay:
        return "overlay"
    return ""


def _drawn(element: CardElement, data: CardData, canvas: Canvas, path: str) -> _Drawing:
    rect, kind = Rect.of(element.box, canvas), element.WhichOneof("content")
    if kind == "text":
        content = filled(element.text.text, data.texts)
        if not content.strip():
            return _Drawing()
        patch, warnings = text_patch(element.text, content, rect, canvas, f"{path}.text")
        return _Drawing([patch], warnings=warnings)
    if kind == "code":
        return _code(element, data, rect, f"{path}.code")
    if kind == "picture":
        return _picture(element, data, rect, canvas, f"{path}.picture")
    return _Drawing(shape_patches(element.shape, rect, canvas))


def _code(element: CardElement, data: CardData, rect: Rect, path: str) -> _Drawing:
    content = filled(element.code.text, data.texts)
    if not content:
        return _Drawing()
    plate, patch, module = code_patches(element.code, content, rect, path)
    warnings = [] if module >= LEAST_DOTS else ["its modules are one dot wide, which few readers can read"]
    return _Drawing([patch], plate, warnings)


def _picture(element: CardElement, data: CardData, rect: Rect, canvas: Canvas, path: str) -> _Drawing:
    picture = element.picture
    if not picture.field:
        return _Drawing([picture_patch(picture, picture.data, rect, canvas, f"{path}.data")])
    file = data.pictures.get(picture.field)
    if file is not None:
        return _Drawing([picture_patch(picture, file, rect, canvas, f"artwork.data[{picture.field}]")])
    if picture.field in data.shown:
        return _Drawing([figure_patch(picture, rect, canvas)])
    return _Drawing()


def _print(sheet: Sheet, element: CardElement, drawing: _Drawing, canvas: Canvas) -> None:
    """Put a drawing onto the planes that its layer means, turned as its box is."""
    layer = _layer(element, canvas)
    middle = Rect.of(element.box, canvas).middle
    dither = _dither(element)
    if drawing.plate is not None and layer in (card_design_pb2.CARD_LAYER_COLOR, card_design_pb2.CARD_LAYER_BLACK):
        sheet.color(rotated(drawing.plate, element.box.rotation, middle), dither)
    put = {
        card_design_pb2.CARD_LAYER_BLACK: sheet.black,
        card_design_pb2.CARD_LAYER_UV: sheet.uv,
        card_design_pb2.CARD_LAYER_OVERLAY: sheet.overlay,
    }.get(layer, sheet.color)
    for patch in drawing.patches:
        put(rotated(patch, element.box.rotation, middle), dither)


def _layer(element: CardElement, canvas: Canvas) -> CardLayer:
    """Where an element goes. Pure black texts, codes and shapes go to black by themselves where there is black."""
    if element.layer:
        return element.layer
    black = canvas.black and all(color == _BLACK for color in _colors(element))
    return card_design_pb2.CARD_LAYER_BLACK if black else card_design_pb2.CARD_LAYER_COLOR


def _colors(element: CardElement) -> list[tuple[int, int, int]]:
    kind = element.WhichOneof("content")
    if kind == "text":
        return [color_of(element.text.color)]
    if kind == "code":
        return [color_of(element.code.color)]
    if kind == "shape":
        shape = element.shape
        return [color_of(color) for color in (shape.fill, shape.fill_to, shape.stroke) if color]
    return [(255, 255, 255)]


def _dither(element: CardElement) -> Dither:
    if element.dither:
        return element.dither
    if element.WhichOneof("content") == "picture":
        return receipt_pb2.DITHER_FLOYD_STEINBERG
    return receipt_pb2.DITHER_THRESHOLD
