"""Answers to reset: published ones, damaged ones, and any bytes."""

from __future__ import annotations

from contextlib import suppress
from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk.cards.atr import MAX_ATR, Atr, InterfaceBytes, parse_atr


def atr(text: str) -> Atr:
    return parse_atr(bytes.fromhex(text))


CYBERFLEX = "3B 65 00 00 9C 11 01 01 03"
JCOP = "3B F8 13 00 00 81 31 FE 45 4A 43 4F 50 76 32 34 31 B7"
YUBIKEY = "3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 40"
OPENPGP = "3B DA 18 FF 81 B1 FE 75 1F 03 00 31 C5 73 C0 01 40 00 90 00 0C"
DESFIRE = "3B 81 80 01 80 80"
MIFARE = "3B 8F 80 01 80 4F 0C A0 00 00 03 06 03 00 01 00 00 00 00 6A"
INVERSE = "3F 67 25 00 21 20 00 0F 78 90 00"
CRYPTO = "3B A7 00 40 18 80 65 A2 08 01 01 52"


@pytest.mark.parametrize(
    ("text", "convention", "protocols", "fi", "di", "ifsc", "historical"),
    [
        (CYBERFLEX, "direct", (0,), 372, 1, 32, "9C 11 01 01 03"),
        (JCOP, "direct", (1,), 372, 4, 254, "4A 43 4F 50 76 32 34 31"),
        (YUBIKEY, "direct", (1,), 372, 4, 254, "80 73 C0 21 C0 57 59 75 62 69 4B 65 79"),
        (OPENPGP, "direct", (1,), 372, 12, 254, "00 31 C5 73 C0 01 40 00 90 00"),
        (DESFIRE, "direct", (0, 1), 372, 1, 32, "80"),
        (MIFARE, "direct", (0, 1), 372, 1, 32, "80 4F 0C A0 00 00 03 06 03 00 01 00 00 00 00"),
        (INVERSE, "inverse", (0,), 372, 1, 32, "21 20 00 0F 78 90 00"),
        (CRYPTO, "direct", (0,), 372, 1, 32, "80 65 A2 08 01 01 52"),
    ],
)
def test_published_answers_are_taken_apart(
    text: str, convention: str, protocols: tuple[int, ...], fi: int, di: int, ifsc: int, historical: str
) -> None:
    found = atr(text)
    assert (found.convention, found.protocols, found.default_protocol) == (convention, protocols, protocols[0])
    assert (found.fi, found.di, found.ifsc, found.historical) == (fi, di, ifsc, bytes.fromhex(historical))
    assert not found.specific


def test_interface_bytes_stand_where_the_standard_has_them() -> None:
    assert atr(OPENPGP).interface == (
        InterfaceBytes(ta=0x18, tc=0xFF, td=0x81),
        InterfaceBytes(td=0xB1),
        InterfaceBytes(ta=0xFE, tb=0x75, td=0x1F, protocol=1),
        InterfaceBytes(ta=0x03, protocol=15),
    )
    assert atr(CYBERFLEX).interface == (InterfaceBytes(tb=0x00, tc=0x00),)
    assert atr(CRYPTO).interface == (InterfaceBytes(tb=0x00, td=0x40), InterfaceBytes(tc=0x18))
    assert (atr(JCOP).tck, atr(CYBERFLEX).tck) == (0xB7, None)


def test_the_shortest_answer_offers_t_0() -> None:
    found = atr("3B 00")
    assert (found.protocols, found.historical, found.fmax_mhz) == ((0,), b"", 5)


def test_specific_mode_sets_the_protocol() -> None:
    found = atr("3B 80 11 01 90")  # TD1: TA2 and T=1; TA2: T=1
    assert (found.specific, found.default_protocol) == (True, 1)
    assert found.choose(()) == 1
    with pytest.raises(ValueError, match="expected a chip with T=0, got T=1"):
        found.choose((0,))


@pytest.mark.parametrize(("allowed", "chosen"), [((), 0), ((0,), 0), ((1,), 1), ((1, 0), 0)])
def test_the_first_protocol_that_is_offered_and_allowed_is_chosen(allowed: tuple[int, ...], chosen: int) -> None:
    assert atr(DESFIRE).choose(allowed) == chosen


def test_a_protocol_that_is_not_offered_cannot_be_chosen() -> None:
    with pytest.raises(ValueError, match="expected a chip with T=1, got T=0"):
        atr(CYBERFLEX).choose((1,))


def test_reserved_speeds_are_not_made_up() -> None:
    found = atr("3B 10 F0")
    assert (found.fi, found.di, found.fmax_mhz) == (None, None, None)
    assert "reserved" in found.describe()


def test_people_are_told_the_main_things() -> None:
    assert atr(DESFIRE).describe() == (
        "3B 81 80 01 80 80: direct convention, T=0 and T=1, Fi=372 Di=1, 1 historical bytes"
    )
    assert "T=1 (specific mode)" in atr("3B 80 11 01 90").describe()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected an ATR of 2 to 33 bytes, got 0"),
        ("3B", "expected an ATR of 2 to 33 bytes, got 1"),
        ("3B" + "00" * 33, "got 34"),
        ("3A 00", "expected 3B or 3F as TS, got 3A"),
        ("3B 10", "expected TA1 as byte 3, got the end"),
        ("3B 80 80", "expected TD2 as byte 4, got the end"),
        ("3B 65 00 00 9C 11 01 01", "expected 9 bytes by T0 and the TD bytes, got 8"),
        ("3B 65 00 00 9C 11 01 01 03 00", "expected 9 bytes by T0 and the TD bytes, got 10"),
        ("3B 81 80 01 80 81", "expected 80 as TCK, got 81"),
        ("3B 81 80 01 80", "expected 6 bytes"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError) as refused:
        atr(text)
    assert told in str(refused.value)


@given(st.binary(max_size=40) | st.builds(lambda rest: b"\x3b" + rest, st.binary(max_size=36)))
def test_any_bytes_are_an_answer_or_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        found = parse_atr(data)
        assert found.raw == data
        assert found.protocols
        assert found.describe()
        with suppress(ValueError):
            assert found.choose(()) in (0, 1)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, list[int], bytes]:
    """An answer with its protocols and historical bytes."""
    named = draw(st.lists(st.integers(0, 15), max_size=3))
    historical = draw(st.binary(max_size=15))
    body = b""
    follows = [*named, None]
    for index, following in enumerate(follows):
        letters = draw(st.integers(0, 7)) | (8 if following is not None else 0)
        if index == 1:
            letters &= ~1  # no TA2: it would set the protocol
        nibble = letters << 4
        head_byte = nibble | (len(historical) if index == 0 else named[index - 1])
        body += bytes([head_byte]) + draw(
            st.binary(min_size=(letters & 7).bit_count(), max_size=(letters & 7).bit_count())
        )
    data = b"\x3b" + body + historical
    if any(named):
        data += bytes([reduce(xor, data[1:])])
    return data, named, historical


@given(answers())
def test_whatever_is_put_together_by_the_rules_is_taken_apart(answer: tuple[bytes, list[int], bytes]) -> None:
    data, named, historical = answer
    if len(data) > MAX_ATR:
        return
    found = parse_atr(data)
    assert found.historical == historical
    assert [group.td & 15 for group in found.interface if group.td is not None] == named
    assert list(found.protocols) == (list(dict.fromkeys(number for number in named if number != 15)) or [0])


@pytest.mark.parametrize(
    ("code", "fi", "fmax"),
    [
        (0x0, 372, 4),
        (0x1, 372, 5),
        (0x2, 558, 6),
        (0x3, 744, 8),
        (0x4, 1116, 12),
        (0x5, 1488, 16),
        (0x6, 1860, 20),
        (0x7, None, None),
        (0x8, None, None),
        (0x9, 512, 5),
        (0xA, 768, 7.5),
        (0xB, 1024, 10),
        (0xC, 1536, 15),
        (0xD, 2048, 20),
        (0xE, None, None),
        (0xF, None, None),
    ],
)
def test_clock_rates_are_those_of_table_7(code: int, fi: int | None, fmax: float | None) -> None:
    found = parse_atr(bytes([0x3B, 0x10, code << 4 | 1]))
    assert (found.fi, found.fmax_mhz, found.di) == (fi, fmax, 1)


def test_baud_rates_are_those_of_table_8() -> None:
    rates = [parse_atr(bytes([0x3B, 0x10, 0x10 | code])).di for code in range(16)]
    assert rates == [None, 1, 2, 4, 8, 16, 32, 64, 12, 20, None, None, None, None, None, None]


def test_a_chip_of_no_protocol_that_is_spoken_here_is_told_what_is() -> None:
    with pytest.raises(ValueError, match=r"expected a chip with T=0 or T=1, got T=14"):
        atr("3B 80 0E 8E").choose(())
