"""Four corners are one quad, however they come."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from countertop.sdk.cameras.documents import Quad
from countertop.sdk.cameras.documents.sizes import SIZES_MM, check_size, guess
from countertop.sdk.errors import InvalidRequest
from countertop.v1 import camera_pb2

A4, CARD, A5 = camera_pb2.DOCUMENT_SIZE_A4, camera_pb2.DOCUMENT_SIZE_ID_1, camera_pb2.DOCUMENT_SIZE_A5
SQUARE = ((10.0, 10.0), (110.0, 10.0), (110.0, 110.0), (10.0, 110.0))


def turned(width: float, height: float, degrees: float, x: float = 500, y: float = 400) -> list[tuple[float, float]]:
    """A rectangle's corners, from its upper left one clockwise, turned clockwise about its middle."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    local = ((-width, -height), (width, -height), (width, height), (-width, height))
    return [(x + (a * cos - b * sin) / 2, y + (a * sin + b * cos) / 2) for a, b in local]


@st.composite
def convex(draw) -> list[tuple[float, float]]:
    """Any convex quadrilateral: four points around a circle, stretched, moved about."""
    angles = sorted(draw(st.lists(st.floats(0, 2 * math.pi), min_size=4, max_size=4)))
    gaps = [b - a for a, b in zip(angles, [*angles[1:], angles[0] + 2 * math.pi], strict=True)]
    assume(all(0.1 < gap < math.pi - 0.05 for gap in gaps))
    x, y = draw(st.floats(20, 1000)), draw(st.floats(20, 1000))
    return [(2000 + x * math.cos(angle), 1500 + y * math.sin(angle)) for angle in angles]


@given(convex())
def test_whatever_the_order_of_the_corners_it_is_the_same_quad_and_clockwise(corners):
    quads = {Quad.of(order) for order in permutations(corners)}
    assert len(quads) == 1
    (quad,) = quads
    assert quad.convex
    assert quad.area > 0
    assert sorted(quad.corners) == sorted(corners)
    assert sum(quad.angles) == pytest.approx(360)


@given(st.floats(40, 900), st.floats(40, 900), st.floats(-44.9, 44.9))
def test_the_upper_left_corner_is_the_documents_within_45_degrees_of_upright(width, height, degrees):
    corners = turned(width, height, degrees)
    quad = Quad.of(corners)
    assert np.allclose(quad.corners, corners)
    assert quad.width == pytest.approx(width)
    assert quad.height == pytest.approx(height)
    assert quad.angles == pytest.approx((90, 90, 90, 90))
    assert quad.aspect == pytest.approx(max(width, height) / min(width, height))


@given(convex(), st.integers(2, 5))
def test_scaling_there_and_back_changes_nothing(corners, by):
    quad = Quad.of(corners)
    assert quad.scaled(by, by).scaled(1 / by, 1 / by).distance(quad) < 1e-6
    assert quad.scaled(by, by).width == pytest.approx(by * quad.width)


@pytest.mark.parametrize("degrees", [-80, -45, 0, 30, 89])
def test_what_stands_is_laid_down_without_mirroring_it(degrees):
    standing = Quad.of(turned(100, 160, degrees))
    lying = standing.lying()
    assert lying.width >= lying.height
    assert lying.convex
    assert set(lying.corners) == set(standing.corners)
    assert lying.lying() == lying


@pytest.mark.parametrize(
    "points", [[], SQUARE[:3], [*SQUARE, (0, 0)], [*SQUARE[:3], (math.nan, 1)], [*SQUARE[:3], (math.inf, 1)]]
)
def test_other_than_four_finite_corners_are_no_quad(points):
    with pytest.raises(ValueError, match="four finite"):
        Quad.of(points)


def test_distance_does_not_depend_on_which_corner_comes_first():
    quad = Quad.of(SQUARE)
    assert quad.distance(Quad((quad.corners[2], quad.corners[3], quad.corners[0], quad.corners[1]))) == 0


# --- corners that a person has set -----------------------------------------------------------------------------------


def test_given_corners_keep_their_order():
    upside_down = (*SQUARE[2:], *SQUARE[:2])
    assert Quad.given(upside_down, 200, 200).corners == upside_down


@pytest.mark.parametrize(
    ("points", "field"),
    [
        (SQUARE[:3], "corners"),
        (SQUARE[::-1], "corners"),
        ((SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3]), "corners"),
        ((SQUARE[0], SQUARE[0], SQUARE[2], SQUARE[3]), "corners"),
        ((*SQUARE[:3], (80.0, 40.0)), "corners"),  # dented
        ((*SQUARE[:3], (-50.0, 110.0)), "corners[3]"),
        ((*SQUARE[:3], (math.nan, 110.0)), "corners[3]"),
    ],
)
def test_given_corners_that_are_no_quad_are_refused(points, field):
    with pytest.raises(InvalidRequest) as caught:
        Quad.given(points, 200, 200)
    assert list(caught.value.violations) == [field]


@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=6))
def test_any_given_corners_are_a_convex_quad_or_refused(points):
    convex = True
    try:
        convex = Quad.given(points, 640, 480).convex
    except InvalidRequest as error:
        assert all(name.startswith("corners") for name in error.violations)  # noqa: PT017
    assert convex


# --- which document --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES_MM)
@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("dpi", [90.0, 150.0, 300.0])
def test_with_the_stages_dpi_each_size_is_told(size, upright, dpi):
    long, short = (mm / 25.4 * dpi * 1.01 for mm in SIZES_MM[size])
    quad = Quad.of(turned(*((short, long) if upright else (long, short)), 12, 3000, 3000))
    assert guess(quad, dpi) == size


def test_without_dpi_a_card_is_told_and_the_sizes_of_paper_are_not():
    shapes = {size: Quad.of(turned(500, 500 * short / long, -7)) for size, (long, short) in SIZES_MM.items()}
    assert {size: guess(quad) for size, quad in shapes.items()} == {A4: 0, CARD: CARD, A5: 0}


@pytest.mark.parametrize("aspect", [1.0, 1.3, 1.5, 1.778, 2.2])
@pytest.mark.parametrize("dpi", [0.0, 100.0])
def test_another_shape_is_not_guessed_at(aspect, dpi):
    assert guess(Quad.of(turned(800, 800 / aspect, 3)), dpi) == camera_pb2.DOCUMENT_SIZE_UNSPECIFIED


def test_a_number_that_is_no_size_is_refused():
    assert check_size(A4) == A4
    with pytest.raises(InvalidRequest):
        check_size(17)
