"""Magicard jobs: planes as an independent decoder sees them, headers, answers."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.magicard.bitmaps import holes, packed
from countertop.drivers.magicard.job import Look, Side, TrackData, encode_only, job, too_many_holes
from countertop.drivers.magicard.protocol import MAX_ANSWER, Answer, AnswerReader, query
from countertop.sdk.errors import ProtocolFault

ENDURO, PRONTO = Look(1016, 642, "KGE2", icc=3), Look(1000, 642, "KGE", icc=1)
HELLO = TrackData(1, 210, 7, "%HELLO?", high=True)
NOW = 0x5362BAB5
GOOD = b"\x01STAPrinterstatus OK.\n00:00\n(c0300)\x03"
NOT_FED = (
    b"\x01STAKarte wurde nicht in den Drucker eingezogen. Versuchen Sie es erneut.\nFehlercode - 11:01\n(c0201)\x03"
)
"""Both captured from a real printer."""


def dot(data: bytes, bits: int, x: int, y: int, *, straight: bool = False) -> int:
    """A dot of a plane by the letter of the reference: head line `y`, 0 to 671."""
    if y < 288:
        word, bit = 6 + (y >> 4), 31 - ((y & 15) << 1)
    else:
        word, bit = (y - 288) >> 4, 30 - (((y - 288) & 15) << 1)
    if straight:
        bit = 31 - bit
    value = 0
    for plane in range(bits):
        at = ((x * bits + plane) * 24 + word) * 4
        value |= (int.from_bytes(data[at : at + 4], "big") >> bit & 1) << plane
    return value


def page(fields: list[str], planes: bytes) -> bytes:
    return b"\x05" * 64 + b"\x01," + ",".join(fields).encode() + b"\x1c" + planes + b"\x03"


def header(data: bytes) -> list[str]:
    """The fields of the first page."""
    return data[64 + 2 : data.index(b"\x1c")].decode().split(",")


# --- planes -----------------------------------------------------------------------------------------------------------


def test_a_plane_has_the_size_that_real_jobs_declare() -> None:
    for look, color, black in ((ENDURO, 585_216, 97_536), (PRONTO, 576_000, 96_000)):
        plane = np.zeros((642, look.width), np.uint8)
        assert len(packed(plane, 6, look.head, 50)) == color
        assert len(packed(plane, 1, look.head, 50)) == black


@pytest.mark.parametrize("head", ["KGE2", "KGE"])
@pytest.mark.parametrize("position", [35, 50, 58, 65])
def test_every_dot_lies_where_an_independent_decoder_looks_for_it(head: str, position: int) -> None:
    plane = np.random.default_rng(position).integers(0, 64, (642, 7), dtype=np.uint8)
    data = packed(plane, 6, head, position)
    for x in range(7):
        column = [dot(data, 6, x, y, straight=head == "KGE") for y in range(672)]
        first = 15 + 50 - position
        lines = column[first : first + 642]
        assert lines[::-1] == plane[:, x].tolist(), "the lowest line comes first"
        assert not any(column[:first] + column[first + 642 :])


@given(st.integers(0, 641), st.integers(0, 15), st.sampled_from(["KGE2", "KGE"]))
def test_one_black_dot_is_one_bit(row: int, x: int, head: str) -> None:
    plane = np.zeros((642, 16), bool)
    plane[row, x] = True
    data = packed(plane, 1, head, 50)
    assert sum(byte.bit_count() for byte in data) == 1
    assert dot(data, 1, x, 15 + 641 - row, straight=head == "KGE") == 1


def test_lines_beside_the_head_are_refused() -> None:
    with pytest.raises(ValueError, match="within the 672 dots"):
        packed(np.zeros((642, 1), bool), 1, "KGE2", 34)


# --- overlay ----------------------------------------------------------------------------------------------------------


def test_holes_are_told_from_the_lower_left_corner() -> None:
    overlay = np.ones((642, 1016), bool)
    assert holes(overlay) == []
    overlay[192:348, 90:261] = False
    overlay[52:222, :50] = False
    assert sorted(holes(overlay)) == [(0, 420, 49, 589), (90, 294, 260, 449)]
    assert holes(np.zeros((642, 1016), bool)) == []


@given(st.lists(st.tuples(st.integers(0, 28), st.integers(0, 18), st.integers(1, 9), st.integers(1, 9)), max_size=4))
def test_holes_cover_just_what_is_free(boxes: list[tuple[int, int, int, int]]) -> None:
    overlay = np.ones((20, 30), bool)
    for left, top, width, height in boxes:
        overlay[top : top + height, left : left + width] = False
    again = np.ones((20, 30), bool)
    for left, low, right, high in holes(overlay):
        again[20 - 1 - high : 20 - low, left : right + 1] = False
    if overlay.any():
        assert (again == overlay).all()


def test_an_overlay_in_many_pieces_cannot_be_said() -> None:
    overlay = np.ones((642, 1016), bool)
    for left in (100, 300, 500):
        overlay[100:200, left : left + 50] = False
    assert too_many_holes(Side(overlay=overlay))
    assert not too_many_holes(Side(overlay=overlay[:, :400]))
    assert not too_many_holes(Side())


# --- jobs -------------------------------------------------------------------------------------------------------------


def test_the_header_has_the_fields_of_a_real_one_in_their_order() -> None:
    rgb = np.full((642, 1016, 3), 255, np.uint8)
    overlay = np.ones((642, 1016), bool)
    data = job(ENDURO, Side(rgb, overlay[:], overlay), None, verify=False, now=NOW, duplex=True)
    expected = (
        "NOC1,VER1.0-,LANENG,TDT5362BAB5,KGE2,DPXOFF,PAG1,IMFBGRK,XCO0,YCO0,WID1016,HGT642,OVRON,NNNOFF,USFOFF,"
        "PCT0,0,1015,641,ICC3,DDD50,SZB585216,SZG585216,SZR585216,SZK97536"
    )
    assert ",".join(header(data)) == expected
    assert data.startswith(b"\x05" * 64 + b"\x01,NOC1,")
    assert data.endswith(b"\x1cK:\x03")


def test_planes_are_yellow_magenta_cyan_black_each_with_its_letter_behind() -> None:
    rgb = np.empty((642, 1016, 3), np.uint8)
    rgb[...] = (255 - 4 * 1, 255 - 4 * 2, 255 - 4 * 3)  # cyan 1, magenta 2, yellow 3 of 63
    black = np.zeros((642, 1016), bool)
    black[0, 5] = True
    data = job(ENDURO, Side(rgb, black), None, verify=False, now=NOW, duplex=True)
    rest = data[data.index(b"\x1c") + 1 :]
    for letter, level in ((b"B", 3), (b"G", 2), (b"R", 1)):
        plane, rest = rest[:585_216], rest[585_216:]
        assert {dot(plane, 6, x, y) for x in (0, 500, 1015) for y in (15, 287, 288, 656)} == {level}
        assert rest[:3] == b"\x1c" + letter + b":"
        rest = rest[3:]
    assert [dot(rest, 1, 5, y) for y in (655, 656, 657)] == [0, 1, 0]
    assert rest[97_536:] == b"\x1cK:\x03"


def test_a_stripe_is_written_with_its_sentinels_and_verified() -> None:
    tracks = [HELLO, TrackData(2, 75, 5, ";12=34?", high=False)]
    fields = header(job(ENDURO, Side(), None, tracks, verify=True, now=NOW, duplex=True))
    assert ",".join(fields[4:15]) == "MGVON,MAG1,BPI210,MPC7,COEH,%HELLO?,MAG2,BPI75,MPC5,COEL,;12=34?"
    assert "MGVON" not in header(job(ENDURO, Side(), None, tracks, verify=False, now=NOW, duplex=True))
    assert "MGVON" not in header(job(ENDURO, Side(), None, verify=True, now=NOW, duplex=True))


@pytest.mark.parametrize("text", ["%A,B?", "%A\x1cB?", "%\u00e9?"])
def test_data_that_would_end_its_field_is_refused_and_not_told(text: str) -> None:
    track = TrackData(1, 210, 7, text, high=True)
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        track.fields()
    assert text not in str(caught.value)
    assert text not in repr(track)


def test_a_card_of_two_sides_is_two_pages() -> None:
    rgb, overlay = np.zeros((642, 1016, 3), np.uint8), np.ones((642, 1016), bool)
    back = Side(black=np.ones((642, 1016), bool), overlay=overlay)
    data = job(ENDURO, Side(rgb), back, [HELLO], verify=True, now=NOW, duplex=True)
    first = len(header(data))
    assert [field for field in header(data) if field[:3] in ("DPX", "BAC", "PAG")] == ["DPXON", "BACKO", "PAG1"]
    second = data[data.index(b"\x03" + b"\x05" * 64, first) + 1 :]
    while second[64:68] != b"\x01,NO":  # dots may look like an end and a leader
        second = second[second.index(b"\x03" + b"\x05" * 64) + 1 :]
    fields = header(second)
    assert fields[:5] == ["NOC1", "KGE2", "DPXON", "PAG2", "IMFK"]
    assert not any(field.startswith(("MAG", "MGV", "%")) for field in fields)


def test_a_stripe_alone_has_no_comma_before_the_end_and_no_planes() -> None:
    data = encode_only(ENDURO, [HELLO], verify=True, now=NOW, counted="NOC0")
    text = "NOC0 BBB1 VER1.0- LANENG TDT5362BAB5 MGVON MAG1 BPI210 MPC7 COEH %HELLO? KGE2"
    assert data == page(text.split(), b"")
    assert header(encode_only(ENDURO, [HELLO], verify=True, now=NOW, counted="NOC1"))[:2] == ["NOC1", "VER1.0-"]


# --- answers ----------------------------------------------------------------------------------------------------------


def answers(*pieces: bytes) -> list[Answer]:
    reader = AnswerReader()
    return [answer for piece in pieces for answer in reader.feed(piece)]


def test_a_query_is_as_captured() -> None:
    assert query("ERR") == b"\x01,REQ,ERR,\x1c\x03"


@given(st.lists(st.integers(0, len(GOOD + NOT_FED)), max_size=6))
def test_captured_answers_are_read_whatever_the_split(cuts: list[int]) -> None:
    whole = GOOD + NOT_FED
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges)]
    assert answers(*pieces) == [Answer("00:00"), Answer("11:01")]


def test_noise_between_answers_is_skipped() -> None:
    assert answers(b"abc\x03\x01\x01xyz", GOOD, b"\x03\x03\x01QQQ\x03") == [Answer("00:00")]
    assert answers(b"\x01STAnothing\n\x03") == [Answer("")]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_taken_and_memory_is_bounded(pieces: list[bytes]) -> None:
    reader = AnswerReader()
    for piece in pieces:
        with suppress(ProtocolFault):
            reader.feed(piece)
        assert len(reader._rest) <= MAX_ANSWER


def test_an_answer_that_does_not_end_is_a_fault() -> None:
    reader = AnswerReader()
    with pytest.raises(ProtocolFault):
        reader.feed(b"\x01STA" + b"x" * MAX_ANSWER)
    assert reader.feed(GOOD) == [Answer("00:00")]


def test_an_answer_may_be_a_kibibyte_long() -> None:
    begun = b"\x01STA".ljust(1018, b"x") + b"\n00:00"
    assert len(begun) == 1024
    assert answers(begun, b"\x03") == [Answer("00:00")]
    with pytest.raises(ProtocolFault):
        AnswerReader().feed(b"x" + begun + b"x")


@pytest.mark.parametrize(
    ("color", "black", "letters"), [(True, True, "BGRK"), (True, False, "BGR"), (False, True, "K"), (False, False, "K")]
)
def test_a_side_sends_the_planes_that_it_has_and_a_white_one_when_it_has_none(
    color: bool, black: bool, letters: str
) -> None:
    plane = np.zeros((642, 1016), np.uint8)
    assert Side(plane if color else None, plane if black else None).letters == letters
