"""What the pad's frames mean."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from countertop.sdk import PenSample, ProtocolFault
from countertop.sdk.signing import ButtonPress
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_CLEAR
from hypothesis import given
from hypothesis import strategies as st

from acme.framing import Frame
from acme.protocol import Events, Identity, StatusBit, parse_identity, parse_status


def pen(count: int, x: int = 0, y: int = 0, pressure: int = 0, *, touches: bool = True) -> Frame:
    return Frame(0, "P", struct.pack(">HBHHH", count & 0xFFFF, touches, x, y, pressure))


@given(st.integers(0, 4799), st.integers(0, 1919), st.integers(0, 1023), st.booleans())
def test_a_sample_is_told_as_the_pad_measured_it(x: int, y: int, pressure: int, touches: bool) -> None:
    sample = Events().take(pen(1, x, y, pressure, touches=touches))
    assert sample == PenSample(x, y, touches, pressure, sequence=1)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=200))
def test_samples_are_counted_on_when_the_pads_own_count_wraps(steps: list[int]) -> None:
    events, count = Events(), 0
    for step in steps:
        count += step
        sample = events.take(pen(count))
        assert isinstance(sample, PenSample)
        assert sample.sequence == count


def test_a_key_is_a_button() -> None:
    assert Events().take(Frame(0, "K", b"\x02")) == ButtonPress(PAD_BUTTON_CLEAR)


@given(st.builds(Frame, st.just(0), st.sampled_from("PKZ"), st.binary(max_size=20)))
def test_any_frame_is_an_event_or_a_fault(frame: Frame) -> None:
    with suppress(ProtocolFault):
        assert isinstance(Events().take(frame), PenSample | ButtonPress)


@given(st.binary(max_size=40))
def test_answers_of_any_bytes_are_understood_or_refused(payload: bytes) -> None:
    with suppress(ProtocolFault):
        assert isinstance(parse_identity(payload), Identity)
    with suppress(ProtocolFault):
        assert isinstance(parse_status(payload), StatusBit)


def test_an_identity_has_three_fields() -> None:
    assert parse_identity(b"AP-1;AP100001;1.0").serial == "AP100001"
    with pytest.raises(ProtocolFault, match="2 fields"):
        parse_identity(b"AP-1;AP100001")
