"""The driver's frames and the device's, each alone and against the other."""

from __future__ import annotations

import string
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acme.emulator.wire import Command, CommandReader, pack
from acme.framing import Frame, FrameDecoder, encode
from acme.masking import FrameMasker

LONGEST = 64
frames = st.builds(
    Frame,
    number=st.integers(0, 255),
    letter=st.sampled_from(string.ascii_uppercase),
    payload=st.binary(max_size=LONGEST),
)
quiet = st.binary(max_size=20).map(lambda data: data.replace(b"\x02", b"\x03"))
"""Garbage in which no frame seems to begin."""


@st.composite
def splits(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes in pieces."""
    cuts = draw(st.lists(st.integers(0, len(data)), max_size=8))
    return [data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)])]


def test_a_frame_as_it_stands_on_the_wire() -> None:
    """`S` as command 7: its CRC was counted by hand, bit by bit."""
    assert encode(Frame(7, "S")).hex(" ") == "02 00 00 00 07 53 f3 01"


@given(st.data(), st.lists(st.tuples(quiet, frames), max_size=5))
def test_frames_are_found_in_any_split_and_between_garbage(
    data: st.DataObject, stream: list[tuple[bytes, Frame]]
) -> None:
    decoder = FrameDecoder(LONGEST)
    whole = b"".join(garbage + encode(frame) for garbage, frame in stream)
    found = [frame for piece in data.draw(splits(whole)) for frame in decoder.feed(piece)]
    assert found == [frame for _, frame in stream]
    assert decoder.dropped == sum(len(garbage) for garbage, _ in stream)


@given(st.data(), st.binary(max_size=400))
def test_any_bytes_give_the_same_in_any_split_and_in_bounded_memory(data: st.DataObject, stream: bytes) -> None:
    whole, pieces = FrameDecoder(LONGEST), FrameDecoder(LONGEST)
    expected = whole.feed(stream)
    found = []
    for piece in data.draw(splits(stream)):
        found += pieces.feed(piece)
        assert pieces.pending < LONGEST + 8
    assert (found, pieces.dropped, pieces.pending) == (expected, whole.dropped, whole.pending)


@given(frames, st.integers(0, 10**6))
def test_a_bit_that_flips_costs_the_frame_and_is_never_taken_for_another(frame: Frame, place: int) -> None:
    damaged = bytearray(encode(frame))
    damaged[place // 8 % len(damaged)] ^= 1 << place % 8
    assert FrameDecoder(LONGEST).feed(bytes(damaged)) == []


@given(frames)
def test_the_device_understands_the_driver_and_the_other_way_round(frame: Frame) -> None:
    assert CommandReader().feed(encode(frame)) == [Command(frame.number, frame.letter, frame.payload)]
    assert FrameDecoder(LONGEST).feed(pack(frame.number, frame.letter, frame.payload)) == [frame]


@given(st.data(), st.binary(max_size=400))
def test_the_device_takes_any_bytes(data: st.DataObject, stream: bytes) -> None:
    reader, expected = CommandReader(), CommandReader().feed(stream)
    assert [command for piece in data.draw(splits(stream)) for command in reader.feed(piece)] == expected


@given(st.data(), st.lists(frames, max_size=4), st.binary(max_size=20))
def test_masked_traffic_is_as_long_and_says_nothing_of_a_person(
    data: st.DataObject, stream: list[Frame], end: bytes
) -> None:
    masker = FrameMasker(LONGEST, received="P")
    whole = b"".join(map(encode, stream)) + end
    kept = b"".join(masker.received(piece) for piece in data.draw(splits(whole))) + masker.end()[1]
    assert len(kept) == len(whole)
    for before, after in zip(stream, FrameDecoder(LONGEST).feed(kept), strict=False):
        blank = bytes(len(before.payload))
        assert after == Frame(before.number, before.letter, blank if before.letter == "P" else before.payload)


def test_letters_are_ascii() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode(Frame(1, "é"))
