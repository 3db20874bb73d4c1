"""Command APDUs, their way over T=0 against chips that answer as they may, and status words."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk.cards.apdu import (
    MAX_STEPS,
    Exchange,
    parse_command,
    status_matches,
    t0_apdus,
    t0_tpdus,
)

HEAD = bytes.fromhex("00A40400")
DATA = bytes(range(10))
LONG = bytes(range(256)) * 3
OK = b"\x90\x00"


# -- cases --


@pytest.mark.parametrize(
    ("command", "case", "data", "ne"),
    [
        (HEAD, "1", b"", 0),
        (HEAD + b"\x10", "2S", b"", 16),
        (HEAD + b"\x00", "2S", b"", 256),
        (HEAD + b"\x0a" + DATA, "3S", DATA, 0),
        (HEAD + b"\x0a" + DATA + b"\x20", "4S", DATA, 32),
        (HEAD + b"\x0a" + DATA + b"\x00", "4S", DATA, 256),
        (HEAD + b"\x00\x01\x02", "2E", b"", 258),
        (HEAD + b"\x00\x00\x00", "2E", b"", 65536),
        (HEAD + b"\x00\x03\x00" + LONG, "3E", LONG, 0),
        (HEAD + b"\x00\x03\x00" + LONG + b"\x01\x00", "4E", LONG, 256),
        (HEAD + b"\x00\x03\x00" + LONG + b"\x00\x00", "4E", LONG, 65536),
    ],
)
def test_the_seven_cases_are_told_apart(command: bytes, case: str, data: bytes, ne: int) -> None:
    found = parse_command(command)
    assert (found.case, found.data, found.ne, found.header, found.raw) == (case, data, ne, HEAD, command)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("", "expected a command of 4 to 65544 bytes, got 0"),
        ("00A404", "got 3"),
        ("FFA40400", "expected CLA 00 to FE"),
        ("00610000", "expected an INS other than 6X and 9X"),
        ("00900000", "expected an INS other than 6X and 9X"),
        ("00A404000500", "expected 10 bytes, or 11 with Le, by Lc; got 6"),
        ("00A40400010000 00", "expected 6 bytes, or 7 with Le, by Lc; got 8"),
        ("00A40400 0000", "expected an Lc of 01 to FF, or an extended length of 3 bytes, as byte 5"),
        ("00A40400 000000 00", "expected an extended Lc of 0001 to FFFF as bytes 6 and 7"),
        ("00A40400 000001 00 00", "expected 8 bytes, or 10 with Le, by Lc; got 9"),
    ],
)
def test_what_is_no_command_is_told_what_was_expected(command: str, told: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_command(bytes.fromhex(command))
    assert told in str(refused.value)


def test_the_longest_command_is_one() -> None:
    command = HEAD + b"\x00\xff\xff" + bytes(65535) + b"\x00\x00"
    assert parse_command(command).case == "4E"
    with pytest.raises(ValueError, match="got 65545"):
        parse_command(command + b"\x00")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        found = parse_command(data)
        assert data.startswith(found.header)
        assert found.data in data


# -- T=0 --


def played(exchange: Exchange, *turns: tuple[str | bytes, str | bytes]) -> bytes:
    """Runs the exchange against what a chip is to be sent, and what it answers."""
    waiting = list(turns)
    message = next(exchange)
    while True:
        expected, answer = (bytes.fromhex(part) if isinstance(part, str) else part for part in waiting.pop(0))
        assert message == expected
        try:
            message = exchange.send(answer)
        except StopIteration as end:
            assert not waiting, "it ended too early"
            return bytes(end.value)


@pytest.mark.parametrize(
    ("command", "turns", "response"),
    [
        ("00A40400", [("00A4040000", "9000")], "9000"),
        ("00A40400", [("00A4040000", "6112")], "6112"),
        ("00B0000004", [("00B0000004", "01020304 9000")], "01020304 9000"),
        ("00B0000000", [("00B0000000", "6C02"), ("00B0000002", "0102 9000")], "0102 9000"),
        ("00B0000001", [("00B0000001", "6C02"), ("00B0000002", "0102 9000")], "01 9000"),
        ("00B0000000", [("00B0000000", "6C02"), ("00B0000002", "6C03")], "6C03"),
        ("00B0000004", [("00B0000004", "6A82")], "6A82"),
        ("00B0000004", [("00B0000004", "0102 6282")], "0102 6282"),
        ("00DA0000 02 0102", [("00DA0000 02 0102", "9000")], "9000"),
        ("00DA0000 02 0102", [("00DA0000 02 0102", "6104")], "6104"),
        ("00A40400 02 0102 00", [("00A40400 02 0102", "6103"), ("00C0000003", "AABBCC 9000")], "AABBCC 9000"),
        ("00A40400 02 0102 02", [("00A40400 02 0102", "6103"), ("00C0000002", "AABB 9000")], "AABB 9000"),
        ("00A40400 02 0102 00", [("00A40400 02 0102", "9000")], "9000"),
        ("00A40400 02 0102 00", [("00A40400 02 0102", "6985")], "6985"),
        (
            "00A40400 02 0102 00",
            [("00A40400 02 0102", "6110"), ("00C0000010", "6C02"), ("00C0000002", "AABB 9000")],
            "AABB 9000",
        ),
        (
            "00CA0000 00",
            [("00CA000000", "01 6102"), ("00C0000002", "0203 6101"), ("00C0000001", "04 9000")],
            "01020304 9000",
        ),
        ("A0A40000 02 3F00 0F", [("A0A40000 02 3F00", "6117"), ("A0C000000F", "00" * 15 + "9000")], "00" * 15 + "9000"),
        ("80500000 01 00 00", [("80500000 01 00", "6101"), ("00C0000001", "01 9000")], "01 9000"),
        ("83500000 01 00 00", [("83500000 01 00", "6101"), ("03C0000001", "01 9000")], "01 9000"),
        ("1CA40400 01 00 00", [("1CA40400 01 00", "6101"), ("00C0000001", "01 9000")], "01 9000"),
        ("75A40400 01 00 00", [("75A40400 01 00", "6101"), ("45C0000001", "01 9000")], "01 9000"),
        ("00B00000 000010", [("00B0000010", "6C01"), ("00B0000001", "07 9000")], "07 9000"),
        ("00DA0000 000002 0102", [("00DA0000 02 0102", "9000")], "9000"),
    ],
)
def test_a_command_goes_to_a_t_0_chip_as_the_standard_has_it(
    command: str, turns: list[tuple[str, str]], response: str
) -> None:
    assert played(t0_tpdus(bytes.fromhex(command)), *turns) == bytes.fromhex(response)


def test_a_reader_that_adds_p3_itself_gets_the_bare_header() -> None:
    assert played(t0_tpdus(HEAD, bare_case_1=True), (HEAD, OK)) == OK


def test_a_wanted_answer_of_more_than_256_bytes_is_put_together() -> None:
    first, second = bytes(range(256)), bytes(44)
    command = bytes.fromhex("00B00000 00012C")
    turns = [("00B0000000", first + b"\x61\x00"), ("00C000002C", second + OK)]
    assert played(t0_tpdus(command), *turns) == first + second + OK


def test_a_long_command_goes_in_envelopes_and_its_answer_is_fetched() -> None:
    command = bytes.fromhex("80E20000 000300") + LONG + b"\x00\x00"
    head = bytes.fromhex("00C20000")
    pieces = [command[at : at + 255] for at in range(0, len(command), 255)]
    turns: list[tuple[str | bytes, str | bytes]] = [(head + bytes([len(piece)]) + piece, OK) for piece in pieces]
    turns[-1] = (turns[-1][0], b"\x61\x02")
    turns.append(("00C0000002", "AABB9000"))
    assert played(t0_tpdus(command), *turns) == bytes.fromhex("AABB9000")


@pytest.mark.parametrize(("cla", "channel"), [(0x00, 0x00), (0x02, 0x02), (0x83, 0x03), (0x45, 0x45)])
def test_envelopes_and_what_fetches_their_answer_go_on_the_channel_of_the_command(cla: int, channel: int) -> None:
    command = bytes([cla]) + bytes.fromhex("E20000 000100") + bytes(256) + b"\x00\x04"
    pieces = [command[:255], command[255:]]
    turns: list[tuple[str | bytes, str | bytes]] = [
        (bytes([channel, 0xC2, 0, 0, len(piece)]) + piece, answer)
        for piece, answer in zip(pieces, (OK, b"\x61\x04"), strict=True)
    ]
    turns.append((bytes([channel, 0xC0, 0, 0, 4]), b"abcd" + OK))
    assert played(t0_tpdus(command), *turns) == b"abcd" + OK


def test_the_longest_data_of_a_short_command_are_sent_again_with_the_length_that_the_chip_wants() -> None:
    command = HEAD + b"\xff" + bytes(255)
    assert played(t0_apdus(command + b"\x00"), (command + b"\x00", b"\x6c\x02"), (command + b"\x02", b"ab" + OK)) == (
        b"ab" + OK
    )


def test_a_chip_without_envelope_ends_the_command_at_once() -> None:
    command = bytes.fromhex("00DA0000 000300") + LONG
    exchange = t0_tpdus(command)
    next(exchange)
    with pytest.raises(StopIteration) as end:
        exchange.send(b"\x6d\x00")
    assert end.value.value == b"\x6d\x00"


@pytest.mark.parametrize(
    ("command", "turns", "response"),
    [
        ("00A40400", [("00A40400", "9000")], "9000"),
        ("00A40400 02 0102 00", [("00A40400 02 0102 00", "AABB 9000")], "AABB 9000"),
        ("00A40400 02 0102 00", [("00A40400 02 0102 00", "6102"), ("00C0000002", "AABB 9000")], "AABB 9000"),
        ("00A40400 02 0102 00", [("00A40400 02 0102 00", "6C02"), ("00A40400 02 0102 02", "AABB 9000")], "AABB 9000"),
        ("00B0000000", [("00B0000000", "6C02"), ("00B0000002", "0102 9000")], "0102 9000"),
    ],
)
def test_where_whole_commands_are_carried_they_go_whole(
    command: str, turns: list[tuple[str, str]], response: str
) -> None:
    assert played(t0_apdus(bytes.fromhex(command)), *turns) == bytes.fromhex(response)


@pytest.mark.parametrize("answer", [b"\x01\x61\x01", b"\x61\x01"])
def test_a_chip_that_goes_on_without_end_is_given_up(answer: bytes) -> None:
    exchange = t0_tpdus(bytes.fromhex("00B00000 000000"))
    next(exchange)
    with pytest.raises(ValueError, match=f"expected an end after {MAX_STEPS} turns"):  # noqa: PT012
        while True:
            exchange.send(answer)


@pytest.mark.parametrize("answer", [b"", b"\x90", bytes(65539)])
def test_an_answer_without_status_words_is_refused(answer: bytes) -> None:
    exchange = t0_tpdus(HEAD)
    next(exchange)
    with pytest.raises(ValueError, match="expected an answer of 2 to 65538 bytes"):
        exchange.send(answer)


@pytest.mark.parametrize("begin", [t0_tpdus, t0_apdus])
def test_what_is_no_command_is_refused_before_anything_goes_out(begin: Callable[[bytes], Exchange]) -> None:
    with pytest.raises(ValueError, match="expected a command"):
        begin(b"\x00")


def commands() -> st.SearchStrategy[bytes]:
    header = st.tuples(
        st.integers(0, 0xFE), st.sampled_from([0xA4, 0xB0, 0xCA, 0xDA]), st.binary(min_size=2, max_size=2)
    )

    def whole(head: tuple[int, int, bytes], data: bytes, le: int | None) -> bytes:
        start = bytes(head[:2]) + head[2]
        if len(data) > 255:
            return start + b"\0" + len(data).to_bytes(2, "big") + data + (b"" if le is None else le.to_bytes(2, "big"))
        body = bytes([len(data)]) + data if data else b""
        return start + body + (b"" if le is None else bytes([le & 0xFF]))

    return st.builds(whole, header, st.binary(max_size=20) | st.just(LONG), st.none() | st.integers(0, 0xFFFF))


@given(commands(), st.lists(st.binary(max_size=300) | st.sampled_from([b"\x61\x02", b"\x6c\x04", OK]), max_size=30))
def test_whatever_a_chip_answers_the_exchange_ends_or_asks_for_something_sensible(
    command: bytes, answers: list[bytes]
) -> None:
    exchange = t0_tpdus(command)
    message = next(exchange)
    for answer in answers:
        assert 5 <= len(message) <= 260
        if len(answer) < 2:
            with pytest.raises(ValueError, match="expected an answer"):
                exchange.send(answer)
            return
        following, response = turn(exchange, answer)
        if response is not None:
            assert 2 <= len(response) <= 65538
            assert response[-2:] == answer[-2:]
            return
        message = following


def turn(exchange: Exchange, answer: bytes) -> tuple[bytes, bytes | None]:
    """What goes out next, or the response."""
    try:
        return exchange.send(answer), None
    except StopIteration as end:
        return b"", bytes(end.value)


class T0Chip:
    """Answers a command's data in pieces, as a chip of T=0 does; `wanted` is its whole answer."""

    def __init__(self, wanted: bytes, correct: bool) -> None:
        self.rest = wanted
        self.correct = correct

    def answer(self, tpdu: bytes) -> bytes:
        room = tpdu[4] or 256
        if len(tpdu) > 5:
            return b"\x61" + bytes([min(len(self.rest), 256) & 0xFF]) if self.rest else OK
        if self.correct and room > len(self.rest):
            return b"\x6c" + bytes([len(self.rest) & 0xFF])
        piece, self.rest = self.rest[:room], self.rest[room:]
        return piece + (b"\x61" + bytes([min(len(self.rest), 256) & 0xFF]) if self.rest else OK)


@given(st.binary(min_size=1, max_size=2000), st.booleans(), st.booleans())
def test_an_answer_of_any_length_comes_whole_from_a_chip_of_t_0(wanted: bytes, with_data: bool, correct: bool) -> None:
    chip = T0Chip(wanted, correct)
    exchange = t0_tpdus(HEAD + (b"\x01\x00" if with_data else b"") + b"\x00")
    message = next(exchange)
    with pytest.raises(StopIteration) as end:  # noqa: PT012
        while True:
            message = exchange.send(chip.answer(message))
    assert end.value.value == wanted + OK


# -- status words --


@pytest.mark.parametrize(
    ("expected", "status", "fits"),
    [
        ("9000", "9000", True),
        ("9000", "9001", False),
        ("61xx", "6112", True),
        ("61XX", "6C12", False),
        ("9000,6A8x", "6A82", True),
        ("9000,6a8x", "6A92", False),
        ("xxxx", "6F00", True),
        ("9000,6xxx", "6310", True),
    ],
)
def test_status_words_fit_a_pattern(expected: str, status: str, fits: bool) -> None:
    assert status_matches(expected, bytes.fromhex(status)) is fits


@pytest.mark.parametrize("expected", ["", "900", "90000", "9000,", "9000;6A82", "90 00", "gggg"])
def test_another_pattern_is_refused(expected: str) -> None:
    with pytest.raises(ValueError, match="expected four hexadecimal digits"):
        status_matches(expected, OK)


def test_one_byte_is_no_status_words() -> None:
    with pytest.raises(ValueError, match="two status words"):
        status_matches("9000", b"\x90")


@given(st.binary(min_size=2, max_size=2))
def test_status_words_fit_themselves(status: bytes) -> None:
    assert status_matches(status.hex(), status)
    assert status_matches(f"0000,{status.hex()[:2]}xx", status)


@pytest.mark.parametrize(
    ("command", "wanted"),
    [("00B00000 00", True), ("00B00000 FF", False), ("00B00000 000000", True), ("00B00000 000100", False)],
)
def test_all_that_there_is_is_wanted_by_the_greatest_le_of_its_size(command: str, wanted: bool) -> None:
    assert parse_command(bytes.fromhex(command)).all_there_is is wanted


def test_what_a_chip_answers_to_a_command_without_le_is_handed_on_as_it_is() -> None:
    command = bytes.fromhex("00A40400 02 0102")
    for answer in ("AABB 9000", "6110", "6C02"):
        assert played(t0_tpdus(command), (command, answer)) == bytes.fromhex(answer)


def test_a_class_of_the_future_is_on_channel_0() -> None:
    command = bytes.fromhex("20E20000 000100") + bytes(256)
    pieces = [command[:255], command[255:]]
    turns: list[tuple[str | bytes, str | bytes]] = [
        (bytes([0, 0xC2, 0, 0, len(piece)]) + piece, OK) for piece in pieces
    ]
    assert played(t0_tpdus(command), *turns) == OK
