"""What may be kept of an Evolis printer's traffic, whatever the bytes are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.evolis.bitmaps import compress
from countertop.drivers.evolis.masking import EvolisMasker
from countertop.drivers.evolis.protocol import bitmap, command
from countertop.emulators.evolis.bitmaps import expand_resin
from countertop.emulators.evolis.framing import Tokenizer
from tests.unit.masked_links import SENT, Piece, check_any_split, check_idempotent, conversations, most_kept, run

KNOWN = [
    command("Pem", 2),
    command("Rsn"),
    command("Rmb", 2),
    command("Smr", 2),
    command("Rco", "c"),
    command("Rse", "f"),
    command("Rlr", "p"),
    command("Rtp"),
    command("Pbc", "A", "D"),
    command("Pr", "ymckok"),
]
SENT_PHRASES = [
    *KNOWN,
    command("Dm", 1, "B6222021234567890^ZHANG/SAN^2512"),
    command("Dm", 2, ";6222=2512?"),
    bitmap("Dbc", "k", 2, 9, data=b"\x01\xff\r\x1b\0;ab\x02"),
    bitmap("Dbc", "k", 2, 0, data=b""),
    b"\x1bDb;y;32;",
    b"\x1bXyz;ZHANG\r",
    b"\x1bDm;2;half",
    b"\0" * 40,
    b"\r",
    b"stray",
]
ANSWERS = [
    b"OK\0",
    b"10000001\0",
    b";6222021234=2512?\0",
    b"B6222^ZHANG/SAN^\0",
    b"5,00 Volts\0",
    b"1234\0",
    b"CARD\0",
    b"ERROR CDE\0",
    b"ERROR MAGN DATA\0",
    b"KC200B\r\n\0",
    b"\0",
    b"half",
    b"y" * 600,
]


def masked(data: bytes) -> bytes:
    return run(EvolisMasker(), [(SENT, data)])[0]


def answered(sent: bytes, reply: bytes) -> bytes:
    return run(EvolisMasker(), [(SENT, sent), (False, reply + b"\0")])[1][:-1]


@given(conversations(SENT_PHRASES, ANSWERS), st.data())
def test_any_split_gives_the_same(pieces: list[Piece], data: st.DataObject) -> None:
    check_any_split(EvolisMasker, pieces, data)


@given(conversations(SENT_PHRASES, ANSWERS))
def test_what_is_masked_stays(pieces: list[Piece]) -> None:
    check_idempotent(EvolisMasker, pieces)


def test_commands_that_the_driver_knows_stay() -> None:
    data = b"\r" + b"\0" * 32 + b"".join(KNOWN)
    assert masked(data) == data


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (command("Dm", 1, "B6222^Z/S^2512"), command("Dm", 1, "0" * 14)),
        (command("Dm", 2, ";6222=2512?"), command("Dm", 2, ";000000000?")),
        (command("Dm", 2, ""), command("Dm", 2, "")),
        (command("Xyz", "ZHANG"), b"\x1bxxxxxxxxx\r"),
        (command("Dm", 4, "6222"), b"\x1bxxxxxxxxx\r"),
        (command("Pr", "ZHANG SAN"), b"\x1b" + b"x" * 12 + b"\r"),
        (b"ZHANG", b"xxxxx"),
        (b"\x1bDm;2;62\x1bRsn\r", b"\x1bxxxxxxx\x1bRsn\r"),
        (b"\x1bDm;2;62", b"\x1bxxxxxxx"),
    ],
)
def test_tracks_and_what_is_unknown_go(data: bytes, kept: bytes) -> None:
    assert masked(data) == kept


@pytest.mark.parametrize(
    ("asked", "reply", "kept"),
    [
        (command("Rmb", 2), b";6222021234=2512?", b";000000000000000?"),
        (command("Rmb", 1), b"B6222^ZHANG/SAN", b"0" * 15),
        (command("Rmb", 1), b"CARD", b"0000"),
        (command("Rmb", 1), b"OK", b"OK"),
        (command("Rmb", 1), b"ERROR MAGN DATA", b"ERROR MAGN DATA"),
        (command("Rmb", 1), b"ERROR 6222021234", b"0" * 16),
        (command("Rsn"), b"10000001\r\n", b"00000000\r\n"),
        (command("Rtp"), b"KC200B", b"KC200B"),
        (command("Rco", "c"), b"1234", b"1234"),
        (command("Rco", "c"), b"6222021234567890", b"x" * 16),
        (command("Rse", "f"), b"4,93 Volts", b"4,93 Volts"),
        (command("Rlr", "p"), b"SMART CARD", b"SMART CARD"),
        (command("Si"), b"ZHANG SAN", b"x" * 9),
        (b"", b"10000001", b"x" * 8),
        (b"", b"OK", b"OK"),
    ],
)
def test_answers_stay_in_the_forms_that_are_known(asked: bytes, reply: bytes, kept: bytes) -> None:
    assert answered(asked, reply) == kept


def test_an_answer_belongs_to_the_oldest_command_until_padding_ends_what_went_before() -> None:
    stale = command("Rmb", 2)
    assert answered(stale + command("Rco", "c"), b"1234") == b"0000"
    assert answered(stale + b"\r" + b"\0" * 32 + command("Rco", "c"), b"1234") == b"1234"


@given(st.integers(0, 2**32 - 1), st.integers(0, 1016))
def test_a_masked_compressed_panel_is_one_without_ink(seed: int, lines: int) -> None:
    ink = np.random.default_rng(seed).integers(0, 256, (1016, 81), np.uint8)
    ink[lines:] = 0
    data = compress(ink.tobytes())
    kept = masked(bitmap("Dbc", "k", 2, len(data), data=data))
    (found,) = Tokenizer().feed(kept)
    assert (found.name, found.parameters, len(found.data)) == ("Dbc", ("k", "2", str(len(data))), len(data))
    assert not np.asarray(expand_resin(found.data)).any()


@pytest.mark.parametrize("levels", [32, 64, 128])
def test_a_masked_colour_panel_is_one_without_ink(levels: int) -> None:
    size = 1016 * 648 * {32: 5, 64: 6, 128: 7}[levels] // 8
    data = bytes(range(256)) * (size // 256 + 1)
    kept = masked(bitmap("Db", "y", levels, data=data[:size]) + command("Se"))
    assert kept == bitmap("Db", "y", levels, data=bytes(size)) + command("Se")


@pytest.mark.parametrize(
    ("is_sent", "beginning"),
    [(True, b""), (True, b"\x1b"), (True, b"\x1bDm;1;"), (True, b"\x1bDbc;k;2;99999999;"), (False, b"")],
)
def test_memory_is_bounded(is_sent: bool, beginning: bytes) -> None:
    for rest in (b"y" * 1000, b"\x1bRsn\r" * 200, b"\0" * 1000):
        assert most_kept(EvolisMasker(), is_sent, beginning, rest, 60) < 24576
