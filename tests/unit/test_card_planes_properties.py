"""Whatever a design says, it becomes planes of the canvas, the same ones every time, or is refused in our words."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from PIL import Image

from countertop.sdk.cards.planes import Canvas, Planes
from countertop.sdk.cards.preview import preview_png
from countertop.sdk.cards.render import render
from countertop.sdk.errors import CountertopError
from countertop.server.bounds import check
from countertop.v1 import error_pb2
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
)


def _picture() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(75, dtype=np.uint8).reshape(5, 5, 3)).save(out, "PNG")
    return out.getvalue()


_colors = st.sampled_from(["", "#000000", "#FFFFFF", "#12AB9F"])
_words = st.text(alphabet=st.sampled_from("aB1 中，\n\u0301\U0010fffd\u200b\t(-"), min_size=1, max_size=30)


def _between(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high)


_boxes = st.builds(
    CardBox,
    x_mm=_between(-5, 91),
    y_mm=_between(-5, 59),
    width_mm=_between(0.1, 60),
    height_mm=_between(0.1, 30),
    rotation=st.one_of(st.sampled_from([0, 90, 180, -90]), _between(-360, 360)),
)
_texts = st.builds(
    CardText,
    text=_words,
    font=st.integers(0, 2),
    size_pt=st.one_of(st.just(0), _between(3, 30)),
    bold=st.booleans(),
    color=_colors,
    align=st.integers(0, 3),
    vertical=st.integers(0, 3),
    fit=st.integers(0, 4),
    spacing_mm=_between(0, 2),
    line_height=st.one_of(st.just(0), _between(0.8, 3)),
)
_pictures = st.builds(
    CardPicture,
    data=st.one_of(st.just(_picture()), st.binary(min_size=1, max_size=40)),
    fit=st.integers(0, 3),
    gray=st.booleans(),
    opacity=st.one_of(st.just(0), _between(0.05, 1)),
    radius_mm=_between(0, 27),
)
_codes = st.one_of(
    st.builds(
        CardCode, barcode=st.integers(1, 5), text=st.sampled_from(["A1", "12", "123456789012", "中"]), color=_colors
    ),
    st.builds(
        CardCode,
        symbol=st.integers(0, 3),
        text=_words,
        error_correction=st.integers(0, 4),
        no_quiet_zone=st.booleans(),
    ),
)
_shapes = st.builds(
    CardShape,
    form=st.integers(0, 3),
    fill=st.sampled_from(["#000000", "#FFFFFF", "#12AB9F"]),
    fill_to=_colors,
    stroke=_colors,
    stroke_mm=st.one_of(st.just(0), _between(0.05, 10)),
    radius_mm=_between(0, 27),
)


@st.composite
def _elements(draw: st.DrawFn) -> CardElement:
    element = CardElement(box=draw(_boxes), layer=draw(st.integers(0, 4)), dither=draw(st.integers(0, 3)))
    kind, made = draw(
        st.one_of(
            st.tuples(st.just("text"), _texts),
            st.tuples(st.just("picture"), _pictures),
            st.tuples(st.just("code"), _codes),
            st.tuples(st.just("shape"), _shapes),
        )
    )
    getattr(element, kind).CopyFrom(made)
    return element


_sides = st.builds(
    CardSide,
    elements=st.lists(_elements(), min_size=1, max_size=4),
    overlay=st.integers(0, 2),
    overlay_holes=st.lists(_boxes, max_size=2),
    background=_colors,
)
_canvases = st.builds(
    Canvas,
    width=st.sampled_from([1016, 1006]),
    height=st.just(648),
    dpi=st.sampled_from([300, 150]),
    color=st.booleans(),
    black=st.sampled_from([True, True, True, False]),
    overlay=st.booleans(),
    uv=st.booleans(),
)


def _check_planes(planes: Planes | None, canvas: Canvas) -> None:
    if planes is None:
        return
    size = (canvas.height, canvas.width)
    assert planes.rgb is None or (canvas.color and planes.rgb.shape == (*size, 3) and planes.rgb.dtype == np.uint8)
    for plane, panel in ((planes.black, canvas.black), (planes.overlay, canvas.overlay), (planes.uv, canvas.uv)):
        assert plane is None or (panel and plane.shape == size and plane.dtype == bool)
    assert (planes.overlay is not None) == canvas.overlay


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_sides, _canvases)
def test_any_design_becomes_planes_of_the_canvas_or_is_refused_in_our_words(side: CardSide, canvas: Canvas):
    artwork = CardArtwork(design=CardDesign(front=side))
    check(artwork)
    image, reason = None, None
    try:
        image = render(artwork, canvas)
    except CountertopError as error:
        reason = error.reason
    event(f"refused: {reason}")
    if image is None:
        assert reason in (error_pb2.REASON_INVALID_REQUEST, error_pb2.REASON_NOT_SUPPORTED)
        return
    _check_planes(image.front, canvas)
    assert all(warning.startswith("front.elements[") for warning in image.warnings)
    again = render(artwork, canvas)
    for name in ("rgb", "black", "overlay", "uv"):
        assert np.array_equal(getattr(image.front, name), getattr(again.front, name))
    assert again.warnings == image.warnings
    assert Image.open(io.BytesIO(preview_png(image.front, canvas))).format == "PNG"


def test_two_threads_draw_the_same():
    box = CardBox(x_mm=5, y_mm=5, width_mm=60, height_mm=10)
    element = CardElement(box=box, text=CardText(text="{name} 试样", size_pt=12))
    design = CardDesign(fields=[CardField(name="name")], front=CardSide(elements=[element]))

    def draw(number: int) -> bytes:
        artwork = CardArtwork(design=design)
        artwork.data["name"].text = f"number {number % 4}"
        return render(artwork, Canvas()).front.black.tobytes()

    alone = [draw(number) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(draw, range(40))) == alone * 10
