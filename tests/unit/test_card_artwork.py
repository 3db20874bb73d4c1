"""What is wrong with a card's artwork is said by its path, before anything is drawn, and data is never quoted."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk.cards.artwork import MAX_TEXT, check_artwork, check_design
from countertop.sdk.cards.template import fields_in, filled, template_problem
from countertop.sdk.errors import InvalidRequest
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

BOX = CardBox(width_mm=10, height_mm=10)
SECRET = "王小明-9999021234567890"
PICTURE = card_design_pb2.CARD_FIELD_KIND_PICTURE


def artwork(*elements: CardElement, fields: tuple[CardField, ...] = (), **data: CardValue) -> CardArtwork:
    return CardArtwork(design=CardDesign(fields=fields, front=CardSide(elements=elements)), data=data)


def text(template: str, **settings) -> CardElement:
    return CardElement(box=BOX, text=CardText(text=template), **settings)


def problems(made: CardArtwork, *, samples: bool = False) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        check_artwork(made, samples=samples)
    assert SECRET not in str(caught.value)
    return caught.value.violations


def test_an_artwork_that_fits_together_passes():
    check_artwork(
        artwork(
            text("{name} {{}}", only_with="photo"),
            CardElement(box=BOX, picture=CardPicture(field="photo")),
            CardElement(box=BOX, code=CardCode(barcode=1, text="{name}")),
            fields=(CardField(name="name"), CardField(name="photo", kind=PICTURE, optional=True)),
            name=CardValue(text="试样"),
        )
    )


def test_an_empty_design_is_refused():
    assert list(problems(CardArtwork())) == ["artwork.design"]
    check_design(CardDesign(back=CardSide(background="#FFFFFF")))


@pytest.mark.parametrize(
    ("element", "path"),
    [
        (CardElement(box=BOX), ""),
        (CardElement(shape=CardShape(fill="#000000")), ".box"),
        (text(""), ".text.text"),
        (text("{name"), ".text.text"),
        (text("name}"), ".text.text"),
        (text("{}"), ".text.text"),
        (text("{nobody}"), ".text.text"),
        (text("{photo}"), ".text.text"),
        (text("x", only_with="nobody"), ".only_with"),
        (CardElement(box=BOX, text=CardText(text="x", color="red")), ".text.color"),
        (CardElement(box=BOX, picture=CardPicture()), ".picture"),
        (CardElement(box=BOX, picture=CardPicture(data=b"")), ".picture"),
        (CardElement(box=BOX, picture=CardPicture(field="nobody")), ".picture.field"),
        (CardElement(box=BOX, picture=CardPicture(field="name")), ".picture.field"),
        (CardElement(box=BOX, code=CardCode(text="x")), ".code"),
        (CardElement(box=BOX, code=CardCode(barcode=0, text="x")), ".code.barcode"),
        (CardElement(box=BOX, code=CardCode(symbol=0)), ".code.text"),
        (CardElement(box=BOX, shape=CardShape()), ".shape"),
        (CardElement(box=BOX, shape=CardShape(stroke="#000000", fill_to="#FFFFFF")), ".shape.fill"),
    ],
)
def test_each_mistake_of_an_element_has_its_path(element: CardElement, path: str):
    fields = (CardField(name="name", optional=True), CardField(name="photo", kind=PICTURE, optional=True))
    assert list(problems(artwork(element, fields=fields))) == [f"artwork.design.front.elements[0]{path}"]


def test_all_mistakes_are_told_at_once():
    made = artwork(text("{a}"), text("{b}"), CardElement(box=BOX), fields=(CardField(name="a"), CardField(name="a")))
    assert set(problems(made)) == {
        "artwork.design.fields[1].name",
        "artwork.design.front.elements[1].text.text",
        "artwork.design.front.elements[2]",
    }


def test_a_field_that_is_nearly_right_is_proposed():
    found = problems(artwork(text("{nmae}"), fields=(CardField(name="name", optional=True),)))
    assert "did you mean name?" in found["artwork.design.front.elements[0].text.text"]


def test_data_must_be_of_its_fields():
    fields = (
        CardField(name="name", max_chars=3),
        CardField(name="photo", kind=PICTURE),
        CardField(name="number"),
        CardField(name="note", optional=True),
    )
    made = artwork(
        text("{name}"),
        fields=fields,
        name=CardValue(text=SECRET),
        photo=CardValue(text=SECRET),
        extra=CardValue(text=SECRET),
    )
    found = problems(made)
    assert set(found) == {f"artwork.data[{name}]" for name in ("name", "photo", "extra", "number")}
    assert found["artwork.data[name]"] == f"expected at most 3 characters, got {len(SECRET)}"


def test_an_empty_value_is_not_given():
    made = artwork(text("{name}"), fields=(CardField(name="name"),), name=CardValue(text=""))
    assert list(problems(made)) == ["artwork.data[name]"]


def test_what_is_no_name_is_not_quoted():
    made = artwork(text("x"))
    made.data[SECRET].text = "x"
    assert list(problems(made)) == ["artwork.data"]
    problems(artwork(text("x", only_with=SECRET)))


def test_with_samples_nothing_has_to_be_given():
    made = artwork(
        text("{name}"),
        CardElement(box=BOX, picture=CardPicture(field="photo")),
        fields=(CardField(name="name"), CardField(name="photo", kind=PICTURE)),
    )
    assert len(problems(made)) == 2
    check_artwork(made, samples=True)


def test_a_text_has_a_limit_once_its_fields_are_filled_in():
    made = artwork(text("{a}" * 5), fields=(CardField(name="a"),), a=CardValue(text="x" * (MAX_TEXT // 4)))
    assert list(problems(made)) == ["artwork.design.front.elements[0].text.text"]


@given(st.dictionaries(st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True), st.text(max_size=9), max_size=5))
def test_a_template_is_filled_as_python_fills_it(fields: dict[str, str]):
    template = "{{" + "-".join(f"{{{name}}}" for name in fields) + "}}"
    assert template_problem(template) == ""
    assert fields_in(template) == tuple(fields)
    assert filled(template, fields) == template.format(**fields)


@given(st.text(alphabet="{}ab ", max_size=12))
def test_a_template_is_right_or_its_mistake_is_placed(template: str):
    problem = template_problem(template)
    rest = re.sub(r"\{\{|\}\}|\{[ab]+\}", "", template)
    assert bool(problem) == bool(re.search("[{}]", rest))


@given(st.lists(st.sampled_from(["text", "picture", "code", "shape", None]), max_size=4), st.text(max_size=20))
def test_looking_over_raises_nothing_but_invalid_request(kinds: list[str | None], words: str):
    elements = []
    for kind in kinds:
        element = CardElement(only_with=words[:8])
        if kind:
            getattr(element, kind).SetInParent()
        if kind in ("text", "code"):
            getattr(element, kind).text = words
        elements.append(element)
    made = artwork(*elements, fields=(CardField(name=words[:3]),))
    with pytest.raises(InvalidRequest) as caught:  # its field is not given
        check_artwork(made)
    assert caught.value.violations
