"""The parser of MJPEG streams: any split, any boundary, any garbage."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.opencv import multipart
from countertop.drivers.opencv.multipart import MjpegParser

BOUNDARY = "frame"
PICTURES = st.lists(st.binary(max_size=300).filter(lambda data: b"frame" not in data), max_size=6)
HEADER = "multipart/x-mixed-replace; boundary="


def part(picture: bytes, *, boundary: bytes = b"--frame", counted: bool = True, kind: bytes = b"image/jpeg") -> bytes:
    length = b"Content-Length: %d\r\n" % len(picture) if counted else b""
    return boundary + b"\r\nContent-Type: " + kind + b"\r\n" + length + b"\r\n" + picture + b"\r\n"


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(at % (len(data) + 1) for at in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


def fed(parser: MjpegParser, pieces: list[bytes]) -> list[bytes]:
    return [picture for piece in pieces for picture in parser.feed(piece)]


@given(PICTURES, st.lists(st.integers(0, 10_000), max_size=12), st.booleans())
def test_any_split_gives_the_same_pictures(pictures: list[bytes], cuts: list[int], counted: bool) -> None:
    stream = b"".join(part(picture, counted=counted) for picture in pictures) + b"--frame--\r\n"
    assert fed(MjpegParser(HEADER + BOUNDARY), cut(stream, cuts)) == pictures


@pytest.mark.parametrize("announced", ["frame", "--frame", '"frame"', '"--frame"', "----frame"])
@pytest.mark.parametrize("written", [b"--frame", b"----frame", b"frame"])
@pytest.mark.parametrize("counted", [True, False])
def test_cameras_write_boundaries_as_they_like(announced: str, written: bytes, counted: bool) -> None:
    pictures = [b"\xff\xd8one\xff\xd9", b"\xff\xd8two\r\n\r\n--\xff\xd9", b"\xff\xd8three\xff\xd9"]
    stream = b"".join(part(picture, boundary=written, counted=counted) for picture in pictures) + written
    assert MjpegParser(HEADER + announced).feed(stream) == pictures


def test_newlines_without_carriage_returns_are_headers_too() -> None:
    stream = b"--frame\nContent-Type: image/jpeg\nContent-Length: 3\n\nabc\n--frame\n"
    assert MjpegParser(HEADER + BOUNDARY).feed(stream) == [b"abc"]


def test_garbage_between_the_parts_is_skipped_and_counted() -> None:
    parser = MjpegParser(HEADER + BOUNDARY)
    assert parser.skipped == 0
    stream = b"\0" * 1000 + part(b"one") + b"\xff" * 500 + part(b"two")
    assert parser.feed(stream) == [b"one", b"two"]
    assert parser.skipped >= 1500


def test_a_part_of_another_type_is_left_out() -> None:
    stream = part(b"{}", kind=b"application/json") + part(b"picture") + part(b"text", kind=b"text/plain; charset=utf-8")
    assert MjpegParser(HEADER + BOUNDARY).feed(stream) == [b"picture"]


def test_a_length_that_is_too_large_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "MAX_PART", 1000)
    stream = b"--frame\r\nContent-Length: 999999999\r\n\r\nabc\r\n" + part(b"next")
    assert MjpegParser(HEADER + BOUNDARY).feed(stream) == [b"next"]


@given(st.lists(st.binary(max_size=400), max_size=30), st.sampled_from(["frame", "", "--", "a"]))
def test_it_is_total_on_garbage(pieces: list[bytes], boundary: str) -> None:
    fed(MjpegParser(HEADER + boundary), pieces)


@pytest.mark.parametrize(
    "head", [b"", b"--frame\r\n\r\n", b"--frame\r\nContent-Length: 99999\r\n\r\n", b"--frame\r\nX: "]
)
def test_its_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    monkeypatch.setattr(multipart, "MAX_PART", 100_000)
    parser = MjpegParser(HEADER + BOUNDARY)
    parser.feed(head)
    tracemalloc.start()
    try:
        for _ in range(200):
            parser.feed(b"x" * 10_000)
        assert tracemalloc.get_traced_memory()[0] < 400_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("written", [b"frame", b"--frame", b"--------frame"])
def test_a_boundary_is_found_wherever_it_is_cut(written: bytes, counted: bool) -> None:
    pictures = [b"\xff\xd8one\xff\xd9" * 5, b"\xff\xd8two\xff\xd9" * 5]
    stream = b"".join(part(picture, boundary=written, counted=counted) for picture in pictures) + written + b"--"
    for place in range(len(stream)):
        assert fed(MjpegParser(HEADER + BOUNDARY), cut(stream, [place])) == pictures


def test_a_picture_of_32_mebibytes_is_the_longest_that_is_waited_for() -> None:
    for length, found in ((32 << 20, []), ((32 << 20) + 1, [b"next"])):
        stream = b"--frame\r\nContent-Length: %d\r\n\r\nabc\r\n" % length + part(b"next")
        assert MjpegParser(HEADER + BOUNDARY).feed(stream) == found


def test_headers_that_do_not_end_are_given_up_and_the_next_picture_is_found_at_once() -> None:
    stream = b"--frame\r\nX: " + b"x" * multipart.MAX_HEAD + b"\r\n" + part(b"next")
    assert MjpegParser(HEADER + BOUNDARY).feed(stream) == [b"next"]


@pytest.mark.parametrize("step", [1, 7, 64, 10_000])
@pytest.mark.parametrize("excess", [0, 1, 500])
def test_a_picture_without_length_is_taken_or_skipped_by_its_size_alone(
    monkeypatch: pytest.MonkeyPatch, step: int, excess: int
) -> None:
    monkeypatch.setattr(multipart, "MAX_PART", 1000)
    picture = b"x" * (1000 + excess)
    stream = part(picture, counted=False) + part(b"next", counted=False) + b"--frame--\r\n"
    parser = MjpegParser(HEADER + BOUNDARY)
    pieces = [stream[at : at + step] for at in range(0, len(stream), step)]
    assert fed(parser, pieces) == ([b"next"] if excess else [picture, b"next"])
