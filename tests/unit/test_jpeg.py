"""What is told of a JPEG file without decoding it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk.cameras import frame_size, is_whole


def jpeg(width: int, height: int, *flags: int) -> bytes:
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    data: bytes = cv2.imencode(".jpg", noise, list(flags))[1].tobytes()
    return data


@given(st.integers(1, 300), st.integers(1, 200), st.sampled_from([(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)]))
def test_the_size_is_that_of_the_picture(width: int, height: int, flags: tuple[int, ...]) -> None:
    data = jpeg(width, height, *flags)
    assert frame_size(data) == (width, height)
    assert is_whole(data)


def test_cameras_fill_up_their_packets() -> None:
    assert is_whole(jpeg(64, 48) + b"\0" * 1000)


@given(st.data())
def test_one_that_is_cut_off_is_not_whole(data: st.DataObject) -> None:
    picture = jpeg(64, 48)
    cut = picture[: data.draw(st.integers(0, len(picture) - 1))]
    assert not is_whole(cut) or cut.endswith(b"\xff\xd9"), "only where the cut looks like an end"
    assert frame_size(cut) in (None, (64, 48))


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x04ab\xff"]))
def test_it_is_total_on_garbage(data: bytes, start: bytes) -> None:
    size = frame_size(start + data)
    assert size is None or min(size) > 0
    is_whole(start + data)


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xd9"])
def test_what_says_no_size_has_none(data: bytes) -> None:
    assert frame_size(data) is None
