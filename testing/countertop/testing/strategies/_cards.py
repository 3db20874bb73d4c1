"""Card designs with their data, and what is on a magnetic stripe."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from countertop.testing.strategies._codes import barcode_texts, symbol_texts
from countertop.testing.strategies._pictures import picture_files
from countertop.testing.strategies._texts import texts
from countertop.v1 import card_design_pb2
from countertop.v1.card_design_pb2 import (
    CardArtwork,
    CardBox,
    CardCode,
    CardDesign,
    CardElement,
    CardField,
    CardPicture,
    CardShape,
    CardSide,
    CardText,
    CardValue,
)

__all__ = ["card_artworks", "card_designs"]

_CLIP = card_design_pb2.TEXT_FIT_CLIP
_PICTURE = card_design_pb2.CARD_FIELD_KIND_PICTURE
_FIELDS = (
    CardField(name="name", sample="样例", max_chars=8),
    CardField(name="number", sample="9999 00", max_chars=8),
    CardField(name="note", optional=True),
    CardField(name="photo", kind=_PICTURE),
    CardField(name="stamp", kind=_PICTURE, optional=True),
)
_CHOSEN = st.lists(st.sampled_from(_FIELDS), max_size=3, unique_by=lambda field: field.name)
_COLORS = st.sampled_from(("", "#000000", "#FFFFFF", "#12AB9F"))
_ROTATIONS = st.sampled_from((0.0, 90.0, 180.0, -90.0, 7.5))
_TEXT_VALUES = st.builds(CardValue, text=texts(8, min_chars=1))
_PICTURE_VALUES = st.builds(CardValue, picture=picture_files())


@cache
def _tenths(least: int, most: int) -> st.SearchStrategy[float]:
    return st.integers(least, most).map(lambda tenths: tenths / 10)


@cache
def card_designs(max_elements: int = 4) -> st.SearchStrategy[CardDesign]:
    """Designs of an ID-1 card with texts, pictures, codes and shapes, up to `max_elements` on each side, on every
    layer, turned, over the edge; with fields, some of them optional. Bounds and rules: card_design.proto,
    `sdk/cards/artwork.py`. What has to fit into its box does so at 300 dpi.
    """

    @st.composite
    def designs(draw: st.DrawFn) -> CardDesign:
        fields = draw(_CHOSEN)
        sides = _sides(tuple(field.name for field in fields), max_elements)
        design = CardDesign(name=draw(texts(10)), fields=fields)
        design.front.CopyFrom(draw(sides))
        design.back.CopyFrom(draw(sides))
        if not any(side.elements or side.background for side in (design.front, design.back)):
            design.front.background = "#FFFFFF"
        return design

    return designs()


def card_artworks(designs: st.SearchStrategy[CardDesign] | None = None) -> st.SearchStrategy[CardArtwork]:
    """A design with the data of one card, as IssueCard and `sdk/cards/render.py` take it: every field that is not
    optional has its text (at most 8 characters) or picture, an optional one some of the time. Shrinks to a white card.
    """

    @st.composite
    def artworks(draw: st.DrawFn) -> CardArtwork:
        design = draw(designs if designs is not None else card_designs())
        artwork = CardArtwork(design=design)
        for field in design.fields:
            if not field.optional or draw(st.booleans()):
                artwork.data[field.name].CopyFrom(draw(_value(field)))
        return artwork

    return artworks()


def _value(field: CardField) -> st.SearchStrategy[CardValue]:
    return _PICTURE_VALUES if field.kind == _PICTURE else _TEXT_VALUES


@cache
def _sides(fields: tuple[str, ...], max_elements: int) -> st.SearchStrategy[CardSide]:
    return st.builds(
        CardSide,
        elements=st.lists(_elements(fields), max_size=max_elements),
        overlay=st.integers(0, 2),
        overlay_holes=st.lists(_boxes(10, 10), max_size=2),
        background=_COLORS,
    )


@cache
def _boxes(width_mm: int, height_mm: int) -> st.SearchStrategy[CardBox]:
    """At least so large; may go over the edges of the card."""
    return st.builds(
        CardBox,
        x_mm=_tenths(-50, 500),
        y_mm=_tenths(-50, 400),
        width_mm=_tenths(width_mm * 10, 960),
        height_mm=_tenths(height_mm * 10, 640),
        rotation=_ROTATIONS,
    )


def _elements(fields: tuple[str, ...]) -> st.SearchStrategy[CardElement]:
    words = [field.name for field in _FIELDS if field.name in fields and field.kind != _PICTURE]
    pictures = [field.name for field in _FIELDS if field.name in fields and field.kind == _PICTURE]
    layer, dither = st.integers(0, 4), st.integers(0, 3)
    only_with = st.sampled_from(("", *fields))

    def of(box: st.SearchStrategy[CardBox], **content: st.SearchStrategy[object]) -> st.SearchStrategy[CardElement]:
        return st.builds(CardElement, box=box, layer=layer, dither=dither, only_with=only_with, **content)

    return st.one_of(
        of(_boxes(1, 1), shape=_shapes()),
        of(_boxes(60, 12), text=_card_texts(words)),
        of(_boxes(1, 1), text=_clipped_texts(words)),
        of(_boxes(1, 1), picture=_card_pictures(pictures)),
        of(_boxes(40, 40), code=_card_codes(words)),
    )


@cache
def _shapes() -> st.SearchStrategy[CardShape]:
    stroke_mm, radius = st.just(0.0) | _tenths(1, 100), _tenths(0, 270)
    fill = st.sampled_from(("#000000", "#FFFFFF", "#12AB9F"))
    form = st.integers(0, 3)
    filled = st.builds(CardShape, form=form, fill=fill, fill_to=_COLORS, stroke=_COLORS, radius_mm=radius)
    return filled | st.builds(CardShape, form=form, stroke=fill, stroke_mm=stroke_mm, radius_mm=radius)


def _templates(words: list[str], text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Text with braces doubled; fields too, where there are some."""
    plain = text.map(lambda content: content.replace("{", "{{").replace("}", "}}"))
    if not words:
        return plain
    named = st.sampled_from(words).map(lambda name: f"{{{name}}}")
    return plain | named | st.builds(lambda name: f"{name}: {{{{1}}}}", named)


def _card_texts(words: list[str]) -> st.SearchStrategy[CardText]:
    """At most 13 characters of 9 points on one line: they fit into 60 by 12 mm whatever they are."""
    return st.builds(
        CardText,
        text=_templates(words, texts(12, min_chars=1)),
        font=st.integers(0, 2),
        size_pt=st.just(0.0) | _tenths(30, 90),
        bold=st.booleans(),
        color=_COLORS,
        align=st.integers(0, 3),
        vertical=st.integers(0, 3),
        fit=st.integers(0, 4),
        spacing_mm=_tenths(0, 3),
        line_height=st.just(0.0) | _tenths(8, 15),
    )


def _clipped_texts(words: list[str]) -> st.SearchStrategy[CardText]:
    """Any size in any box: what does not fit is cut off."""
    return st.builds(
        CardText,
        text=_templates(words, texts(30, min_chars=1, lines=True)),
        size_pt=_tenths(30, 720),
        fit=st.just(_CLIP),
        color=_COLORS,
        spacing_mm=_tenths(0, 50),
        line_height=st.just(0.0) | _tenths(8, 30),
    )


def _card_pictures(fields: list[str]) -> st.SearchStrategy[CardPicture]:
    settings = {
        "fit": st.integers(0, 3),
        "gray": st.booleans(),
        "opacity": st.just(0.0) | _tenths(1, 10),
        "radius_mm": _tenths(0, 270),
    }
    given = st.builds(CardPicture, data=picture_files(), **settings)
    return given | st.builds(CardPicture, field=st.sampled_from(fields), **settings) if fields else given


def _card_codes(words: list[str]) -> st.SearchStrategy[CardCode]:
    bars = st.integers(1, 5).flatmap(
        lambda symbology: st.builds(
            CardCode,
            barcode=st.just(symbology),
            text=_templates([], barcode_texts(symbology, room=14)),
            color=_COLORS,
            no_quiet_zone=st.booleans(),
        )
    )
    symbols = st.builds(
        CardCode,
        symbol=st.integers(0, 3),
        text=_templates(words, symbol_texts(20)),
        error_correction=st.integers(0, 4),
        color=_COLORS,
        no_quiet_zone=st.booleans(),
    )
    return symbols | bars
