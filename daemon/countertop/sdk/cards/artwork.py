"""Looks a card's artwork over before anything is drawn, and says every mistake by its path.

What a single field may hold is stated by the proto's bounds and checked at the daemon's door; here it is about what
fits together: fields and their uses, elements and their contents, data and its design. Data is never quoted.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from countertop.sdk.cards.template import fields_in, filled, template_problem
from countertop.sdk.errors import InvalidRequest
from countertop.v1 import card_design_pb2
from countertop.v1.card_design_pb2 import CardArtwork, CardDesign, CardElement, CardField, CardSide, CardValue

__all__ = ["MAX_TEXT", "CardData", "check_artwork", "check_design", "is_picture"]

MAX_TEXT = 1024
"""Characters of a text or a code once its fields are filled in."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
_COLOR = re.compile(r"(#[0-9A-Fa-f]{6})?")

Problems = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class CardData:
    """What the fields of one card are: texts and files of pictures by field. Empty ones count as not given."""

    texts: Mapping[str, str]
    pictures: Mapping[str, bytes]
    shown: frozenset[str]
    """Fields without data that are drawn all the same: as their sample, or as a figure."""

    @classmethod
    def of(cls, artwork: CardArtwork, *, samples: bool) -> CardData:
        """The data of an artwork; with `samples`, fields that it lacks have their sample or name as text."""
        texts = {name: value.text for name, value in artwork.data.items() if value.text}
        pictures = {name: value.picture for name, value in artwork.data.items() if value.picture}
        shown = set()
        for field in artwork.design.fields if samples else ():
            if field.name not in texts and field.name not in pictures:
                shown.add(field.name)
                if not is_picture(field):
                    texts[field.name] = field.sample or field.name
        return cls(texts, pictures, frozenset(shown))

    def has(self, name: str) -> bool:
        """There is something to draw for this field."""
        return name in self.texts or name in self.pictures or name in self.shown


def is_picture(field: CardField) -> bool:
    """Else it is text."""
    return field.kind == card_design_pb2.CARD_FIELD_KIND_PICTURE


def check_design(design: CardDesign) -> None:
    """Looks a design over without data. Raises InvalidRequest with paths that begin at `design`."""
    _raise(_design_problems(design, "design"))


def check_artwork(artwork: CardArtwork, *, samples: bool = False) -> None:
    """Looks a design and its data over; with `samples` no field has to be given.

    Raises InvalidRequest that names each mistake by its path from `artwork`.
    """
    _raise(_design_problems(artwork.design, "artwork.design"))
    _raise(_data_problems(artwork, samples))


def _raise(problems: Problems) -> None:
    found: dict[str, str] = {}
    for path, problem in problems:
        found.setdefault(path, problem)
    if found:
        raise InvalidRequest(found)


def _design_problems(design: CardDesign, path: str) -> Problems:
    fields: dict[str, CardField] = {}
    for index, field in enumerate(design.fields):
        if not _NAME.fullmatch(field.name):
            yield f"{path}.fields[{index}].name", "expected a letter or _, then letters, digits, _; at most 32"
        elif field.name in fields:
            yield f"{path}.fields[{index}].name", "expected another name than the fields before it"
        fields[field.name] = field
    sides = {"front": design.front, "back": design.back}
    if not any(side.elements or side.background for side in sides.values()):
        yield path, "expected an element or a background on one side at least"
    for name, side in sides.items():
        yield from _side_problems(side, fields, f"{path}.{name}")


def _side_problems(side: CardSide, fields: Mapping[str, CardField], path: str) -> Problems:
    yield from _color_problems(side, ("background",), path)
    for index, box in enumerate(side.overlay_holes):
        if not (box.width_mm > 0 and box.height_mm > 0):
            yield f"{path}.overlay_holes[{index}]", "expected a width and a height"
    for index, element in enumerate(side.elements):
        yield from _element_problems(element, fields, f"{path}.elements[{index}]")


def _element_problems(element: CardElement, fields: Mapping[str, CardField], path: str) -> Problems:
    if not (element.box.width_mm > 0 and element.box.height_mm > 0):
        yield f"{path}.box", "expected a width and a height"
    if element.only_with:
        yield from _field_problems((element.only_with,), fields, f"{path}.only_with", None)
    kind = element.WhichOneof("content")
    if kind is None:
        yield path, "expected one of text, picture, code, shape"
    elif kind == "text":
        yield from _template_problems(element.text.text, fields, f"{path}.text.text")
        yield from _color_problems(element.text, ("color",), f"{path}.text")
    elif kind == "picture":
        yield from _picture_problems(element, fields, f"{path}.picture")
    elif kind == "code":
        yield from _code_problems(element, fields, f"{path}.code")
    else:
        yield from _shape_problems(element, f"{path}.shape")


def _picture_problems(element: CardElement, fields: Mapping[str, CardField], path: str) -> Problems:
    picture = element.picture
    if picture.field:
        yield from _field_problems((picture.field,), fields, f"{path}.field", True)
    elif not picture.data:
        yield path, "expected data or field"


def _code_problems(element: CardElement, fields: Mapping[str, CardField], path: str) -> Problems:
    code = element.code
    kind = code.WhichOneof("kind")
    if kind is None:
        yield path, "expected one of barcode, symbol"
    elif kind == "barcode" and not code.barcode:
        yield f"{path}.barcode", "expected a symbology"
    yield from _template_problems(code.text, fields, f"{path}.text")
    yield from _color_problems(code, ("color",), path)


def _shape_problems(element: CardElement, path: str) -> Problems:
    shape = element.shape
    if not (shape.fill or shape.stroke):
        yield path, "expected fill or stroke"
    if shape.fill_to and not shape.fill:
        yield f"{path}.fill", "expected a colour where fill_to has one"
    yield from _color_problems(shape, ("fill", "fill_to", "stroke"), path)


def _color_problems(message: object, names: tuple[str, ...], path: str) -> Problems:
    for name in names:
        if not _COLOR.fullmatch(getattr(message, name)):
            yield f"{path}.{name}", "expected a colour as #RRGGBB"


def _template_problems(template: str, fields: Mapping[str, CardField], path: str) -> Problems:
    if not template:
        yield path, "expected text"
    problem = template_problem(template)
    if problem:
        yield path, problem
    yield from _field_problems(fields_in(template), fields, path, False)


def _field_problems(
    names: tuple[str, ...], fields: Mapping[str, CardField], path: str, picture: bool | None
) -> Problems:
    """`picture` says what the field must hold; None for either."""
    for name in names:
        field = fields.get(name)
        if field is None:
            close = difflib.get_close_matches(name, fields, n=1)
            known = f"did you mean {close[0]}?" if close else f"declared are: {', '.join(fields) or 'none'}"
            # what is no name may be anything: it is not quoted
            which = f"{name} to be a declared field" if _NAME.fullmatch(name) else "the name of a declared field"
            yield path, f"expected {which}; {known}"
        elif picture is not None and is_picture(field) != picture:
            yield path, f"expected a field for {'a picture' if picture else 'text'}; {name} holds the other kind"


def _data_problems(artwork: CardArtwork, samples: bool) -> Problems:
    fields = {field.name: field for field in artwork.design.fields}
    for name, value in artwork.data.items():
        if name in fields:
            yield from _value_problems(fields[name], value, f"artwork.data[{name}]")
        elif _NAME.fullmatch(name):
            yield f"artwork.data[{name}]", f"expected a field of the design; it has {', '.join(fields) or 'none'}"
        else:
            yield "artwork.data", "expected names of fields only"
    data = CardData.of(artwork, samples=samples)
    for field in fields.values():
        if not field.optional and not data.has(field.name):
            what = "a picture" if is_picture(field) else "text"
            yield f"artwork.data[{field.name}]", f"expected {what}: the field is not optional"
    for side_name, side in (("front", artwork.design.front), ("back", artwork.design.back)):
        for index, element in enumerate(side.elements):
            kind = element.WhichOneof("content")
            text = element.text.text if kind == "text" else element.code.text if kind == "code" else ""
            if len(filled(text, data.texts)) > MAX_TEXT:
                path = f"artwork.design.{side_name}.elements[{index}].{kind}.text"
                yield path, f"expected at most {MAX_TEXT} characters once its fields are filled in"


def _value_problems(field: CardField, value: CardValue, path: str) -> Problems:
    kind = value.WhichOneof("value")
    wanted = "picture" if is_picture(field) else "text"
    if kind is not None and kind != wanted:
        yield path, f"expected {wanted}, got {kind}"
    elif field.max_chars and len(value.text) > field.max_chars:
        yield path, f"expected at most {field.max_chars} characters, got {len(value.text)}"
