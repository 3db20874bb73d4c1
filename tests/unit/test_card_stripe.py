"""Tracks of a magnetic stripe: what may be on them, their bits, and what damage does to them."""

from __future__ import annotations

from contextlib import suppress
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk.cards.stripe import (
    TRACKS,
    StripeError,
    check_stripe,
    from_bits,
    lrc,
    to_bits,
    track_texts,
    with_sentinels,
    without_sentinels,
)
from countertop.sdk.errors import InvalidRequest
from countertop.v1.card_pb2 import StripeData
from countertop.v1.card_printer_pb2 import TRACK_STATE_BLANK, TRACK_STATE_DAMAGED

DIGITS = "11010 10000 01000 11001 00100 10101 01101 11100 00010 10011 00001 11111 10101"
"""`;1234567890?` and its LRC."""
HELLO = "1010001 0001011 1010010 0011010 0011010 1111010 1111100 0001110"
"""`%HELLO?` and its LRC."""


def bits(text: str) -> bytes:
    return bytes(int(character) for character in text if character != " ")


@st.composite
def tracks(draw: st.DrawFn) -> tuple[int, str]:
    track = draw(st.sampled_from([1, 2, 3]))
    data = draw(st.text(TRACKS[track].data, min_size=1, max_size=TRACKS[track].longest_data))
    return track, data


# -- vectors --


def test_track_2_and_3_code_digits_with_five_bits() -> None:
    assert lrc(2, ";1234567890?") == "5"
    assert to_bits(2, "1234567890") == to_bits(3, "1234567890") == bits(DIGITS)
    assert from_bits(2, bits(DIGITS)) == from_bits(3, bits(DIGITS)) == "1234567890"


def test_track_1_codes_letters_with_seven_bits() -> None:
    assert lrc(1, "%HELLO?") == "X"
    assert to_bits(1, "HELLO") == bits(HELLO)
    assert from_bits(1, bits(HELLO)) == "HELLO"


def test_the_tracks_are_those_of_iso_7811() -> None:
    assert {number: (track.bits_per_inch, track.bits, track.longest_data) for number, track in TRACKS.items()} == {
        1: (210, 7, 76),
        2: (75, 5, 37),
        3: (210, 5, 104),
    }
    assert [(track.start, track.separator, track.end) for track in TRACKS.values()] == [
        ("%", "^", "?"),
        (";", "=", "?"),
        (";", "=", "?"),
    ]
    assert len(TRACKS[1].data) == 64 - 2 - 14
    assert TRACKS[2].data == TRACKS[3].data == "0123456789:<=>"


# -- round trips --


@given(tracks(), st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_a_track_reads_back_in_either_direction_with_any_zeros_around_it(
    track_and_data: tuple[int, str], before: int, after: int, backwards: bool
) -> None:
    track, data = track_and_data
    swiped = bytes(before) + to_bits(track, data) + bytes(after)
    assert from_bits(track, swiped[::-1] if backwards else swiped) == data


@given(tracks())
def test_a_head_may_stop_after_the_last_flux_change(track_and_data: tuple[int, str]) -> None:
    track, data = track_and_data
    assert from_bits(track, to_bits(track, data).rstrip(b"\0")) == data


@given(tracks(), st.booleans())
def test_sentinels_go_on_and_off(track_and_data: tuple[int, str], with_lrc: bool) -> None:
    track, data = track_and_data
    text = with_sentinels(track, data)
    assert text == f"{TRACKS[track].start}{data}?"
    assert without_sentinels(track, text + (lrc(track, text) if with_lrc else "")) == data


# -- damage --


@given(tracks(), st.data(), st.integers(0, 12))
def test_one_damaged_bit_never_gives_other_data(
    track_and_data: tuple[int, str], draw: st.DataObject, around: int
) -> None:
    track, data = track_and_data
    damaged = bytearray(bytes(around) + to_bits(track, data) + bytes(around))
    damaged[draw.draw(st.integers(0, len(damaged) - 1))] ^= 1
    with suppress(StripeError):
        assert from_bits(track, damaged) == data


def test_one_damaged_bit_of_any_short_track_never_gives_other_data() -> None:
    for length in (1, 2):
        for characters in product(TRACKS[2].data, repeat=length):
            data = "".join(characters)
            whole = bytes(3) + to_bits(2, data) + bytes(3)
            for place in range(len(whole)):
                damaged = bytearray(whole)
                damaged[place] ^= 1
                with suppress(StripeError):
                    assert from_bits(2, damaged) == data, f"bit {place} of {length} characters"


@pytest.mark.parametrize(
    ("damage", "check", "at"),
    [
        ("11011 10000 11111 00000", "start sentinel", 1),
        ("11010 10001 11111 11010", "parity", 2),
        ("11010 10000 11111 00101", "parity", 4),
        ("11010 10000 11111 10000", "LRC", 4),
        ("11010 10000 01000", "parity", 4),
        ("11010 10000 11010 11111 10101", "start sentinel", 3),
        (f"{DIGITS} 00010", "end", 14),
        ("11010" + "10000" * 50, "end sentinel", 40),
    ],
)
def test_a_damaged_track_says_which_check_failed_and_where(damage: str, check: str, at: int) -> None:
    with pytest.raises(StripeError) as failed:
        from_bits(2, bits(damage))
    assert (failed.value.check, failed.value.at) == (check, at)
    assert failed.value.state == TRACK_STATE_DAMAGED
    assert check in str(failed.value)


@pytest.mark.parametrize("read", [b"", bytes(500)])
def test_zeros_only_are_a_blank_track(read: bytes) -> None:
    with pytest.raises(StripeError, match="track 3 is blank") as blank:
        from_bits(3, read)
    assert blank.value.state == TRACK_STATE_BLANK


@given(st.sampled_from([1, 2, 3]), st.lists(st.booleans(), max_size=700))
def test_any_bits_are_data_of_the_track_or_a_stripe_error(track: int, read: list[bool]) -> None:
    with suppress(StripeError):
        data = from_bits(track, read)
        assert len(data) <= TRACKS[track].longest_data
        assert all(TRACKS[track].knows(character) for character in data)


@given(st.sampled_from([1, 2, 3]), st.text() | st.from_regex(r"[%;][0-9A-Z]*\?.?", fullmatch=True))
def test_any_text_has_data_between_its_sentinels_or_is_a_stripe_error(track: int, text: str) -> None:
    with suppress(StripeError):
        assert f"{TRACKS[track].start}{without_sentinels(track, text)}?" in text


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("123?", "start sentinel"),
        (";123", "end sentinel"),
        (";1A3?", "alphabet"),
        (";;1?", "alphabet"),
        (";12?9", "LRC"),
        (f";{'1' * 38}?", "length"),
    ],
)
def test_sentinels_that_do_not_fit_are_named(text: str, check: str) -> None:
    with pytest.raises(StripeError) as failed:
        without_sentinels(2, text)
    assert failed.value.check == check


@pytest.mark.parametrize(
    ("text", "at"), [("123?", 1), (";123", 4), (";1A3?", 3), (";12?9", 5), (";12?0", 5), (";12?77", 5)]
)
def test_sentinels_that_do_not_fit_have_a_place(text: str, at: int) -> None:
    with pytest.raises(StripeError) as failed:
        without_sentinels(2, text)
    assert failed.value.at == at


def test_an_lrc_that_fits_is_left_out() -> None:
    assert without_sentinels(2, ";12?7") == "12"


# -- requests --


def mistakes(stripe: StripeData, tracks: tuple[int, ...] = (1, 2, 3)) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        check_stripe(stripe, "stripe", tracks)
    return refused.value.violations


def test_a_stripe_that_fits_is_taken() -> None:
    stripe = StripeData(track1="A/B ^0", track2="1" * 37, track3="=" * 104)
    check_stripe(stripe, "stripe", (1, 2, 3))
    assert track_texts(stripe) == {1: "A/B ^0", 2: "1" * 37, 3: "=" * 104}
    check_stripe(StripeData(track2="1"), "stripe", [2])


def test_an_empty_stripe_is_refused() -> None:
    assert mistakes(StripeData()) == {"stripe": "expected data for one track or more"}


def test_every_wrong_track_is_named_with_position_and_expectation() -> None:
    found = mistakes(StripeData(track1="ABc", track2="12?4", track3="1" * 105))
    assert found == {
        "stripe.track1": "expected space, A to Z, 0 to 9 or one of # $ ( ) - . / [ \\ ] ^ as character 3",
        "stripe.track2": "expected 0 to 9 or one of : < = > as character 3",
        "stripe.track3": "expected at most 104 characters, got 105",
    }


@pytest.mark.parametrize("character", "%?!\"&'*+,:;<=>@_`a~\x1fé中")
def test_sentinels_and_characters_that_control_hardware_are_no_data_of_track_1(character: str) -> None:
    assert "as character 2" in mistakes(StripeData(track1=f"A{character}"))["stripe.track1"]


def test_tracks_that_the_device_lacks_are_refused() -> None:
    assert mistakes(StripeData(track1="A", track2="1"), (2, 3)) == {
        "stripe.track1": "expected no data: the device has track 2, 3 only"
    }
    assert mistakes(StripeData(track2="1"), ()) == {
        "stripe.track2": "expected no data: the device has no stripe encoder"
    }


@given(st.text(min_size=1), st.text(min_size=1))
def test_what_is_refused_is_never_told(track1: str, track2: str) -> None:
    told = str(mistakes(StripeData(track1=f"SECRETONE{track1}%", track2=f"7777777{track2}?"), (1, 2)))
    assert "SECRETONE" not in told
    assert "7777777" not in told


@pytest.mark.parametrize("data", ["a", "1" * 38])
def test_bits_are_made_of_data_that_fits_only(data: str) -> None:
    with pytest.raises(ValueError, match="track 2: expected"):
        to_bits(2, data)
    with pytest.raises(ValueError, match="as character 1"):
        lrc(2, "A")


def test_a_damaged_track_tells_its_place_and_a_blank_one_has_none() -> None:
    assert str(StripeError(2, "parity", 3)) == "track 2: the parity does not fit at character 3"
    assert str(StripeError(2, "parity", 0)) == "track 2: the parity does not fit"
    assert str(StripeError(2, "", 0, blank=True)) == "track 2 is blank"


def test_a_track_that_was_read_backwards_tells_of_the_direction_that_has_its_start() -> None:
    whole = bits("11010 10000 11111 10000")
    for read in (whole, whole[::-1]):
        with pytest.raises(StripeError) as failed:
            from_bits(2, read)
        assert (failed.value.check, failed.value.at) == ("LRC", 4)
