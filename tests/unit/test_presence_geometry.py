"""Boxes, groups of boxes, anchors, cuts around faces: arithmetic without a model."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.analysis.detectors import short_range_anchors
from countertop.analysis.geometry import Box, Face, suppress
from countertop.analysis.liveness import around, jittered
from countertop.analysis.manifest import InputSpec
from countertop.analysis.pictures import MAX_PIXELS, cut, decode_frame, decode_photo, shrunk, to_jpeg
from countertop.analysis.recogniser import chip_of
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.v1 import error_pb2

numbers = st.floats(-2000, 4000)
sides = st.floats(0.5, 3000)
boxes = st.builds(Box, numbers, numbers, sides, sides)


def face(box: Box, score: float = 0.9, roll: float = 0.0) -> Face:
    """An upright face in a box, or one that is tilted about its middle."""
    x, y = box.centre
    turn = math.radians(roll)

    def at(right: float, down: float) -> tuple[float, float]:
        right, down = right * box.width, down * box.height
        return (
            x + right * math.cos(turn) - down * math.sin(turn),
            y + right * math.sin(turn) + down * math.cos(turn),
        )

    return Face(box, at(-0.2, -0.1), at(0.2, -0.1), at(0, 0.08), at(0, 0.25), score)


@given(boxes, boxes)
def test_overlap_is_a_share_and_the_same_both_ways(one: Box, other: Box) -> None:
    assert 0 <= one.overlap(other) <= 1 + 1e-9
    assert one.overlap(other) == pytest.approx(other.overlap(one))
    assert one.overlap(one) == pytest.approx(1)


@given(st.lists(st.tuples(boxes, st.floats(0, 1)), max_size=25))
def test_of_each_group_the_best_is_kept(found: list[tuple[Box, float]]) -> None:
    faces = [face(box, score) for box, score in found]
    kept = suppress(faces, 0.3)
    assert [one.score for one in kept] == sorted((one.score for one in kept), reverse=True)
    for index, one in enumerate(kept):
        assert all(one.box.overlap(other.box) <= 0.3 for other in kept[:index])
    for one in faces:
        assert any(one is other or (one.box.overlap(other.box) > 0.3 and other.score >= one.score) for other in kept)


def test_there_are_896_anchors_in_the_middle_of_their_cells() -> None:
    anchors = short_range_anchors()
    assert len(anchors) == 896
    assert anchors[:3] == ((1 / 32, 1 / 32), (1 / 32, 1 / 32), (3 / 32, 1 / 32))
    assert anchors[512:519] == ((1 / 16, 1 / 16),) * 6 + ((3 / 16, 1 / 16),)
    assert anchors[-1] == (15 / 16, 15 / 16)


@given(boxes, st.floats(0, 0.2))
def test_jitter_keeps_the_box_and_moves_the_others_a_little(box: Box, jitter: float) -> None:
    first, *others = jittered(box, jitter)
    assert (first.x, first.y, first.width) == pytest.approx((box.x, box.y, box.width))
    for other in others:
        assert abs(other.width / box.width - 1) <= jitter + 1e-6
        assert math.dist(other.centre, box.centre) <= jitter * math.hypot(box.width, box.height) + 1e-3


@given(boxes, st.integers(1, 60), st.integers(1, 60), st.sampled_from([1.0, 2.7, 4.0]))
def test_a_view_of_any_box_has_the_models_size(box: Box, height: int, width: int, crop: float) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    assert around(picture, box, InputSpec(80, 80, "BGR", crop=crop)).shape == (80, 80, 3)


def test_a_view_is_moved_into_the_picture_and_keeps_its_size() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    picture[:200, :200] = 255
    # 4 x 50 pixels about (10, 10) would begin at -90: it shows the white corner instead
    assert around(picture, Box(-15, -15, 50, 50), InputSpec(80, 80, "BGR", crop=4.0)).mean() > 250
    # four times 200 pixels is more than there is: the whole picture
    assert around(picture, Box(100, 100, 200, 200), InputSpec(80, 80, "BGR", crop=4.0)).mean() == pytest.approx(
        64, abs=1
    )


@given(boxes, st.integers(1, 50), st.integers(1, 50))
def test_what_is_cut_lies_in_the_picture(box: Box, height: int, width: int) -> None:
    part = cut(np.zeros((height, width, 3), np.uint8), box)
    assert part is None or (0 < part.shape[0] <= height and 0 < part.shape[1] <= width)


@given(st.integers(1, 700), st.integers(1, 700), st.integers(1, 400))
def test_shrinking_keeps_the_aspect_and_never_enlarges(height: int, width: int, longest: int) -> None:
    small, factor = shrunk(np.zeros((height, width, 3), np.uint8), longest)
    assert max(small.shape[:2]) <= max(longest, 1) or factor == 1.0
    assert factor <= 1
    assert small.shape[0] == max(1, round(height * factor))
    assert small.shape[1] == max(1, round(width * factor))


@pytest.mark.parametrize("roll", [-30.0, 0.0, 25.0])
def test_a_chip_shows_the_face_upright(roll: float) -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    tilted = face(Box(120, 120, 160, 160), roll=roll)
    assert tilted.roll == pytest.approx(roll)
    for channel, (x, y) in enumerate((tilted.left_eye, tilted.right_eye, tilted.mouth)):
        picture[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4, channel] = 255
    chip = chip_of(picture, tilted, 150)

    def where(channel: int) -> tuple[float, float]:
        rows, columns = np.nonzero(chip[:, :, channel] > 127)
        return float(columns.mean()), float(rows.mean())

    left, right, mouth = where(0), where(1), where(2)
    assert left[1] == pytest.approx(right[1], abs=2)
    assert left[0] < 75 < right[0]
    assert (left[0] + right[0] + mouth[0]) / 3 == pytest.approx(75, abs=2)
    assert (left[1] + right[1] + mouth[1]) / 3 == pytest.approx(0.43 * 150, abs=2)
    assert math.dist(left, mouth) == pytest.approx(0.45 * 150, abs=2.5)


# --- files ------------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_anything_is_a_picture_or_a_stated_fault(data: bytes) -> None:
    for start in (b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"):
        with pytest.raises(CountertopError) as caught:
            decode_frame(start + data)
        assert caught.value.reason == error_pb2.REASON_CAMERA_PICTURE_DAMAGED
        with pytest.raises(InvalidRequest):
            decode_photo(start + data)


@given(st.integers(1, 400))
def test_a_frame_that_is_cut_off_is_damaged(missing: int) -> None:
    rng = np.random.default_rng(1)
    whole = to_jpeg(rng.integers(0, 255, (40, 40, 3)).astype(np.uint8), 90)
    assert decode_frame(whole).shape == (40, 40, 3)
    with pytest.raises(CountertopError):
        decode_frame(whole[:-missing])


def test_a_photo_that_says_it_is_huge_is_refused_before_it_is_decoded() -> None:
    side = math.isqrt(MAX_PIXELS) + 1
    png = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + side.to_bytes(4, "big") * 2 + bytes(20)
    with pytest.raises(InvalidRequest, match="at most"):
        decode_photo(png)
