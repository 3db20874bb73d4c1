"""Texts on a card: sizes, fits and lines, fonts, characters that no font has."""

from __future__ import annotations

import numpy as np
import pytest

from countertop.sdk.cards import faces
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.v1 import card_design_pb2, error_pb2, receipt_pb2
from countertop.v1.card_design_pb2 import (
    CardBox,
    CardElement,
    CardText,
    CardValue,
)
from tests.unit.drawn_cards import (
    CANVAS,
    CLIP,
    MONO,
    REFUSE,
    SECRET,
    SHRINK,
    WRAP,
    extent,
    image_of,
    place,
)


def written(text: str, box: CardBox | None = None, **settings) -> np.ndarray:
    """The black plane."""
    element = CardElement(box=box or place(), text=CardText(text=text, **settings))
    plane = image_of(element).front.black
    return np.zeros((CANVAS.height, CANVAS.width), bool) if plane is None else plane


def bands(plane: np.ndarray, least_gap: int = 3) -> int:
    """Lines of text: groups of rows with dots, parted by rows without."""
    rows = np.flatnonzero(plane.any(1))
    return 1 + int((np.diff(rows) > least_gap).sum())


def test_text_is_as_large_as_its_points():
    _, top, _, bottom = extent(written("国", size_pt=12))
    assert abs((bottom - top) - 12 / 72 * 300) < 8


def test_align_and_vertical_move_text_to_the_edges_of_its_box():
    left, top, right, bottom = CANVAS.x(10), CANVAS.y(10), CANVAS.x(50), CANVAS.y(20)
    first = extent(written("国国"))
    assert 0 <= first[0] - left < 5
    assert 0 <= first[1] - top < 8
    last = extent(written("国国", align=receipt_pb2.ALIGN_RIGHT, vertical=card_design_pb2.VERTICAL_ALIGN_BOTTOM))
    assert 0 <= right - last[2] < 5
    assert 0 <= bottom - last[3] < 12
    center = extent(written("国国", align=receipt_pb2.ALIGN_CENTER, vertical=card_design_pb2.VERTICAL_ALIGN_MIDDLE))
    assert abs((center[0] + center[2]) / 2 - (left + right) / 2) < 3
    assert abs((center[1] + center[3]) / 2 - (top + bottom) / 2) < 6


def test_long_text_is_made_smaller_until_it_fits():
    plane = written("国" * 20, size_pt=10, fit=SHRINK)
    left, _, right, bottom = extent(plane)
    assert CANVAS.x(10) <= left
    assert CANVAS.x(50) - 20 < right <= CANVAS.x(50) + 1
    assert bands(plane) == 1
    assert bottom <= CANVAS.y(20)


def test_text_that_a_third_of_its_size_does_not_fit_is_refused_without_its_words():
    with pytest.raises(InvalidRequest) as caught:
        written(SECRET * 20, size_pt=10)
    assert list(caught.value.violations) == ["artwork.design.front.elements[0].text.text"]
    assert SECRET not in str(caught.value)


def test_wrapped_text_keeps_its_size_while_its_lines_fit():
    plane = written("国" * 20, place(height=20), size_pt=10, fit=WRAP)
    assert bands(plane) == 2
    left, top, right, bottom = extent(plane)
    assert CANVAS.x(10) <= left
    assert right <= CANVAS.x(50) + 1
    assert bottom - top > 1.8 * 10 / 72 * 300


def test_wrapped_text_is_made_smaller_when_its_lines_do_not_fit():
    plane = written("国" * 60, size_pt=10, fit=WRAP)
    assert bands(plane) >= 3
    assert extent(plane)[3] <= CANVAS.y(20) + 1


def test_words_are_not_broken_and_a_word_that_is_too_long_is_cut():
    assert bands(written("wood wood", place(width=12, height=20), size_pt=10, fit=WRAP)) == 2
    assert bands(written("w" * 30, place(width=20, height=30), size_pt=10, fit=WRAP)) > 1


def test_punctuation_never_begins_a_line():
    narrow = place(width=3.2 * 3.53 + 0.5, height=20)  # three ideographs of 10 points
    with_mark = written("国国国。", narrow, size_pt=10, fit=WRAP)
    second = with_mark[extent(with_mark)[1] + 45 :]
    assert extent(second)[2] > CANVAS.x(10 + 3.53)  # an ideograph came down with it


def test_text_is_cut_off_at_its_box_with_a_warning():
    element = CardElement(name="line", box=place(), text=CardText(text="国" * 30, size_pt=10, fit=CLIP))
    image = image_of(element)
    assert extent(image.front.black)[2] <= CANVAS.x(50)
    assert image.warnings == ("front.elements[0] (line): text cut off at its box",)


def test_text_that_may_not_be_changed_is_refused():
    assert written("国国", size_pt=10, fit=REFUSE).any()
    with pytest.raises(InvalidRequest):
        written("国" * 30, size_pt=10, fit=REFUSE)
    with pytest.raises(InvalidRequest):
        written("国\n国\n国\n国", size_pt=10, fit=REFUSE)


def test_lines_are_as_far_apart_as_their_line_height():
    def distance(height: float) -> int:
        first, second = (written(text, place(height=40), size_pt=10, line_height=height) for text in ("国", "\n国"))
        return extent(second)[1] - extent(first)[1]

    size = 10 / 72 * 300
    assert abs(distance(0) - 1.2 * size) <= 1
    assert abs(distance(2) - 2 * size) <= 1


def test_spacing_lies_between_characters():
    plain, spaced = extent(written("国国国")), extent(written("国国国", spacing_mm=2))
    assert spaced[0] == plain[0]
    assert abs((spaced[2] - plain[2]) - 2 * CANVAS.dots(2)) <= 3


def test_latin_characters_of_the_mono_font_stand_on_a_grid():
    def right(text: str) -> int:
        return extent(written(text + "0", font=MONO, size_pt=10))[2]

    assert right("11111") == right("00000") == right("     ") == right("iWiWi")
    assert right("11111") != extent(written("111110", size_pt=10))[2]


def test_latin_characters_of_a_font_without_even_width_stand_on_a_grid_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(faces, "_INDICES", {})  # the first face of each file, which is none of even width
    for kept in (faces.faces, faces._face_of):
        kept.cache_clear()
    try:
        first, second = (extent(written(text, font=MONO, size_pt=10)) for text in ("iiiii0", "WWWWW0"))
        assert abs(first[2] - second[2]) <= 1
    finally:
        for kept in (faces.faces, faces._face_of):
            kept.cache_clear()


def test_bold_is_heavier_and_no_higher_by_more_than_its_stroke():
    plain, bold = written("国a", size_pt=12), written("国a", size_pt=12, bold=True)
    assert bold.sum() > 1.15 * plain.sum()
    assert (extent(bold)[3] - extent(bold)[1]) - (extent(plain)[3] - extent(plain)[1]) <= 4


def test_coloured_text_has_smooth_edges():
    element = CardElement(box=place(), text=CardText(text="国", size_pt=12, color="#0000FF"))
    red = image_of(element).front.rgb[:, :, 0]
    assert (red == 0).any()
    assert ((red > 30) & (red < 225)).any()


def test_a_character_that_no_font_has_becomes_a_frame_and_a_warning_that_does_not_quote_it():
    element = CardElement(box=place(), text=CardText(text="a\U0010fffdb\U0010fffe", size_pt=12))
    image = image_of(element)
    assert image.warnings == ("front.elements[0]: 2 characters that no font has",)
    alone = written("\U0010fffd", size_pt=12)
    left, top, right, bottom = extent(alone)
    assert alone[top, left:right].all()
    assert alone[top:bottom, left].all()


def test_characters_that_only_steer_are_left_out_and_line_ends_are_alike():
    assert (written("a\u200b\u202eb") == written("ab")).all()
    assert (written("a\r\nb") == written("a\nb")).all()
    assert (written("a\tb") == written("a b")).all()


def test_text_turns_about_the_middle_of_its_box():
    straight = written("国国", place(30, 20, 20, 10))
    turned = written("国国", place(30, 20, 20, 10, 180))
    left, top, right, bottom = CANVAS.x(30), CANVAS.y(20), CANVAS.x(50), CANVAS.y(30)
    assert (turned[top:bottom, left:right] == straight[top:bottom, left:right][::-1, ::-1]).all()


def test_a_field_that_is_not_given_leaves_no_text_and_a_sample_is_its_name():
    element = CardElement(box=place(), text=CardText(text="{text}"))
    assert image_of(element).front.black is None
    sampled = image_of(element, samples=True).front.black
    assert (sampled == image_of(element, text=CardValue(text="text")).front.black).all()


def test_without_a_font_it_is_said_how_to_get_one(monkeypatch: pytest.MonkeyPatch):
    def none() -> None:
        raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, "No font.")

    monkeypatch.setattr(faces, "font_files", none)
    faces.faces.cache_clear()
    faces._face_of.cache_clear()
    try:
        with pytest.raises(CountertopError) as caught:
            written("a")
        assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED
    finally:
        faces.faces.cache_clear()
