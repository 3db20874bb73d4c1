"""Designs become planes: geometry to the dot, layers above each other, overlay, dithering."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from countertop.sdk.cards.planes import Canvas, Planes
from countertop.sdk.cards.preview import preview_png
from countertop.sdk.cards.render import render
from countertop.sdk.errors import CountertopError
from countertop.server.bounds import check
from countertop.v1 import card_design_pb2, device_pb2, error_pb2, receipt_pb2
from countertop.v1.card_design_pb2 import (
    CardArtwork,
    CardBox,
    CardDesign,
    CardElement,
    CardField,
    CardPicture,
    CardShape,
    CardSide,
    CardText,
)

COLOR, BLACK, OVERLAY, UV = (
    card_design_pb2.CARD_LAYER_COLOR,
    card_design_pb2.CARD_LAYER_BLACK,
    card_design_pb2.CARD_LAYER_OVERLAY,
    card_design_pb2.CARD_LAYER_UV,
)
YMCKO, YMCO, MONO = Canvas(), Canvas(black=False), Canvas(color=False, overlay=False)
FULL_UV = Canvas(uv=True)


def box(x: float, y: float, width: float, height: float, rotation: float = 0) -> CardBox:
    return CardBox(x_mm=x, y_mm=y, width_mm=width, height_mm=height, rotation=rotation)


def rectangle(place: CardBox, fill: str = "#000000", *, shape: dict[str, Any] | None = None, **element) -> CardElement:
    return CardElement(box=place, shape=CardShape(fill=fill, **(shape or {})), **element)


def png(pixels: np.ndarray | Image.Image, **settings) -> bytes:
    out = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(out, "PNG", **settings)
    return out.getvalue()


def front(*elements: CardElement, canvas: Canvas = YMCKO, **side) -> Planes:
    planes = drawn(*elements, canvas=canvas, **side)[0]
    assert planes is not None
    return planes


def drawn(*elements: CardElement, canvas: Canvas = YMCKO, **side) -> tuple[Planes | None, tuple[str, ...]]:
    artwork = CardArtwork(design=CardDesign(front=CardSide(elements=elements, **side)))
    check(artwork)
    image = render(artwork, canvas)
    return image.front, image.warnings


def extent(plane: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is set."""
    rows, columns = np.flatnonzero(plane.any(1)), np.flatnonzero(plane.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


# --- geometry --------------------------------------------------------------------------------------------------------


def test_the_card_lies_in_the_middle_of_the_canvas():
    # 300 dpi: 1011.02 by 637.56 dots of 1016 by 648, so 2.49 and 5.22 dots before it; 10 mm are 118.11 dots
    plane = front(rectangle(box(0, 0, 10, 10))).black
    assert extent(plane) == (2, 5, 121, 123)
    assert plane.sum() == 119 * 118
    assert extent(front(rectangle(box(20, 30, 10, 10))).black) == (239, 360, 357, 478)


def test_boxes_that_touch_in_millimetres_touch_in_dots():
    plane = front(*[rectangle(box(3.3 * number, 5, 3.3, 4)) for number in range(20)]).black
    left, top, right, bottom = extent(plane)
    assert plane.sum() == (right - left) * (bottom - top)


def test_what_goes_over_the_edge_fills_the_canvas():
    assert front(rectangle(box(-5, -5, 96, 64))).black.all()


def test_a_box_outside_the_canvas_prints_nothing():
    assert front(rectangle(box(91, 59, 5, 5))).black is None


def test_another_canvas_has_other_dots():
    canvas = Canvas(width=2032, height=1296, dpi=600)
    assert extent(front(rectangle(box(0, 0, 10, 10)), canvas=canvas).black) == (5, 10, 241, 247)


def test_a_canvas_is_read_from_the_capabilities():
    has = device_pb2.CardPrinterCapabilities(width=1006, height=640, dpi=300, black=True, uv=True)
    assert Canvas.of(has) == Canvas(1006, 640, 300, color=False, black=True, overlay=False, uv=True)
    with pytest.raises(CountertopError) as caught:
        Canvas.of(device_pb2.CardPrinterCapabilities())
    assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED


@pytest.mark.parametrize(("degrees", "swapped"), [(90, True), (180, False), (270, True), (-90, True), (360, False)])
def test_quarter_turns_keep_every_dot(degrees: float, swapped: bool):
    straight = front(rectangle(box(30, 20, 20, 10))).black
    turned = front(rectangle(box(30, 20, 20, 10, degrees))).black
    assert turned.sum() == straight.sum()
    left, top, right, bottom = extent(straight)
    middle = (left + right) / 2, (top + bottom) / 2
    size = (bottom - top, right - left) if swapped else (right - left, bottom - top)
    now = extent(turned)
    assert (now[2] - now[0], now[3] - now[1]) == size
    assert abs((now[0] + now[2]) / 2 - middle[0]) <= 0.5
    assert abs((now[1] + now[3]) / 2 - middle[1]) <= 0.5


def test_rotation_goes_clockwise():
    # a picture whose upper left quarter is black; turned by 90 degrees the upper right one is
    pixels = np.full((40, 40), 255, np.uint8)
    pixels[:20, :20] = 0
    element = CardElement(box=box(40, 20, 10, 10, 90), picture=CardPicture(data=png(pixels)), layer=BLACK)
    element.dither = receipt_pb2.DITHER_THRESHOLD
    left, top, right, bottom = extent(front(element).black)
    whole = extent(front(rectangle(box(40, 20, 10, 10))).black)
    assert left > whole[0] + 40
    assert abs(top - whole[1]) <= 1  # 118 by 119 dots
    assert abs(right - whole[2]) <= 1
    assert bottom < whole[3] - 40


def test_any_angle_keeps_area_and_middle():
    straight = front(rectangle(box(30, 20, 20, 10))).black
    turned = front(rectangle(box(30, 20, 20, 10, 33))).black
    assert abs(int(turned.sum()) - int(straight.sum())) < 0.01 * straight.sum()
    for axis in (0, 1):
        assert abs(np.nonzero(turned)[axis].mean() - np.nonzero(straight)[axis].mean()) < 1


# --- shapes ----------------------------------------------------------------------------------------------------------


def test_an_ellipse_has_the_area_and_the_extent_of_an_ellipse():
    whole = extent(front(rectangle(box(20, 10, 30, 20))).black)
    plane = front(rectangle(box(20, 10, 30, 20), shape={"form": card_design_pb2.SHAPE_FORM_ELLIPSE})).black
    width, height = whole[2] - whole[0], whole[3] - whole[1]
    assert extent(plane) == whole
    assert abs(plane.sum() / (np.pi / 4 * width * height) - 1) < 0.005


def test_round_corners_are_cut_off():
    plane = front(rectangle(box(20, 10, 30, 20), shape={"radius_mm": 5})).black
    square = front(rectangle(box(20, 10, 30, 20))).black
    radius = 5 * 300 / 25.4
    assert abs((square.sum() - plane.sum()) / ((4 - np.pi) * radius**2) - 1) < 0.02
    left, top, _, _ = extent(square)
    assert not plane[top, left]
    assert plane[top, left + 60]


def test_an_edge_lies_inside_its_box_and_leaves_the_middle_free():
    made = CardElement(box=box(20, 10, 30, 20), shape=CardShape(stroke="#000000", stroke_mm=1))
    plane = front(made).black
    left, top, right, bottom = extent(front(rectangle(box(20, 10, 30, 20))).black)
    assert extent(plane) == (left, top, right, bottom)
    assert not plane[top + 12 : bottom - 12, left + 12 : right - 12].any()
    assert plane[top : top + 12, left:right].all()


def test_the_colour_inside_does_not_shine_out_around_an_edge():
    shape = CardShape(form=card_design_pb2.SHAPE_FORM_ELLIPSE, fill="#FF0000", stroke="#0000FF", stroke_mm=1)
    rgb = front(CardElement(box=box(20, 10, 30, 30), shape=shape)).rgb.astype(int)
    rows, columns = np.nonzero(rgb[:, :, 0] > rgb[:, :, 1])  # more red than white has
    left, top, right, bottom = extent((rgb != 255).any(2))
    distance = np.hypot(columns + 0.5 - (left + right) / 2, rows + 0.5 - (top + bottom) / 2)
    assert distance.max() < (right - left) / 2 - 10


def test_a_line_ends_at_its_box():
    line = CardShape(form=card_design_pb2.SHAPE_FORM_LINE, stroke="#000000", stroke_mm=1)
    left, _, right, _ = extent(front(CardElement(box=box(20, 10, 30, 0.1), shape=line)).black)
    assert abs(left - 239) <= 1
    assert abs(right - 593) <= 1


def test_a_line_goes_from_corner_to_corner():
    line = CardShape(form=card_design_pb2.SHAPE_FORM_LINE, stroke="#000000", stroke_mm=0.5)
    plane = front(CardElement(box=box(20, 10, 30, 20), shape=line)).black
    left, top, right, bottom = extent(front(rectangle(box(20, 10, 30, 20))).black)
    for share in (0.1, 0.5, 0.9):
        assert plane[int(top + (bottom - top) * share), int(left + (right - left) * share)]
    assert not plane[bottom - 20, left + 20]
    assert abs(plane.sum() / (np.hypot(right - left, bottom - top) * 6) - 1) < 0.05


def test_a_gradient_goes_from_left_to_right():
    rgb = front(rectangle(box(20, 10, 30, 20), "#FF0000", shape={"fill_to": "#0000FF"})).rgb
    row = rgb[200, 239:593].astype(int)
    assert tuple(row[0]) == (255, 0, 0)
    assert tuple(row[-1]) == (0, 0, 255)
    assert (np.diff(row[:, 0]) <= 0).all()
    assert (np.diff(row[:, 2]) >= 0).all()


# --- layers ----------------------------------------------------------------------------------------------------------


def test_pure_black_goes_to_resin_and_the_rest_to_colour():
    planes = front(rectangle(box(5, 5, 10, 10)), rectangle(box(30, 5, 10, 10), "#000001"))
    assert extent(planes.black)[2] < 200
    assert (planes.rgb[100, 70] == 255).all()
    assert (planes.rgb[100, 400] == (0, 0, 1)).all()


def test_without_resin_pure_black_is_printed_in_colour():
    planes = front(rectangle(box(5, 5, 10, 10)), rectangle(box(30, 5, 10, 10), layer=BLACK), canvas=YMCO)
    assert planes.black is None
    assert (planes.rgb[100, 70] == 0).all()
    assert (planes.rgb[100, 400] == 0).all()


def test_without_resin_black_text_has_smooth_edges():
    text = CardElement(box=box(5, 5, 40, 10), text=CardText(text="国", size_pt=12))
    red = front(text, canvas=YMCO).rgb[:, :, 0]
    assert ((red > 30) & (red < 225)).any()


def test_colour_hides_the_black_below_it():
    planes = front(rectangle(box(5, 5, 20, 20)), rectangle(box(10, 10, 5, 5), "#FF0000"))
    hole = extent(front(rectangle(box(10, 10, 5, 5))).black)
    inside = np.zeros_like(planes.black)
    inside[hole[1] : hole[3], hole[0] : hole[2]] = True
    assert not (planes.black & inside).any()
    assert (planes.rgb[inside] == (255, 0, 0)).all()
    assert (planes.black | inside).sum() == front(rectangle(box(5, 5, 20, 20))).black.sum()


def test_black_prints_over_colour():
    planes = front(rectangle(box(5, 5, 20, 20), "#FF0000"), rectangle(box(10, 10, 5, 5)))
    assert planes.black.sum() > 3000
    assert (planes.rgb[planes.black] == (255, 0, 0)).all()


def test_what_shines_through_mixes_with_the_black_below_it():
    photo = CardPicture(data=png(np.full((8, 8, 3), 255, np.uint8)), opacity=0.75)
    planes = front(rectangle(box(5, 5, 20, 20)), CardElement(box=box(10, 10, 5, 5), picture=photo))
    x, y = 150, 150
    assert not planes.black[y, x]
    assert abs(int(planes.rgb[y, x, 0]) - 191) <= 1


def test_a_faint_picture_leaves_the_black_below_it():
    photo = CardPicture(data=png(np.zeros((8, 8, 3), np.uint8)), opacity=0.2)
    planes = front(rectangle(box(5, 5, 20, 20)), CardElement(box=box(10, 10, 50, 5), picture=photo))
    assert planes.black.sum() == front(rectangle(box(5, 5, 20, 20))).black.sum()


def test_white_that_is_printed_nowhere_needs_no_colour_panel():
    assert front(rectangle(box(5, 5, 20, 20), "#FFFFFF")).rgb is None
    assert front(background="#FFFFFF").rgb is None


def test_white_in_the_black_layer_takes_black_away():
    whole = front(rectangle(box(5, 5, 20, 20))).black.sum()
    cut = front(rectangle(box(5, 5, 20, 20)), rectangle(box(10, 10, 5, 5), "#FFFFFF", layer=BLACK)).black.sum()
    assert 3000 < whole - cut < 4000


@pytest.mark.parametrize(("layer", "word"), [(UV, "ultraviolet"), (OVERLAY, "overlay")])
def test_a_layer_that_the_ribbon_lacks_is_left_out_with_a_warning(layer: int, word: str):
    planes, warnings = drawn(rectangle(box(5, 5, 9, 9), layer=layer, name="mark"), canvas=Canvas(overlay=False))
    assert planes == Planes(None, None, None, None)
    assert len(warnings) == 1
    assert warnings[0].startswith("front.elements[0] (mark): left out")
    assert word in warnings[0]


def test_ultraviolet_ink_is_a_plane_of_its_own():
    planes = front(rectangle(box(5, 5, 9, 9), "#FFFF00", layer=UV), canvas=FULL_UV)
    assert planes.uv.sum() == front(rectangle(box(5, 5, 9, 9))).black.sum()
    assert planes.rgb is None
    assert planes.black is None


def test_a_ribbon_that_prints_nothing_is_refused():
    with pytest.raises(CountertopError) as caught:
        front(rectangle(box(5, 5, 9, 9)), canvas=Canvas(color=False, black=False))
    assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED


# --- overlay ---------------------------------------------------------------------------------------------------------


def test_the_overlay_covers_all_but_its_holes():
    plane = front(rectangle(box(5, 5, 9, 9)), overlay_holes=[box(10, 18, 12, 11), box(-5, 40, 96, 5)]).overlay
    whole = extent(front(rectangle(box(10, 18, 12, 11))).black)
    assert extent(~plane[:400]) == whole
    assert not plane[500].any()
    assert plane.dtype == bool


def test_a_hole_may_be_turned():
    straight = front(background="#000000", overlay_holes=[box(30, 20, 20, 10)]).overlay
    turned = front(background="#000000", overlay_holes=[box(30, 20, 20, 10, 45)]).overlay
    assert abs(int((~turned).sum()) / int((~straight).sum()) - 1) < 0.01
    assert turned[345, 365]
    assert not straight[345, 365]
    assert not turned[260, 365]


def test_without_cover_the_overlay_is_where_elements_varnish_and_holes_stay_free():
    settings = {"overlay": card_design_pb2.OVERLAY_COVER_NONE}
    pattern = rectangle(box(10, 10, 30, 10), "#FFFFFF", layer=OVERLAY)
    plane = front(pattern, **settings).overlay
    assert extent(plane) == extent(front(rectangle(box(10, 10, 30, 10))).black)
    assert not front(rectangle(box(5, 5, 9, 9)), **settings).overlay.any()
    cut = front(pattern, overlay_holes=[box(0, 0, 20, 50)], **settings).overlay
    assert extent(cut)[0] == extent(plane)[0] + 118


def test_a_printer_without_overlay_has_no_plane_for_it():
    assert front(rectangle(box(5, 5, 9, 9)), canvas=MONO).overlay is None


# --- one bit ---------------------------------------------------------------------------------------------------------


def grey(level: int, dither: int, **element) -> np.ndarray:
    fill = f"#{level:02X}{level:02X}{level:02X}"
    plane = front(rectangle(box(10, 10, 27, 27), fill, dither=dither, **element), canvas=MONO).black
    return np.zeros((100, 100), bool) if plane is None else plane[200:300, 200:300]


@pytest.mark.parametrize("level", [0, 40, 128, 200, 255])
@pytest.mark.parametrize("dither", [receipt_pb2.DITHER_ORDERED, receipt_pb2.DITHER_FLOYD_STEINBERG])
def test_a_screen_has_the_share_of_black_that_its_grey_has(level: int, dither: int):
    assert abs(grey(level, dither).mean() - (255 - level) / 255) < 0.03


def test_a_threshold_makes_all_black_or_all_white():
    assert grey(127, receipt_pb2.DITHER_THRESHOLD).all()
    assert not grey(128, receipt_pb2.DITHER_THRESHOLD).any()
    assert grey(127, 0).all()  # the default of shapes


def test_pictures_are_diffused_and_each_element_has_its_own_way():
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))

    def plane(dither: int) -> np.ndarray:
        element = CardElement(box=box(10, 10, 40, 10), picture=CardPicture(data=png(ramp)), dither=dither)
        return front(element, canvas=MONO).black

    diffused = plane(receipt_pb2.DITHER_FLOYD_STEINBERG)
    assert (plane(0) == diffused).all()
    assert not (plane(receipt_pb2.DITHER_ORDERED) == diffused).all()
    hard = plane(receipt_pb2.DITHER_THRESHOLD)
    left, top, right, bottom = extent(hard)
    assert hard.sum() == (right - left) * (bottom - top)


def test_on_a_black_ribbon_later_elements_hide_earlier_ones_too():
    planes = front(rectangle(box(5, 5, 20, 20), "#102030"), rectangle(box(10, 10, 5, 5), "#FFEE00"), canvas=MONO)
    assert planes.rgb is None
    assert not planes.black[150, 150]
    assert planes.black[80, 80]


def test_on_a_black_ribbon_black_shines_through_a_faint_picture():
    photo = CardPicture(data=png(np.full((8, 8, 3), 128, np.uint8)), opacity=0.3)
    whole = CardElement(box=box(0, 0, 60, 40), picture=photo)
    below = front(rectangle(box(5, 5, 20, 20)), canvas=MONO).black
    plane = front(rectangle(box(5, 5, 20, 20)), whole, canvas=MONO).black
    assert plane[below].all()
    assert 0.1 < plane[300:400, 400:600].mean() < 0.2  # 0.3 of half black


def test_a_gradient_with_a_smooth_edge_leaves_no_white_dots_around_it():
    shape = {"form": card_design_pb2.SHAPE_FORM_ELLIPSE, "fill_to": "#101010"}
    planes = front(rectangle(box(0, 0, 80, 50)), rectangle(box(10, 10, 30, 30), "#000000", shape=shape), canvas=MONO)
    assert planes.black.sum() == front(rectangle(box(0, 0, 80, 50)), canvas=MONO).black.sum()


def test_a_background_becomes_an_even_screen():
    plane = front(background="#C0C0C0", canvas=MONO).black
    assert abs(plane.mean() - (255 - 0xC0) / 255) < 0.02


# --- sides, fields, preview ------------------------------------------------------------------------------------------


def test_a_side_without_anything_is_left_out():
    image = render(CardArtwork(design=CardDesign(back=CardSide(background="#FF0000"))), YMCKO)
    assert image.front is None
    assert (image.back.rgb == (255, 0, 0)).all()


def test_only_with_leaves_an_element_out():
    design = CardDesign(
        fields=[CardField(name="note", optional=True)],
        front=CardSide(elements=[rectangle(box(5, 5, 9, 9), only_with="note")]),
    )
    artwork = CardArtwork(design=design)
    assert render(artwork, YMCKO).front.black is None
    assert render(artwork, YMCKO, samples=True).front.black is not None
    artwork.data["note"].text = "x"
    assert render(artwork, YMCKO).front.black is not None


def test_the_preview_is_the_card_with_round_corners():
    planes = front(rectangle(box(10, 10, 10, 10)), background="#00FF00")
    image = Image.open(io.BytesIO(preview_png(planes, YMCKO)))
    assert image.size == (1011, 638)
    pixels = np.asarray(image)
    for corner in (pixels[0, 0], pixels[0, -1], pixels[-1, 0], pixels[-1, -1]):
        assert corner[3] == 0
    assert tuple(pixels[0, 500]) == (0, 255, 0, 255)
    assert tuple(pixels[180, 180]) == (0, 0, 0, 255)


def test_a_canvas_that_is_smaller_than_the_card_leaves_its_edge_white():
    canvas = Canvas(width=1006, height=630)
    pixels = np.asarray(Image.open(io.BytesIO(preview_png(front(background="#FF0000", canvas=canvas), canvas))))
    assert tuple(pixels[300, 0]) == (255, 255, 255, 255)
    assert tuple(pixels[300, 500]) == (255, 0, 0, 255)
