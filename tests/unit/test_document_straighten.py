"""What was projected comes back; in its own size, with its dots per inch, in a file that fits into a message."""

from __future__ import annotations

import hashlib
import io
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from countertop.sdk.cameras.documents import Quad
from countertop.sdk.cameras.documents.files import MAX_BYTES
from countertop.sdk.cameras.documents.straighten import Straightened, straighten
from countertop.sdk.errors import InvalidRequest
from countertop.v1 import camera_pb2
from tests.unit.drawn_documents import document_scene, sheet

A4, CARD, A5 = camera_pb2.DOCUMENT_SIZE_A4, camera_pb2.DOCUMENT_SIZE_ID_1, camera_pb2.DOCUMENT_SIZE_A5
COLOR, GRAY, BITONAL = (
    camera_pb2.DOCUMENT_COLOR_COLOR,
    camera_pb2.DOCUMENT_COLOR_GRAY,
    camera_pb2.DOCUMENT_COLOR_BITONAL,
)
SQUARE = ((100.0, 80.0), (500.0, 80.0), (500.0, 380.0), (100.0, 380.0))


def pixels(made: Straightened) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(made.image.data, np.uint8), cv2.IMREAD_UNCHANGED)


def smooth(width: int, height: int) -> np.ndarray:
    """A picture without anything finer than a few pixels."""
    rng = np.random.default_rng(8)
    cells = rng.integers(0, 256, (max(2, height // 40), max(2, width // 40), 3), dtype=np.uint8)
    return cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)


def projected(art: np.ndarray, corners: list[tuple[float, float]], width: int, height: int) -> np.ndarray:
    """The picture laid into four corners, on black."""
    rows, columns = art.shape[:2]
    source = np.float32(((-0.5, -0.5), (columns - 0.5, -0.5), (columns - 0.5, rows - 0.5), (-0.5, rows - 0.5)))
    matrix = cv2.getPerspectiveTransform(source, np.float32(corners))
    return cv2.warpPerspective(art, matrix, (width, height), flags=cv2.INTER_CUBIC)


def through(homography: tuple[float, ...], point: tuple[float, float]) -> np.ndarray:
    x, y, w = np.array(homography).reshape(3, 3) @ (*point, 1.0)
    return np.array((x / w, y / w))


jitters = st.lists(st.floats(-0.09, 0.09), min_size=8, max_size=8)


@settings(max_examples=25)
@given(jitters, st.floats(-40, 40))
def test_what_was_projected_comes_back(jitter, degrees):
    art = smooth(300, 420)
    turn = np.array(((math.cos(math.radians(degrees)), -math.sin(math.radians(degrees))),
                     (math.sin(math.radians(degrees)), math.cos(math.radians(degrees)))))  # fmt: skip
    local = np.array(((-150, -210), (150, -210), (150, 210), (-150, 210))) + np.array(jitter).reshape(4, 2) * 300
    corners = [tuple(map(float, corner)) for corner in local @ turn.T * 1.3 + (500, 450)]
    quad = Quad((corners[0], corners[1], corners[2], corners[3]))
    made = straighten(projected(art, corners, 1000, 900), quad, stage_dpi=1000)  # too small for any size
    back = cv2.resize(pixels(made), (300, 420), interpolation=cv2.INTER_AREA)[8:-8, 8:-8].astype(int)
    assert abs(back - art[8:-8, 8:-8]).mean() < 6


@settings(max_examples=30)
@given(jitters)
def test_the_homography_takes_the_corners_to_those_of_the_document(jitter):
    corners = [(x + a * 300, y + b * 300) for (x, y), a, b in zip(SQUARE, jitter[::2], jitter[1::2], strict=True)]
    made = straighten(
        np.zeros((480, 640, 3), np.uint8), Quad((corners[0], corners[1], corners[2], corners[3])), size=A5
    )
    right, low = made.image.width - 0.5, made.image.height - 0.5
    for corner, target in zip(corners, ((-0.5, -0.5), (right, -0.5), (right, low), (-0.5, low)), strict=True):
        assert np.allclose(through(made.homography, corner), target, atol=1e-3)


# --- size and dpi ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "standing", "dpi", "expected"),
    [
        (A4, False, 0, (2339, 1654, 200)),
        (A4, True, 0, (1654, 2339, 200)),
        (A4, True, 100, (827, 1169, 100)),
        (A5, True, 0, (1165, 1654, 200)),
        (CARD, False, 0, (1011, 638, 300)),
        (CARD, True, 0, (1011, 638, 300)),
        (CARD, False, 600, (2022, 1275, 600)),
    ],
)
def test_a_known_size_makes_the_pixels(size, standing, dpi, expected):
    quad = Quad.of([(y, x) for x, y in SQUARE] if standing else SQUARE)
    made = straighten(smooth(640, 640), quad, size=size, dpi=dpi)
    assert (made.image.width, made.image.height, made.dpi) == expected
    assert made.size == size
    assert pixels(made).shape == (expected[1], expected[0], 3)


def test_a_card_that_stands_is_laid_down_and_not_mirrored():
    art = np.zeros((540, 856, 3), np.uint8)
    art[:100, :200] = (0, 0, 255)
    art[:100, -200:] = (0, 255, 0)
    standing = cv2.rotate(art, cv2.ROTATE_90_CLOCKWISE)
    canvas = np.zeros((1000, 700, 3), np.uint8)
    canvas[50:906, 60:600] = standing
    made = straighten(canvas, Quad.of(((59.5, 49.5), (599.5, 49.5), (599.5, 905.5), (59.5, 905.5))), size=CARD)
    found = pixels(made)
    red, green = ((found.astype(int) - color).__abs__().sum(2) < 150 for color in ((0, 0, 255), (0, 255, 0)))
    (red_y, red_x), (green_y, green_x) = (np.argwhere(mask).mean(0) for mask in (red, green))
    upright = red_y < 300 and green_y < 300 and red_x < green_x
    upside_down = red_y > 300 and green_y > 300 and red_x > green_x
    assert upright or upside_down


def test_without_a_size_it_is_guessed_or_keeps_its_own_pixels():
    picture, quad = smooth(640, 480), Quad.of(SQUARE)  # 4 : 3
    kept = straighten(picture, quad, dpi=300)
    assert (kept.image.width, kept.image.height, kept.dpi, kept.size) == (400, 300, 0, 0)
    assert straighten(picture, quad, stage_dpi=96.4).dpi == 96
    card = Quad.of(((50.0, 50.0), (478.0, 50.0), (478.0, 319.9), (50.0, 319.9)))
    assert straighten(picture, card).size == CARD
    paper = Quad.of(((50.0, 50.0), (350.0, 50.0), (350.0, 474.3), (50.0, 474.3)))
    assert straighten(picture, paper).size == camera_pb2.DOCUMENT_SIZE_UNSPECIFIED
    assert straighten(picture, paper, stage_dpi=36.3).size == A4
    assert straighten(picture, paper, stage_dpi=51.5).size == A5


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("color", [0, COLOR, GRAY, BITONAL])
def test_the_file_says_its_dpi_and_is_what_it_says(color):
    scene = document_scene(2, "dark")
    image = straighten(scene.picture, Quad.of(scene.corners), size=A4, color=color, dpi=150).image
    opened = Image.open(io.BytesIO(image.data))
    opened.load()
    assert opened.size == (image.width, image.height)
    assert [round(dpi) for dpi in opened.info["dpi"]] == [150, 150]
    assert opened.mode == {0: "RGB", COLOR: "RGB", GRAY: "L", BITONAL: "1"}[color]
    assert image.media_type == ("image/png" if color == BITONAL else "image/jpeg")
    assert image.sha256 == hashlib.sha256(image.data).digest()
    assert len(image.data) <= MAX_BYTES


def test_an_unknown_dpi_is_not_stated():
    image = straighten(smooth(640, 480), Quad.of(SQUARE)).image
    assert image.data[13:18] == b"\0\0\1\0\1"


def test_black_and_white_follows_the_light():
    """Print is the same print in full light and in a shadow that is darker than the print in the light."""
    page = cv2.cvtColor(sheet().astype(np.uint8), cv2.COLOR_BGR2GRAY)
    ramp = np.linspace(1.0, 0.3, page.shape[1])
    shaded = np.repeat((page * ramp)[..., None], 3, axis=2).astype(np.uint8)
    corners = ((-0.5, -0.5), (1074.5, -0.5), (1074.5, 1519.5), (-0.5, 1519.5))
    made = pixels(straighten(shaded, Quad(corners), size=A4, color=BITONAL, dpi=130))
    expected = cv2.resize(page, made.shape[::-1], interpolation=cv2.INTER_AREA) > 160
    same = (made > 0) == expected
    assert same.mean() > 0.985
    assert set(np.unique(made)) == {0, 255}
    assert same[:, -250:].mean() > 0.97


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("color", [COLOR, GRAY, BITONAL])
def test_what_does_not_fit_is_refused_with_the_dpi_to_lower(color):
    corners = ((0.0, 0.0), (2047.0, 0.0), (2047.0, 2895.0), (0.0, 2895.0))
    with pytest.raises(InvalidRequest) as caught:
        straighten(noise(2048, 2896), Quad(corners), size=A4, color=color, dpi=400)
    assert "less than 400" in caught.value.violations["dpi"]
    with pytest.raises(InvalidRequest) as own:
        straighten(noise(2900, 2900), Quad(((0.0, 0.0), (2899.0, 0.0), (2899.0, 2899.0), (0.0, 2899.0))), color=color)
    assert list(own.value.violations) == ["size"]


def test_the_quality_is_lowered_until_it_fits():
    grain = cv2.GaussianBlur(noise(1654, 2339), (0, 0), 1.0)
    corners = ((-0.5, -0.5), (1653.5, -0.5), (1653.5, 2338.5), (-0.5, 2338.5))
    made = straighten(grain, Quad(corners), size=A4, dpi=200)
    best = cv2.imencode(".jpg", grain, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].size
    assert best > MAX_BYTES >= len(made.image.data)


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"dpi": 71}, "dpi"), ({"dpi": 601}, "dpi"), ({"color": 9}, "color"), ({"size": 9}, "size")],
)
def test_values_out_of_range_are_refused(settings, field):
    with pytest.raises(InvalidRequest) as caught:
        straighten(np.zeros((480, 640, 3), np.uint8), Quad.of(SQUARE), **settings)
    assert list(caught.value.violations) == [field]
