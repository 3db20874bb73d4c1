"""Designs and data come from files; what is wrong with them is said by file and path, without quoting anything."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from countertop.cli.card_file import MAX_PICTURE_BYTES, read_data, read_design
from countertop.cli.output import Refused
from countertop.sdk.cards.planes import Canvas
from countertop.sdk.cards.preview import preview_png
from countertop.sdk.cards.render import render
from countertop.v1.card_design_pb2 import CardArtwork, CardDesign, CardValue

EXAMPLES = Path(__file__).parents[2] / "examples" / "cards"
DESIGN = """
fields:
  - {name: name, max_chars: 10}
  - {name: photo, kind: CARD_FIELD_KIND_PICTURE, optional: true}
front:
  elements:
    - {box: {width_mm: 20, height_mm: 9}, text: {text: "{name}"}}
    - {box: {width_mm: 20, height_mm: 9}, picture: {file: art/logo.png}}
"""
LOGO = b"\x89PNG logo"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "art").mkdir()
    (tmp_path / "art" / "logo.png").write_bytes(LOGO)
    (tmp_path / "design.yaml").write_text(DESIGN, encoding="utf-8")
    return tmp_path


def refusal(call, *arguments) -> str:
    with pytest.raises(Refused) as caught:
        call(*arguments)
    return str(caught.value)


def data_file(folder: Path, **fields) -> Path:
    path = folder / "data.json"
    path.write_text(json.dumps(fields, ensure_ascii=False), encoding="utf-8")
    return path


def test_a_design_takes_in_pictures_from_its_own_folder(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir("/")
    design = read_design(folder / "design.yaml")
    assert design.front.elements[1].picture.data == LOGO
    assert [field.name for field in design.fields] == ["name", "photo"]


def test_a_design_may_be_json(folder: Path):
    path = folder / "design.json"
    path.write_text(json.dumps({"back": {"background": "#102030"}}), encoding="utf-8")
    assert read_design(str(path)) == CardDesign(back={"background": "#102030"})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("art/logo.png", "art/none.png", "front.elements[1].picture.file: the file cannot be read"),
        ("file: art/logo.png", "file: 5", "front.elements[1].picture.file: expected the path of a picture"),
        ("file: art/logo.png", "file: art/logo.png, field: photo", "stands beside data or field"),
        ("{name}", "{nmae}", "front.elements[0].text.text: expected nmae to be a declared field; did you mean name?"),
        ("width_mm: 20", "width_mm: 200", "front.elements[0].box.width_mm: expected 0.1 to 96, got 200"),
        ("text: {text", "txet: {text", "front.elements[0].txet: there is no such field; did you mean text?"),
        ("fields:", "fields: [", "design.yaml, line"),
    ],
)
def test_mistakes_of_a_design_are_told_by_file_and_path(folder: Path, old: str, new: str, said: str):
    path = folder / "design.yaml"
    path.write_text(DESIGN.replace(old, new), encoding="utf-8")
    told = refusal(read_design, path)
    assert told.startswith(str(path))
    assert said in told


def test_a_picture_that_is_too_large_for_a_request_is_refused(folder: Path):
    (folder / "art" / "logo.png").write_bytes(bytes(MAX_PICTURE_BYTES + 1))
    assert f"expected a file of 1 to {MAX_PICTURE_BYTES} bytes" in refusal(read_design, folder / "design.yaml")


def test_data_are_texts_and_files_by_their_path_from_the_data_file(folder: Path):
    design = read_design(folder / "design.yaml")
    data = read_data(data_file(folder, name="试样", photo="art/logo.png"), design)
    assert data == {"name": CardValue(text="试样"), "photo": CardValue(picture=LOGO)}
    assert read_data(data_file(folder, name="试样", photo=None), design) == {"name": CardValue(text="试样")}


def test_mistakes_of_data_are_told_by_field_and_never_quoted(folder: Path):
    design = read_design(folder / "design.yaml")
    secret = "王小明" * 5
    path = data_file(folder, name=secret, photo="no/such.jpg", nmae=secret)
    told = refusal(read_data, path, design)
    assert told.startswith(f"{path} has 3 mistakes:")
    assert "name: expected at most 10 characters, got 15" in told
    assert "photo: the file cannot be read" in told
    assert "nmae: the design has no such field; did you mean name?" in told
    assert secret not in told


def test_a_number_must_stand_in_quotes(folder: Path):
    design = read_design(folder / "design.yaml")
    path = folder / "data.yaml"
    path.write_text("name: 0123\n", encoding="utf-8")
    assert "name: expected text in quotes" in refusal(read_data, path, design)
    path.write_text("[]", encoding="utf-8")
    assert "expected a mapping" in refusal(read_data, path, design)


def test_what_is_no_text_is_refused(folder: Path):
    path = folder / "data.json"
    path.write_bytes('{"name": "试样"}'.encode("gb18030"))
    assert "is not UTF-8" in refusal(read_data, path, CardDesign())
    path.write_text("{", encoding="utf-8")
    assert "line 1: not JSON" in refusal(read_data, path, CardDesign())
    with pytest.raises(FileNotFoundError):
        read_data(folder / "none.json", CardDesign())


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["front", "elements", "picture", "file",
        "text", "box", "fields", "name", "x"]), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(_plain)
def test_whatever_a_file_holds_is_read_or_refused(tmp_path: Path, form):
    path = tmp_path / "any.json"
    path.write_text(json.dumps(form), encoding="utf-8")
    for call in (lambda: read_design(path), lambda: read_data(path, CardDesign(fields=[{"name": "name"}]))):
        told = ""
        try:
            call()
        except Refused as refused:
            told = str(refused)
        assert not told or told.startswith(str(path))


@pytest.mark.parametrize("name", ["bank-card", "mono-card"])
@pytest.mark.parametrize("canvas", [Canvas(), Canvas(uv=True), Canvas(black=False), Canvas(color=False)])
def test_the_examples_are_drawn_on_both_sides(name: str, canvas: Canvas):
    design = read_design(EXAMPLES / f"{name}.yaml")
    artwork = CardArtwork(design=design, data=read_data(EXAMPLES / "bank-card.json", design))
    for samples in (False, True):
        image = render(artwork, canvas, samples=samples)
        assert all("ultraviolet" in warning for warning in image.warnings)
        for planes in (image.front, image.back):
            preview = Image.open(io.BytesIO(preview_png(planes, canvas)))
            assert preview.size == (1011, 638)
            assert not planes.overlay.all()


@pytest.mark.parametrize("name", ["bank-card", "mono-card"])
def test_the_examples_keep_off_the_contacts_and_the_stripe(name: str):
    canvas = Canvas()
    image = render(CardArtwork(design=read_design(EXAMPLES / f"{name}.yaml")), canvas, samples=True)
    contacts = slice(canvas.y(19.23), canvas.y(28.55)), slice(canvas.x(10.25), canvas.x(19.87))  # ISO/IEC 7816-2
    stripe = slice(canvas.y(4.7), canvas.y(15.82)), slice(0, canvas.width)  # ISO/IEC 7811-2
    for planes, place in ((image.front, contacts), (image.back, stripe)):
        assert not planes.overlay[place].any()
        assert planes.black is None or not planes.black[place].any()
        assert planes.rgb is None or (planes.rgb[place] == 255).all()
