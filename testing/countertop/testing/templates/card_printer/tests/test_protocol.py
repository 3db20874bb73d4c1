"""What the printer's frames mean, and what becomes of planes on their way to the head."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from countertop.sdk import ProtocolFault
from countertop.sdk.cards import CardImage, Planes
from countertop.v1 import card_pb2, card_printer_pb2, error_pb2
from hypothesis import given
from hypothesis import strategies as st

from acme.emulator.panels import HEIGHT, WIDTH, PanelMemory
from acme.panels import PART, panel_commands
from acme.protocol import Identity, Status, StatusBit, parse_identity, parse_track
from acme.sight import to_sight


def loaded(image: CardImage, ribbon: str) -> PanelMemory:
    """The device's memory after an image was sent to it."""
    memory = PanelMemory()
    for payload in panel_commands(image, ribbon):
        assert len(payload) <= PART + 3
        assert memory.take(payload[0], chr(payload[1]), payload[3:], last=bool(payload[2]))
    return memory


def test_what_is_drawn_arrives_dot_by_dot() -> None:
    noise = np.random.default_rng(1)
    rgb = noise.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    black = noise.integers(0, 2, (HEIGHT, WIDTH)).astype(bool)
    memory = loaded(CardImage(Planes(rgb, black, None, None), Planes(None, black, black, None)), "YMCKO")
    assert set(memory.whole) == {(0, "C"), (0, "M"), (0, "Y"), (0, "K"), (1, "K"), (1, "O")}
    assert np.array_equal(255 - memory.whole[0, "M"], rgb[..., 1])
    assert np.array_equal(memory.whole[1, "O"], black)


def test_a_ribbon_without_colour_gets_none() -> None:
    rgb, black = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.ones((HEIGHT, WIDTH), bool)
    assert set(loaded(CardImage(Planes(rgb, black, None, None), None), "K").whole) == {(0, "K")}


@given(st.integers(0, 3), st.sampled_from("CMYKOZ"), st.binary(max_size=100), st.booleans())
def test_the_device_takes_any_panel(side: int, letter: str, data: bytes, last: bool) -> None:
    memory = PanelMemory()
    memory.take(side, letter, data, last=last)
    assert memory.whole == {}  # none of these is a whole one


@given(st.binary(max_size=40))
def test_answers_of_any_bytes_are_understood_or_refused(payload: bytes) -> None:
    with suppress(ProtocolFault):
        assert isinstance(Status.parse(payload), Status)
    with suppress(ProtocolFault):
        assert isinstance(parse_identity(payload), Identity)
    with suppress(ProtocolFault):
        assert isinstance(parse_track(payload)[1], str)


def test_a_track_is_told_and_a_damaged_answer_tells_nothing_of_it() -> None:
    assert parse_track(b"\x01622700") == (card_printer_pb2.TRACK_STATE_READ, "622700")
    assert parse_track(b"\x00") == (card_printer_pb2.TRACK_STATE_BLANK, "")
    with pytest.raises(ProtocolFault) as raised:
        parse_track(b"\x09622700")
    assert "622700" not in str(raised.value)


def test_what_the_sensors_see_is_told_in_the_words_of_the_contract() -> None:
    bits = StatusBit.COVER_OPEN | StatusBit.CARDS_OUT | StatusBit.BIN_FULL
    sight = to_sight(Status(bits, card_pb2.CARD_PLACE_JAMMED, 7, 3, "YMCKO"))
    assert [item.reason for item in sight.conditions] == [
        error_pb2.REASON_COVER_OPEN,
        error_pb2.REASON_CARD_JAMMED,
        error_pb2.REASON_CARDS_OUT,
        error_pb2.REASON_RETAIN_BIN_FULL,
        error_pb2.REASON_RIBBON_LOW,
    ]
    assert [unit.sensed for unit in sight.units] == [card_pb2.CARD_UNIT_LEVEL_EMPTY, card_pb2.CARD_UNIT_LEVEL_FULL]
    assert sight.fed == 7
