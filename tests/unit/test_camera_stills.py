"""A picture is whole, or it is refused; how large it is is known before it is decoded."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from countertop.sdk.cameras.stills import (
    MAX_PIXELS,
    check_still,
    decode,
    decode_reference,
    picture_header,
)
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.v1 import error_pb2

EOI = b"\xff\xd9"


def picture(width: int = 320, height: int = 200) -> np.ndarray:
    rng = np.random.default_rng(3)
    return cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), (0, 0), 2)


def jpeg(pixels: np.ndarray | None = None, *options: int) -> bytes:
    return cv2.imencode(".jpg", picture() if pixels is None else pixels, options)[1].tobytes()


def file(image: Image.Image, kind: str, **settings) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


WHOLE = jpeg()
PROGRESSIVE = jpeg(None, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = jpeg(None, cv2.IMWRITE_JPEG_RST_INTERVAL, 4)


def refused(data: bytes) -> str:
    with pytest.raises(CountertopError) as caught:
        check_still(data)
    assert caught.value.reason == error_pb2.REASON_CAMERA_PICTURE_DAMAGED
    return caught.value.message


# --- stills ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [WHOLE, PROGRESSIVE, RESTARTS, jpeg(picture()[..., 0])],
    ids=["plain", "progressive", "restarts", "grey"],
)
def test_a_whole_picture_tells_its_size(data):
    assert check_still(data) == (320, 200)


def test_zeros_behind_the_end_are_a_cameras_way_of_filling_its_buffer():
    assert check_still(WHOLE + bytes(4096)) == (320, 200)


@pytest.mark.parametrize("data", [WHOLE, PROGRESSIVE, RESTARTS], ids=["plain", "progressive", "restarts"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.99])
def test_what_is_cut_off_is_refused_with_an_end_glued_on_too(data, part):
    cut = data[: int(len(data) * part)]
    assert cv2.imdecode(np.frombuffer(cut + EOI, np.uint8), cv2.IMREAD_COLOR) is not None  # others take it
    refused(cut)
    refused(cut + EOI)


@given(st.integers(0, len(WHOLE) - 3))
def test_wherever_it_is_cut_it_is_refused(at):
    refused(WHOLE[:at] + EOI)


@given(st.binary(max_size=400))
@example(b"\xff\xd8\xff\xd9")
def test_garbage_is_refused_and_nothing_else_is_raised(data):
    refused(data)
    refused(b"\xff\xd8" + data + EOI)


@given(st.integers(2, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_damage_is_refused_or_not_to_be_seen(at, noise):
    damaged = WHOLE[:at] + noise + WHOLE[at + len(noise) :]
    reason = error_pb2.REASON_CAMERA_PICTURE_DAMAGED
    try:
        width, height = check_still(damaged)
    except CountertopError as error:
        reason = error.reason
    else:
        assert decode(damaged).shape == (height, width, 3)
    assert reason == error_pb2.REASON_CAMERA_PICTURE_DAMAGED


# --- decoding --------------------------------------------------------------------------------------------------------


def test_a_still_is_decoded_in_colour_or_grey():
    assert decode(WHOLE).shape == (200, 320, 3)
    gray = decode(WHOLE, gray=True)
    assert (gray.shape, gray.dtype) == ((200, 320), np.uint8)
    assert abs(gray.astype(int) - cv2.cvtColor(decode(WHOLE), cv2.COLOR_BGR2GRAY)).max() <= 2


def test_a_cameras_picture_is_not_turned_so_that_its_points_mean_the_files_pixels():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(file(Image.new("RGB", (60, 40)), "JPEG", exif=exif)).shape == (40, 60, 3)


@given(st.binary(max_size=200))
def test_garbage_cannot_be_decoded(data):
    with pytest.raises(CountertopError) as caught:
        decode(b"\xff\xd8" + data)
    assert caught.value.reason == error_pb2.REASON_CAMERA_PICTURE_DAMAGED


# --- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_a_header_tells_the_size(kind):
    data = file(Image.new("RGB", (123, 45)), kind)
    assert picture_header(data[:2000]) == (123, 45)


def test_a_thumbnail_is_not_taken_for_the_picture():
    thumbnail = b"Exif\0\0" + jpeg(picture(16, 16))
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    assert picture_header(WHOLE[:2] + segment + WHOLE[2:]) == (320, 200)


@given(st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8\xff\xc0"]), st.binary(max_size=80))
def test_headers_of_garbage_are_none_or_a_size(start, rest):
    found = picture_header(start + rest)
    assert found is None or all(value >= 0 for value in found)


# --- pictures that clients give --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_given_pictures_are_decoded_in_blue_green_red(kind, mode):
    image = Image.new(mode, (30, 20), (200, 100, 50) if mode == "RGB" else 120)
    pixels = decode_reference(file(image, kind), "reference")
    assert pixels.shape == (20, 30, 3)
    expected = (50, 100, 200) if mode == "RGB" else (120, 120, 120)
    assert abs(pixels.astype(int) - expected).max() <= 3


def test_given_pictures_are_turned_upright():
    image = Image.new("RGB", (60, 40))
    image.paste((255, 255, 255), (0, 0, 60, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter clockwise to be upright: what is above comes to the right
    data = file(image, "JPEG", exif=exif, quality=95)
    pixels = decode_reference(data, "reference")
    assert pixels.shape == (60, 40, 3)
    assert pixels[:, 35:].min() > 200
    assert pixels[:, :25].max() < 60
    assert decode_reference(data, "reference", upright=False).shape == (40, 60, 3)


def test_what_is_transparent_lies_on_white_and_sixteen_bits_become_eight():
    assert (decode_reference(file(Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "PNG"), "r") == 255).all()
    deep = Image.fromarray(np.full((4, 4), 0x80FF, np.uint16))
    assert (decode_reference(file(deep, "PNG"), "r") == 0x80).all()


def bomb(kind: str, width: int, height: int) -> bytes:
    if kind == "PNG":
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunk = b"IHDR" + header
        return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    if kind == "BMP":
        return b"BM" + bytes(12) + struct.pack("<Iii", 40, width, -height) + bytes(28)
    return b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG"])
def test_a_picture_beyond_forty_megapixels_is_refused_by_its_header(kind):
    width = height = int(MAX_PIXELS**0.5) + 1
    with pytest.raises(InvalidRequest) as caught:
        decode_reference(bomb(kind, width, height), "reference.data")
    assert caught.value.violations == {"reference.data": f"expected at most 40 megapixels, got {width} by {height}"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_a_given_picture_that_is_cut_off_is_refused(kind):
    data = file(Image.fromarray(picture()), kind)
    for part in (0.2, 0.6, 0.95):
        cut = data[: int(len(data) * part)]
        for ending in (b"", EOI if kind == "JPEG" else b""):
            with pytest.raises(InvalidRequest) as caught:
                decode_reference(cut + ending, "reference.data")
            assert list(caught.value.violations) == ["reference.data"]


@given(st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", bomb("PNG", 9, 9), b"BM", bomb("BMP", 9, 9)]),
       st.binary(max_size=300))  # fmt: skip
def test_garbage_from_a_client_is_an_invalid_request(start, rest):
    named = {"reference": ""}
    try:
        assert decode_reference(start + rest, "reference").ndim == 3
    except InvalidRequest as error:
        named = error.violations
    assert list(named) == ["reference"]
