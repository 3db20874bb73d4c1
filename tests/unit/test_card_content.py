"""Codes and pictures on a card: codes that can be read, pictures in their boxes."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import zxingcpp
from PIL import Image

from countertop.sdk.cards.render import render
from countertop.sdk.errors import InvalidRequest
from countertop.v1.card_design_pb2 import (
    CardArtwork,
    CardBox,
    CardCode,
    CardDesign,
    CardElement,
    CardPicture,
    CardSide,
    CardValue,
)
from tests.unit.drawn_cards import (
    CANVAS,
    CONTAIN,
    COVER,
    SECRET,
    STRETCH,
    extent,
    image_of,
    place,
)

# --- codes -----------------------------------------------------------------------------------------------------------


def coded(text: str, box: CardBox | None = None, **settings) -> np.ndarray:
    return image_of(CardElement(box=box or place(10, 5, 60, 40), code=CardCode(text=text, **settings))).front.black


def read(plane: np.ndarray) -> tuple[str, str]:
    (found,) = zxingcpp.read_barcodes(np.where(plane, 0, 255).astype(np.uint8))
    return found.format.name, found.text


@pytest.mark.parametrize(
    ("settings", "text", "name", "says"),
    [
        ({"symbol": 0}, "card:试样 42", "QRCode", "card:试样 42"),
        ({"symbol": 1, "error_correction": 4}, "https://bank.example/activate", "QRCode", None),
        ({"symbol": 2}, "PDF417 42", "PDF417", None),
        ({"symbol": 3}, "Data Matrix 42", "DataMatrix", None),
        ({"barcode": 1}, "9999-0123", "Code128", None),
        ({"barcode": 2}, "690123456789", "EAN13", "6901234567892"),
        ({"barcode": 3}, "9638507", "EAN8", "96385074"),
        ({"barcode": 4}, "CARD-42", "Code39", None),
        ({"barcode": 5}, "01234567", "ITF", None),
    ],
)
@pytest.mark.parametrize("rotation", [0, 90, 180])
def test_what_a_code_says_can_be_read_from_the_black_plane(settings, text, name, says, rotation):
    assert read(coded(text, place(10, 5, 46, 40, rotation), **settings)) == (name, says or text)


def test_modules_are_whole_dots_and_as_large_as_the_box_allows():
    plane = coded("A", place(10, 10, 20, 20), symbol=1)  # 21 modules and 4 on each side
    left, top, right, bottom = extent(plane)
    module = (CANVAS.x(30) - CANVAS.x(10)) // 29
    assert right - left == bottom - top == 21 * module
    matrix = plane[top:bottom, left:right].reshape(21, module, 21, module)
    assert (matrix == matrix[:, :1, :, :1]).all()
    assert abs((left + right) / 2 - (CANVAS.x(10) + CANVAS.x(30)) / 2) <= 1


def test_without_a_quiet_zone_a_code_may_fill_its_box():
    left, _, right, _ = extent(coded("A", place(10, 10, 20, 20), symbol=1, no_quiet_zone=True))
    assert right - left == (CANVAS.x(30) - CANVAS.x(10)) // 21 * 21


def test_a_code_brings_its_white_ground_along():
    element = CardElement(box=place(10, 10, 20, 20), code=CardCode(symbol=1, text="A"))
    side = CardSide(elements=[element], background="#203040")
    planes = render(CardArtwork(design=CardDesign(front=side)), CANVAS).front
    left, top, right, bottom = extent(planes.black)
    assert (planes.rgb[top - 8 : bottom + 8, left - 8 : right + 8] == 255).all()
    element.code.no_quiet_zone = True
    bare = render(
        CardArtwork(design=CardDesign(front=CardSide(elements=[element], background="#203040"))), CANVAS
    ).front
    assert (bare.rgb == (0x20, 0x30, 0x40)).all()


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"barcode": 1}, SECRET),
        ({"barcode": 2}, "6901234567890"),  # another check digit
        ({"barcode": 3}, "12"),
        ({"barcode": 5}, "123"),
        ({"symbol": 3}, "中" * 1000),
    ],
)
def test_what_a_code_cannot_say_is_refused_without_its_words(settings, text):
    with pytest.raises(InvalidRequest) as caught:
        coded(text, **settings)
    assert list(caught.value.violations) == ["artwork.design.front.elements[0].code.text"]
    assert text not in str(caught.value)


def test_a_code_that_is_too_large_is_refused_and_one_of_single_dots_is_warned_about():
    with pytest.raises(InvalidRequest) as caught:
        coded("A", place(10, 10, 2, 2), symbol=1)
    assert "29 by 29 dots" in str(caught.value)
    image = image_of(CardElement(box=place(10, 10, 3, 3), code=CardCode(symbol=1, text="A")))
    assert len(image.warnings) == 1


# --- pictures --------------------------------------------------------------------------------------------------------


def file(image: Image.Image, kind: str = "PNG", **settings) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def halves() -> Image.Image:
    """Twice as wide as high: red, then blue."""
    image = Image.new("RGB", (80, 40), "#FF0000")
    image.paste("#0000FF", (40, 0, 80, 40))
    return image


def pictured(data: bytes, box: CardBox | None = None, **settings) -> np.ndarray:
    """The colour plane."""
    return image_of(CardElement(box=box or place(10, 10, 20, 20), picture=CardPicture(data=data, **settings))).front.rgb


def printed(rgb: np.ndarray) -> tuple[int, int, int, int]:
    return extent((rgb != 255).any(2))


BOX = CANVAS.x(10), CANVAS.y(10), CANVAS.x(30), CANVAS.y(30)


def test_a_contained_picture_is_whole_and_in_the_middle():
    left, top, right, bottom = printed(pictured(file(halves()), fit=CONTAIN))
    assert (left, right) == (BOX[0], BOX[2])
    assert abs((bottom - top) - (right - left) / 2) <= 1
    assert abs((top + bottom) - (BOX[1] + BOX[3])) <= 1


def test_a_covering_picture_fills_its_box_and_is_cut_in_the_middle():
    rgb = pictured(file(halves()), fit=COVER)
    assert printed(rgb) == BOX
    middle = (BOX[0] + BOX[2]) // 2
    assert tuple(rgb[150, middle - 20]) == (255, 0, 0)
    assert tuple(rgb[150, middle + 20]) == (0, 0, 255)


def test_a_stretched_picture_fills_its_box():
    assert printed(pictured(file(halves()), fit=STRETCH)) == BOX


def test_a_photo_is_turned_as_its_camera_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # the right side of the file is to be at the bottom
    data = file(halves(), "JPEG", exif=exif, quality=95)
    rgb = pictured(data)
    left, top, right, bottom = printed(rgb)
    assert (bottom - top) > 1.9 * (right - left)
    assert rgb[top + 20, 180, 0] > 200
    assert rgb[bottom - 20, 180, 2] > 200


def test_transparent_parts_show_what_lies_below():
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 40))
    element = CardElement(box=place(10, 10, 20, 20), picture=CardPicture(data=file(image)))
    side = CardSide(elements=[element], background="#00FF00")
    rgb = render(CardArtwork(design=CardDesign(front=side)), CANVAS).front.rgb
    assert tuple(rgb[200, 150]) == (0, 255, 0)
    assert tuple(rgb[200, 340]) == (255, 0, 0)


def test_grey_opacity_and_radius():
    rgb = pictured(file(halves()), gray=True, fit=STRETCH)
    assert (rgb[200, 150] == rgb[200, 150, 0]).all()
    assert abs(int(pictured(file(halves()), opacity=0.5, fit=STRETCH)[200, 150, 1]) - 128) <= 1
    round_one = pictured(file(halves()), radius_mm=10, fit=STRETCH)
    share = (round_one != 255).any(2).sum() / ((BOX[2] - BOX[0]) * (BOX[3] - BOX[1]))
    assert abs(share - np.pi / 4) < 0.02


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_is_read(mode: str):
    made = Image.new("RGB", (20, 20), "#404040")
    image = (
        Image.new("I;16", (20, 20), 0x4040) if mode == "I;16" else made.convert(mode, palette=Image.Palette.ADAPTIVE)
    )
    level = int(pictured(file(image), fit=STRETCH)[200, 200, 0])
    assert level in (0, 255) if mode == "1" else abs(level - 0x40) <= 4


def test_jpeg_and_bmp_are_read():
    for kind in ("JPEG", "BMP"):
        assert printed(pictured(file(halves(), kind), fit=STRETCH)) == BOX


def huge_png(width: int, height: int) -> bytes:
    """The beginning of a file that claims a size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    begin = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return begin + struct.pack(">I", 4) + b"IDAT" + bytes(4)


@pytest.mark.parametrize(
    "data",
    [
        b"no picture",
        file(halves())[:60],
        file(halves(), "JPEG")[:200],
        file(Image.new("RGB", (4, 4)), "GIF"),
        huge_png(4001, 4000),
        huge_png(60_000, 60_000),
        huge_png(0, 5),
    ],
)
def test_what_is_no_picture_or_too_large_is_refused(data: bytes):
    with pytest.raises(InvalidRequest) as caught:
        pictured(data)
    assert list(caught.value.violations) == ["artwork.design.front.elements[0].picture.data"]


def test_the_size_of_a_picture_is_looked_at_before_it_is_decoded():
    with pytest.raises(InvalidRequest) as caught:
        pictured(huge_png(4001, 4000))
    assert "at most 16 megapixels, got 4001 by 4000" in str(caught.value)


def test_a_picture_of_a_field_is_named_by_its_field():
    element = CardElement(box=place(10, 10, 20, 20), picture=CardPicture(field="photo"))
    with pytest.raises(InvalidRequest) as caught:
        image_of(element, photo=CardValue(picture=b"x"))
    assert list(caught.value.violations) == ["artwork.data[photo]"]
    assert image_of(element).front.rgb is None
    assert printed(image_of(element, samples=True).front.rgb) == BOX
    given = image_of(element, samples=True, photo=CardValue(picture=file(halves()))).front.rgb
    assert tuple(given[200, 150]) == (255, 0, 0)
