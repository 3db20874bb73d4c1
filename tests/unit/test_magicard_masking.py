"""What may be kept of a Magicard printer's traffic, whatever the bytes are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.magicard.job import Look, Side, TrackData, encode_only, job
from countertop.drivers.magicard.masking import MAX_HEADER, MagicardMasker
from countertop.drivers.magicard.models import MODELS
from countertop.drivers.magicard.protocol import AnswerReader, query
from countertop.emulators.magicard.framing import Page, Query, Tokenizer
from tests.unit.masked_links import SENT, Piece, check_any_split, check_idempotent, conversations, most_kept, run

TRACKS = [TrackData(1, 210, 7, "%B6222^ZHANG/SAN^25?", True), TrackData(2, 75, 5, ";6222021234=2512?", False)]
ANSWER = b"\x01STA Erreur\n11:01\n(c0000)\x03"
SENT_PHRASES = [
    b"\x05" * 20,
    query("ERR"),
    query("CAN"),
    b"\x01,NOC1,VER1.0-,TDT65A1B2C3,MGVON,MAG2,BPI75,MPC5,COEH,;6222=25?,KGE2\x1c\x03",
    b"\x01,NOC1,IMFBK,SZB5,SZK3,\x1c\x01\x03\x1cB:\x1cB:\x05\x1c\x03\x1cK:\x03",
    b"\x01,SZB4\x1c0123\x1cX:\x03",
    b"\x01,SZB999999999\x1c",
    b"\x01,ZHANG,12345,%,?\x1c\x03",
    b"\x01,NOC1,WID10",
    b"\x01",
    b"junk",
]
ANSWERS = [ANSWER, b"\x01STA ok\n00:00\n\x03", b"\x01NAME\x03", b"\x01half", b"\x03", b"noise", b"\x01" + b"y" * 1100]


def masked(data: bytes) -> bytes:
    return run(MagicardMasker(), [(SENT, data)])[0]


@given(conversations(SENT_PHRASES, ANSWERS), st.data())
def test_any_split_gives_the_same(pieces: list[Piece], data: st.DataObject) -> None:
    check_any_split(MagicardMasker, pieces, data)


@given(conversations(SENT_PHRASES, ANSWERS))
def test_what_is_masked_stays(pieces: list[Piece]) -> None:
    check_idempotent(MagicardMasker, pieces)


def test_queries_leader_and_answers_stay() -> None:
    data = b"\x05" * 70000 + query("ERR") + query("CAN") + query("OKY") + query("CLN")
    assert masked(data) == data
    assert run(MagicardMasker(), [(False, ANSWER)])[1] == ANSWER


def test_of_noise_and_other_frames_nothing_stays() -> None:
    assert masked(b"ZHANG\x01,ZHANG,NOC1,%AB\x1c\x03") == b"\x05" * 5 + b"\x01,xxxxx,NOC1,%00\x1c\x03"
    assert masked(b"\x01,NOC1,ZHANG") == b"\x05" * 12, "cut off"
    assert run(MagicardMasker(), [(False, b"NAME\x01NAME\x03")])[1] == b"xxxx\x01xxxx\x03"


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
@pytest.mark.parametrize("two_sided", [False, True])
def test_a_masked_job_is_a_job_with_the_same_fields_and_no_ink(model: object, two_sided: bool) -> None:
    made = MODELS[model.name]  # type: ignore[attr-defined]
    look = Look(made.width, made.height, made.head, icc=made.icc, power_color=10, power_overlay=-3)
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (made.height, made.width, 3), np.uint8)
    black = rng.integers(0, 2, (made.height, made.width)).astype(bool)
    overlay = np.ones_like(black)
    overlay[100:200, 300:400] = False
    front, back = Side(rgb, black, overlay), Side(black=black) if two_sided else None
    data = job(look, front, back, TRACKS, verify=True, now=1_700_000_000, duplex=made.duplex)
    before, after = list(Tokenizer().feed(data)), list(Tokenizer().feed(masked(data)))
    assert len(after) == len(before) == 1 + two_sided
    for was, now in zip(before, after, strict=True):
        assert isinstance(was, Page)
        assert isinstance(now, Page)
        changed = [(old, new) for old, new in zip(was.fields, now.fields, strict=True) if old != new]
        expected = [
            ("TDT6553F100", "TDT00000000"),
            ("%B6222^ZHANG/SAN^25?", "%000000000000000000?"),
            (";6222021234=2512?", ";000000000000000?"),
        ]
        assert changed == (expected if now is after[0] else [])
        assert {letter: len(plane) for letter, plane in now.planes.items()} == {
            letter: len(plane) for letter, plane in was.planes.items()
        }
        assert not any(any(plane) for plane in now.planes.values())


@pytest.mark.parametrize("counted", ["NOC0", "NOC1"])
def test_a_stripe_alone_keeps_its_fields(counted: str) -> None:
    look = Look(1016, 642, "KGE2")
    empty = [TrackData(track.number, track.bits_per_inch, track.bits, "", track.high) for track in TRACKS]
    data = encode_only(look, TRACKS, verify=True, now=0, counted=counted)
    kept = masked(data)
    fields = next(event.fields for event in Tokenizer().feed(kept) if isinstance(event, Page))
    assert [field for field in fields if field[0] not in "%;"] == [
        field
        for event in Tokenizer().feed(encode_only(look, empty, verify=True, now=0, counted=counted))
        if isinstance(event, Page)
        for field in event.fields
    ]


def test_masked_queries_are_queries_and_masked_answers_are_read_alike() -> None:
    assert list(Tokenizer().feed(masked(query("ERR")))) == [Query("ERR")]
    kept = run(MagicardMasker(), [(False, b"noise" + ANSWER)])[1]
    assert [answer.number for answer in AnswerReader().feed(kept)] == ["11:01"]


@pytest.mark.parametrize(
    ("is_sent", "beginning"),
    [(True, b""), (True, b"\x01"), (True, b"\x01,SZB16777216\x1c"), (False, b"\x01"), (False, b"")],
)
def test_memory_is_bounded(is_sent: bool, beginning: bytes) -> None:
    for rest in (b"y" * 1000, b"\x01" * 1000, b"\x01,REQ,ERR,\x1c\x03" * 50):
        assert most_kept(MagicardMasker(), is_sent, beginning, rest, 60) < 4 * MAX_HEADER
