"""Frames between the daemon and a driver's process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk import CountertopError, DeviceFault, InvalidRequest, LinkFault, NoAnswer
from countertop.server.isolation.frames import MAX_FRAME, BadFrame, Frame, FrameDecoder
from countertop.server.isolation.translate import error_from, error_to, message_from, message_type
from countertop.v1 import error_pb2, receipt_printer_pb2

FRAMES = st.lists(
    st.builds(
        Frame,
        st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9) | st.none(), max_size=4),
        st.binary(max_size=50),
    ),
    max_size=5,
)


@given(FRAMES, st.lists(st.integers(0, 400), max_size=8))
def test_any_split_gives_the_same_frames(frames, cuts):
    data = b"".join(frame.to_bytes() for frame in frames)
    decoder, found, at = FrameDecoder(), [], 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        found += decoder.feed(data[at:cut])
        at = cut
    assert found == frames


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_waited_for(data):
    decoder = FrameDecoder()
    try:
        for frame in decoder.feed(data):
            assert isinstance(frame.header, dict)
    except BadFrame:
        return
    assert len(decoder._buffer) <= len(data)


def test_a_frame_that_would_fill_the_memory_is_refused_at_its_first_bytes():
    with pytest.raises(BadFrame, match="at most"):
        FrameDecoder().feed((MAX_FRAME + 1).to_bytes(4, "big") + bytes(4))
    with pytest.raises(BadFrame, match="at most"):
        Frame({}, bytes(MAX_FRAME)).to_bytes()


ERRORS = [
    CountertopError(error_pb2.REASON_NOT_SUPPORTED, "No."),
    InvalidRequest({"a.b": "expected c"}),
    DeviceFault(error_pb2.REASON_PAPER_OUT, "Out.", step="s", expected="e", got="g", action="a", effect=2),
    LinkFault(error_pb2.REASON_LINK_LOST, step="s"),
    NoAnswer("ask", 1.5),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_as_it_was(error):
    back = error_from(error_to(error), "print")
    assert type(back) is type(error)
    assert vars(back) == vars(error)
    assert str(back) == str(error)


def test_of_a_foreign_error_only_type_and_place_are_told():
    with pytest.raises(KeyError) as caught:
        {}["a name of a customer"]
    data = error_to(caught.value)
    back = error_from(data, "print")
    assert back.reason == error_pb2.REASON_DRIVER_FAILED
    assert "KeyError" in back.message
    assert "test_isolation_frames.py" in back.message
    assert "customer" not in repr(data)


def test_messages_come_back_and_other_modules_are_not_imported():
    result = receipt_printer_pb2.PrintResult(blocks=3)
    assert message_from(message_type(result), result.SerializeToString()) == result
    with pytest.raises(ValueError, match="module"):
        message_from({"module": "os", "type": "x"}, b"")


def test_a_frame_of_eight_mebibytes_is_the_longest():
    whole = Frame({}, bytes((8 << 20) - 2)).to_bytes()
    (found,) = FrameDecoder().feed(whole)
    assert len(found.blob) == (8 << 20) - 2
    with pytest.raises(BadFrame, match="at most 8388608 bytes, got 8388609"):
        Frame({}, bytes((8 << 20) - 1)).to_bytes()
    with pytest.raises(BadFrame, match="at most 8388608 bytes, got 8388609"):
        FrameDecoder().feed(((8 << 20) + 1).to_bytes(4, "big") + bytes(4))


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"{", "expected JSON as a header, got 1 other bytes"),
        (b"\xff\xff", "expected JSON as a header, got 2 other bytes"),
        (b"[" * 100_000, "expected JSON as a header, got 100000 other bytes"),
        (b"[]", "expected an object as a header, got list"),
    ],
)
def test_a_header_that_is_no_json_object_is_a_bad_frame(header, told):
    length = len(header).to_bytes(4, "big")
    with pytest.raises(BadFrame, match=told):
        FrameDecoder().feed(length + length + header)


def test_a_header_longer_than_its_frame_is_a_bad_frame():
    with pytest.raises(BadFrame, match="expected a header within its frame of 2 bytes, got 3"):
        FrameDecoder().feed((2).to_bytes(4, "big") + (3).to_bytes(4, "big"))
