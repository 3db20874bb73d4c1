"""What may be kept of a receipt printer's traffic, whatever the bytes are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.encode import preamble
from countertop.drivers.escpos.masking import EscPosMasker
from countertop.drivers.escpos.masking_commands import MOST_HEAD, UnknownCommandError, command_tail
from countertop.drivers.escpos.profiles import load_profile, profile_names
from tests.unit.masked_links import SENT, Piece, check_any_split, check_idempotent, conversations, most_kept, run

PREAMBLES = [preamble(load_profile(name)) for name in profile_names()]
QR = b"\x1d(k\x0f\x001P0" + "https://回".encode() + b"z"
SENT_PHRASES = [
    *PREAMBLES,
    "张三 A123".encode("gb18030"),
    b"\x1c&" + "䶮㐀".encode("gb18030") + b"\x1c.\n",
    b"\x1bt\x10\xe9\xe8\n",
    b"\x1dv0\x00\x02\x00\x02\x00\xff\x10\x04\x01",
    b"\x1d8L\x0e\x00\x00\x000p0\x01\x011\x09\x00\x02\x00\xff\xfe\xfd\xfc\x1d(L\x02\x0002",
    b"\x1dkI\x06{BAB12",
    b"\x1dkC\x0d4006381333931",
    QR,
    b"\x1d(k\x03\x001C\x04",
    b"\x1dVB\x00",
    protocol.process_id(b"! ab"),
    *(protocol.realtime_status(n) for n in range(1, 5)),
    protocol.CLEAR_BUFFERS,
    protocol.RECOVER_AND_CLEAR,
    protocol.pulse(1, 100, 200),
    protocol.counter(178),
    protocol.status(1),
    *(protocol.identity(n) for n in (1, 2, 3, 65, 66, 67, 68, 69)),
    b"\x1b*\x21\x01\x00\x01\x02\x03",
    b"\x1d",
    b"\x00",
]
ANSWERS = [
    b"\x12",
    b"\x16",
    b"\x14\x00\x00\x0f",
    b"\x0c",
    b"\x10\x00",
    b"\x37\x22! ab\0",
    b"\x37\x25\0",
    b"_TM-T88VI\0",
    b"_A1B2C3\0",
    b"_123\0",
    b"\x3bname\0",
    b"\x11\x13",
    b"_half",
    b"\x80\xff",
    b"_" + b"y" * 130,
]


def masked(data: bytes) -> bytes:
    return run(EscPosMasker(), [(SENT, data)])[0]


def answered(*pieces: Piece) -> bytes:
    return run(EscPosMasker(), pieces)[1]


@given(conversations(SENT_PHRASES, ANSWERS), st.data())
def test_any_split_gives_the_same(pieces: list[Piece], data: st.DataObject) -> None:
    check_any_split(EscPosMasker, pieces, data)


@given(conversations(SENT_PHRASES, ANSWERS))
def test_what_is_masked_stays(pieces: list[Piece]) -> None:
    check_idempotent(EscPosMasker, pieces)


@pytest.mark.parametrize("name", profile_names())
def test_a_preamble_stays(name: str) -> None:
    data = preamble(load_profile(name))
    assert masked(data) == data


def test_requests_and_settings_stay() -> None:
    kept = [phrase for phrase in SENT_PHRASES if phrase[:1] == b"\x10" or phrase[:2] in (b"\x1dr", b"\x1dI", b"\x1dg")]
    kept += [
        protocol.process_id(b"~~~~"),
        b"\x1d(k\x03\x001C\x04",
        b"\x1bt\x10\x1b3\x1e\x1b$\x10\x00\x1d!\x11\x1dL\x08\x00",
    ]
    for phrase in kept:
        assert masked(phrase) == phrase, phrase.hex(" ")


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        ("张三 A1".encode("gb18030") + b"\n", b"xxxxxxx\n"),
        (b"\x1c&" + "㐀".encode("gb18030") + b"\x1c.", b"\x1c&xxxx\x1c."),
        (b"\x1bt\x10\xe9", b"\x1bt\x10x"),
        (b"\x1dv0\x00\x02\x00\x02\x00\xff\x10\x04\x01A", b"\x1dv0\x00\x02\x00\x02\x00\x00\x00\x00\x00x"),
        (b"\x1dkI\x06{BAB12", b"\x1dkI\x06{B0000"),
        (b"\x1dkC\x0d4006381333931", b"\x1dkC\x0d0000000000000"),
        (b"\x1d(k\x06\x001P0abc", b"\x1d(k\x06\x001P0000"),
        (
            b"\x1d8L\x0c\x00\x00\x000p0\x01\x011\x08\x00\x02\x00\xff\xfe\x1d(L\x02\x0002",
            b"\x1d8L\x0c\x00\x00\x000p0\x01\x011\x08\x00\x02\x00\x00\x00\x1d(L\x02\x0002",
        ),
    ],
)
def test_what_is_printed_goes_and_its_length_stays(data: bytes, kept: bytes) -> None:
    assert masked(data) == kept


@pytest.mark.parametrize(
    "unknown",
    [
        b"\x1b*\x21\x02\x00NAME",
        b"\x1d(A\x02\x00NA",
        b"\x09",
        b"\x1d8L\x00\x01\x00\x000p0\x01\x011\x08\x00\x02\x00NAME",
        b"\x1dkENA",
    ],
)
def test_from_something_unknown_on_all_is_zeros_up_to_the_next_receipt(unknown: bytes) -> None:
    data = unknown + b"\x10\x04\x01\n" + b"\x1b@\x1da" + PREAMBLES[0] + b"A\n"
    kept = masked(data)
    before = len(data) - len(PREAMBLES[0]) - 2
    assert kept == bytes(before) + PREAMBLES[0] + b"x\n"


@given(st.binary(min_size=1, max_size=40))
def test_a_head_is_judged_within_its_limit(data: bytes) -> None:
    try:
        assert any(command_tail(data[:end]) for end in range(1, len(data) + 1)) or len(data) < MOST_HEAD
    except UnknownCommandError:
        return


def test_answers_that_were_asked_for_stay() -> None:
    assert answered((SENT, protocol.identity(67)), (False, b"_TM-T88VI\0")) == b"_TM-T88VI\0"
    assert answered((SENT, protocol.counter(178)), (False, b"_1234\0")) == b"_1234\0"
    assert answered((SENT, protocol.status(1)), (False, b"\x0c")) == b"\x0c"
    assert answered((False, b"\x16\x14\x00\x00\x0f\x37\x22! ab\0\x37\x25\0\x11\x13")) == (
        b"\x16\x14\x00\x00\x0f\x37\x22! ab\0\x37\x25\0\x11\x13"
    )


def test_the_serial_number_and_what_nobody_asked_for_go() -> None:
    assert answered((SENT, protocol.identity(68)), (False, b"_A1B2C3\0")) == b"_000000\0"
    assert answered((False, b"_A1B2C3\0")) == b"_xxxxxx\0"
    assert answered((False, b"\x3bname\0")) == b"\x3bxxxx\0"
    assert answered((False, b"\x0cNAME\x85")) == b"\xff" * 6, "echoed text is no status"


def test_what_is_garbage_to_the_driver_stays_garbage() -> None:
    for data in (b"\x14\x00\x90\x16", b"_half\x01\x16", b"_" + b"y" * 200 + b"\0\x16", b"\x0c\x16"):
        kept = answered((False, data))
        assert kept == b"\xff" * (len(data) - 1) + b"\x16"
        decoder = protocol.Decoder()
        assert [event for event in decoder.feed(kept) if not isinstance(event, protocol.Garbage)] == [
            protocol.RealtimeStatus(0x16, False)
        ]


@pytest.mark.parametrize(
    ("is_sent", "beginning"),
    [
        (True, b""),
        (True, b"\x1b*"),
        (True, b"\x1d8L\xff\xff\xff\xff0p0\x01\x011"),
        (True, b"\x1dv0\x00\xff\xff\xff\xff"),
        (False, b"_"),
        (False, b"\x10"),
        (False, b""),
    ],
)
def test_memory_is_bounded(is_sent: bool, beginning: bytes) -> None:
    for rest in (b"y" * 1000, b"\x11" * 1000, b"\x1b\x1b" * 500):
        assert most_kept(EscPosMasker(), is_sent, beginning, rest, 60) < 8192
