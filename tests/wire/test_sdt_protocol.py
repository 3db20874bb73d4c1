"""The SAM_V wire protocol: frames found whole in any split, behind any noise, and never when damaged."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from operator import xor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from countertop.drivers.sdt import protocol
from countertop.drivers.sdt.protocol import Broken, Command, Decoder, Malformed, Response
from countertop.sdk import ProtocolFault
from countertop.v1 import error_pb2

MARK = bytes.fromhex("AAAA9669")


def answer(sw3: int, data: bytes = b"", sw1: int = 0, sw2: int = 0) -> bytes:
    body = (len(data) + 4).to_bytes(2, "big") + bytes([sw1, sw2, sw3]) + data
    return b"\xaa" + MARK + body + bytes([reduce(xor, body)])


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


payloads = st.binary(max_size=64)
answers = st.builds(answer, st.integers(0, 255), payloads, st.integers(0, 255), st.integers(0, 255))
# Noise as lines make it, and noise that looks like the beginning of an answer.
noises = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.integers(1, 5).map(lambda count: (b"\xaa" + MARK)[:count]),
        st.just(MARK + b"\x00"),
        st.just(MARK + b"\x00\x20"),
        st.just(MARK + b"\xff\xff"),
        answers.map(lambda frame: frame[:-1]),
    ),
    max_size=4,
).map(b"".join)

LITERAL_COMMANDS = [
    (protocol.RESET, "AAAAAA9669000310FFEC"),
    (protocol.SAM_STATUS, "AAAAAA9669000311FFED"),
    (protocol.SAM_ID, "AAAAAA9669000312FFEE"),
    (protocol.FIND_CARD, "AAAAAA96690003200122"),
    (protocol.SELECT_CARD, "AAAAAA96690003200221"),
    (protocol.READ_CARD, "AAAAAA96690003300132"),
    (protocol.READ_CARD_AND_FINGERPRINTS, "AAAAAA96690003301023"),
    (protocol.READ_ADDRESS, "AAAAAA96690003300330"),
]
LITERAL_ANSWERS = [
    ("AAAAAA9669000400009094", Response(0, 0, 0x90)),
    ("AAAAAA9669000800009F0000000097", Response(0, 0, 0x9F, bytes(4))),
    ("AAAAAA9669000C00009000000000000000009C", Response(0, 0, 0x90, bytes(8))),
]


@pytest.mark.parametrize(("command", "frame"), LITERAL_COMMANDS, ids=[command.step for command, _ in LITERAL_COMMANDS])
def test_commands_are_the_frames_of_the_protocol_sheet(command: Command, frame: str) -> None:
    assert protocol.encode(command).hex().upper() == frame


@pytest.mark.parametrize(("frame", "response"), LITERAL_ANSWERS)
def test_answers_of_the_protocol_sheet_are_understood(frame: str, response: Response) -> None:
    decoder = Decoder(32)
    assert decoder.feed(bytes.fromhex(frame)) == [response]
    assert decoder.skipped == 1, "the first AA belongs to no answer"


def test_an_answer_is_found_though_the_line_put_a_byte_in_and_lost_one() -> None:
    seen_on_a_line = bytes.fromhex("AA 00 AA AA 96 69 00 0C 00 00 90 00 00 00 00 00 00 00 00 9C")
    assert Decoder(32).feed(seen_on_a_line) == [Response(0, 0, 0x90, bytes(8))]


@given(st.integers(0, 255), st.binary(max_size=2300), st.integers(0, 255), st.integers(0, 255))
def test_an_answer_comes_out_as_it_went_in(sw3: int, data: bytes, sw1: int, sw2: int) -> None:
    assert Decoder(2300).feed(answer(sw3, data, sw1, sw2)) == [Response(sw1, sw2, sw3, data)]


@given(st.lists(st.one_of(noises, answers), max_size=6).map(b"".join), st.lists(st.integers(0, 1000), max_size=8))
def test_however_the_bytes_are_split_the_events_are_the_same(stream: bytes, cuts: list[int]) -> None:
    whole, parted = Decoder(64), Decoder(64)
    expected = whole.feed(stream) + whole.give_up()
    events = [event for part in split(stream, cuts) for event in parted.feed(part)] + parted.give_up()
    assert events == expected
    assert parted.skipped == whole.skipped


@given(st.binary(max_size=200), payloads, st.binary(max_size=50))
def test_noise_without_a_mark_costs_no_answer_and_no_time(before: bytes, data: bytes, after: bytes) -> None:
    assume(MARK not in before + b"\xaa\xaa\x96" and MARK not in after)
    assert Response(0, 0, 0x90, data) in Decoder(64).feed(before + answer(0x90, data) + after)


@given(noises, answers, noises)
def test_noise_that_looks_like_answers_costs_no_answer_once_the_line_is_quiet(
    before: bytes, frame: bytes, after: bytes
) -> None:
    expected = Decoder(64).feed(frame)
    decoder = Decoder(64)
    events = decoder.feed(before + frame + after) + decoder.give_up()
    responses = [event for event in events if isinstance(event, Response)]
    assume(all(response == expected[0] for response in responses))  # noise around an answer may have a right checksum
    assert responses == expected


@given(st.integers(0, 255), st.binary(max_size=40), st.integers(0, 10_000))
def test_one_wrong_bit_in_what_an_answer_says_is_always_noticed(sw3: int, data: bytes, position: int) -> None:
    assume(MARK not in data)
    frame = bytearray(answer(sw3, data))
    body = 7  # behind preamble and length
    position %= 8 * (len(frame) - body)
    frame[body + position // 8] ^= 1 << position % 8
    assume(MARK not in frame[5:])
    decoder = Decoder(64)
    assert decoder.feed(bytes(frame)) == [Malformed(Broken.CHECKSUM)]
    assert decoder.feed(answer(0x90)) == [Response(0, 0, 0x90)], "the next answer is found"


@pytest.mark.parametrize("length", [0, 3, 0x25, 0xFFFF])
def test_a_length_that_no_answer_has_does_not_swallow_the_next_answer(length: int) -> None:
    decoder = Decoder(32)
    events = decoder.feed(MARK + length.to_bytes(2, "big") + answer(0x90))
    assert events == [Malformed(Broken.LENGTH), Response(0, 0, 0x90)]


def test_an_unfinished_answer_is_told_when_nothing_more_comes_and_what_is_behind_it_is_found() -> None:
    decoder = Decoder(32)
    assert decoder.feed(MARK + b"\x00\x20\x00" + answer(0x41)) == []
    assert decoder.give_up() == [Malformed(Broken.TRUNCATED), Response(0, 0, 0x41)]
    assert decoder.give_up() == []


@given(st.lists(st.one_of(noises, answers, st.binary(max_size=400)), max_size=20))
def test_the_decoder_keeps_no_more_than_one_unfinished_answer(chunks: list[bytes]) -> None:
    decoder = Decoder(64)
    for chunk in chunks:
        decoder.feed(chunk)
        assert len(decoder._buffer) <= 64 + 10


def test_a_flood_of_beginnings_is_worked_off() -> None:
    decoder = Decoder(2560)
    events = decoder.feed((MARK + b"\x08\x00") * 20_000)
    assert {event.broken for event in events if isinstance(event, Malformed)} <= {Broken.CHECKSUM, Broken.LENGTH}
    assert len(decoder._buffer) <= 2570


def test_the_sam_id_reads_as_vendors_print_it() -> None:
    data = bytes.fromhex("0500 0300 81B13201 40E20100 D2029649".replace(" ", ""))
    assert protocol.parse_sam_id(data) == "05.03-20099457-0000123456-1234567890"


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_sam_id_of_another_size_breaks_the_protocol(size: int) -> None:
    with pytest.raises(ProtocolFault, match=f"16 bytes, got {size} bytes"):
        protocol.parse_sam_id(bytes(size))


def test_the_content_of_a_card_is_taken_apart_by_its_lengths() -> None:
    text, photo, prints = b"T" * 256, b"P" * 1024, b"C" * 1024
    content = protocol.split_content(protocol.READ_CARD, bytes.fromhex("01000400") + text + photo)
    assert (content.text, content.photo, content.fingerprints) == (text, photo, b"")
    read = protocol.READ_CARD_AND_FINGERPRINTS
    content = protocol.split_content(read, bytes.fromhex("010004000400") + text + photo + prints)
    assert (content.text, content.photo, content.fingerprints) == (text, photo, prints)
    content = protocol.split_content(read, bytes.fromhex("010004000000") + text + photo)
    assert content.fingerprints == b""


@given(
    st.sampled_from([protocol.READ_CARD, protocol.READ_CARD_AND_FINGERPRINTS]),
    st.one_of(st.binary(max_size=600), st.just(bytes.fromhex("01000400")), st.just(bytes(6) + bytes(300))),
)
def test_content_whose_lengths_do_not_agree_breaks_the_protocol(command: Command, data: bytes) -> None:
    with pytest.raises(ProtocolFault):
        protocol.split_content(command, data)


def test_every_status_word_has_its_reason() -> None:
    reasons = {word: reason for word, (_, reason) in protocol.STATUS_WORDS.items()}
    assert sorted(reasons) == [
        *(0x10, 0x11, 0x21, 0x23, 0x24, 0x31, 0x32, 0x33, 0x40, 0x41, 0x47, 0x60, 0x66),
        *(0x80, 0x81, 0x90, 0x91, 0x9F),
    ]
    assert reasons[0x41] == reasons[0x31] == error_pb2.REASON_DOCUMENT_UNREADABLE
    assert reasons[0x60] == error_pb2.REASON_READER_SELF_TEST_FAILED
    assert reasons[0x66] == error_pb2.REASON_READER_NOT_AUTHORISED
    assert reasons[0x91] == error_pb2.REASON_NO_SUCH_CONTENT
    assert protocol.describe(Response(0x69, 0x82, 0x41)) == "SW3 41 (read failed, card says 6982)"
    assert protocol.describe(Response(0, 0, 0x77)) == "SW3 77 (unknown to this driver)"


def test_what_a_card_holds_is_in_no_repr() -> None:
    secret = "王小明".encode("utf-16-le")
    response = Response(0, 0, 0x90, secret)
    content = protocol.CardContent(secret, secret, secret)
    for shown in (repr(response), str(response), protocol.describe(response), repr(content)):
        assert repr(secret)[2:-1] not in shown


def test_a_card_may_be_without_a_photo() -> None:
    content = protocol.split_content(protocol.READ_CARD, bytes.fromhex("01000000") + b"T" * 256)
    assert (content.text, content.photo, content.fingerprints) == (b"T" * 256, b"", b"")


def test_the_commands_that_talk_to_the_card_are_those_that_read_it() -> None:
    talking = [command for command, _ in LITERAL_COMMANDS if command.on_air]
    assert talking == [protocol.READ_CARD, protocol.READ_CARD_AND_FINGERPRINTS, protocol.READ_ADDRESS]
