"""Evolis commands, answers and bitmaps as the driver makes and reads them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.drivers.evolis.bitmaps import compress, density, one_bit, packed, panels_of_sides
from countertop.drivers.evolis.models import MODELS, UNKNOWN, model_of
from countertop.drivers.evolis.protocol import MAX_REPLY, ReplyReader, bitmap, command, number, reason_of, volts
from countertop.emulators.evolis.bitmaps import expand_resin, unpack, upright
from countertop.sdk import ProtocolFault
from countertop.v1 import error_pb2

ANSWERS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


def test_a_command_is_esc_name_parameters_cr():
    assert command("Pcim", "F") == b"\x1bPcim;F\r"
    assert command("Dm", 2, "9999=3112") == b"\x1bDm;2;9999=3112\r"
    assert bitmap("Dbc", "k", 2, 3, data=b"\x00\r\x1b") == b"\x1bDbc;k;2;3;\x00\r\x1b\r"


@pytest.mark.parametrize("text", ["a\rb", "a\x1bb", "a\0b", "卡"])
def test_what_would_end_a_command_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected ASCII"):
        command("Dm", 1, text)


@given(answers=st.lists(ANSWERS, max_size=6), data=st.data())
def test_answers_come_out_whole_however_they_are_split(answers: list[str], data: st.DataObject) -> None:
    stream = b"".join(answer.encode() + b"\0" for answer in answers)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = ReplyReader()
    found = [answer for a, b in pairwise([0, *cuts, len(stream)]) for answer in reader.feed(stream[a:b])]
    assert found == answers


@given(pieces=st.lists(st.binary(max_size=300), max_size=10))
def test_any_bytes_are_answers_or_a_fault_and_little_is_kept(pieces: list[bytes]) -> None:
    reader = ReplyReader()
    for piece in pieces:
        try:
            reader.feed(piece)
        except ProtocolFault:
            assert len(piece) <= 300
        assert len(reader._rest) <= MAX_REPLY


def test_an_answer_without_its_end_is_waited_for_until_512_bytes() -> None:
    reader = ReplyReader()
    assert reader.feed(b"x" * 512) == []
    assert reader.feed(b"\0") == ["x" * 512]
    with pytest.raises(ProtocolFault):
        reader.feed(b"x" * 513)
    assert reader.feed(b"OK\0") == ["OK"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("OK", None),
        ("5,00 Volts", None),
        ("FEEDER EMPTY", error_pb2.REASON_CARDS_OUT),
        ("CARD JAM", error_pb2.REASON_CARD_JAMMED),
        ("ERR RIB DETECTION", error_pb2.REASON_RIBBON_OUT),
        ("ERR RIBBON TYPE", error_pb2.REASON_RIBBON_WRONG),
        ("ERR RIBBON", error_pb2.REASON_RIBBON_OUT),
        ("ERROR MAGN CHECKSUM", error_pb2.REASON_STRIPE_WRITE_FAILED),
        ("ERROR CDE", error_pb2.REASON_NOT_SUPPORTED),
        ("ERROR HEAD", error_pb2.REASON_PRINTER_FAULT),
        ("NEED CLEANING", error_pb2.REASON_CLEANING_DUE),
    ],
)
def test_answers_mean_reasons(answer: str, reason: error_pb2.Reason | None) -> None:
    assert reason_of(answer) == reason


def test_numbers_and_volts_are_read_with_comma_and_point():
    assert (number("173"), number("OK"), number("")) == (173, None, None)
    assert (volts("5,00 Volts"), volts("0.17 Volts"), volts("OK")) == (5.0, 0.17, None)


def test_models_are_known_by_name():
    assert model_of("KC200B").exit
    assert model_of("Evolis Primacy").name == "Primacy"
    assert model_of("something new") is UNKNOWN
    assert len({model.name for model in MODELS}) == len(MODELS)


# --- bitmaps: what the driver packs, the emulator's own code unpacks --------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.001, 0.3, 1.0]))
def test_a_black_plane_survives_packing_and_compression(seed: int, share: float) -> None:
    plane = np.random.default_rng(seed).random((648, 1016)) < share
    panel = one_bit(plane)
    assert len(panel) == 82_296
    assert (upright(unpack(panel, 2)) == plane).all()
    small = compress(panel)
    assert (upright(expand_resin(small)) == plane).all()
    assert len(small) <= 82_296 + 1016


@pytest.mark.parametrize(("levels", "size"), [(32, 411_480), (64, 493_776), (128, 576_072)])
def test_a_colour_plane_survives_in_its_levels(levels: int, size: int) -> None:
    plane = np.random.default_rng(7).integers(0, 256, (648, 1016)).astype(np.uint8)
    panel = packed(plane, levels)
    assert len(panel) == size
    back = upright(unpack(panel, levels)).astype(int) * 255 / (levels - 1)
    assert abs(back - plane).max() <= 255 / (levels - 1) / 2 + 0.5


def test_a_blank_plane_is_a_byte_a_line():
    assert compress(one_bit(np.zeros((648, 1016), bool))) == b"\0" * 1016


def test_dyes_are_the_complements_of_colours():
    rgb = np.zeros((648, 1016, 3), np.uint8)
    rgb[...] = (255, 128, 0)
    assert [int(density(rgb, panel)[0, 0]) for panel in "cmy"] == [0, 127, 255]


@pytest.mark.parametrize(
    ("ribbon", "sides"), [("ymcko", ("ymcko", "ymcko")), ("ymckok", ("ymcko", "k")), ("ko", ("ko", "ko"))]
)
def test_a_ribbon_with_two_black_panels_has_one_for_each_side(ribbon: str, sides: tuple[str, str]) -> None:
    assert panels_of_sides(ribbon) == sides
