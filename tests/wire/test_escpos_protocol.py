"""The decoder of what a printer sends back, and the requests."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.protocol import (
    AutomaticStatus,
    BuffersCleared,
    Decoder,
    Event,
    FlowControl,
    Garbage,
    IdentityByte,
    OtherBlock,
    Pending,
    PrinterInfo,
    ProcessId,
    RealtimeStatus,
    StatusByte,
)

NOTHING = Pending(0)


def decode(data: bytes, pending: Pending = NOTHING, cuts: tuple[int, ...] = ()) -> list[Event]:
    """All events, with garbage that a cut has parted put together again."""
    decoder = Decoder(pending)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    events: list[Event] = []
    for start, end in itertools.pairwise(edges):
        for event in decoder.feed(data[start:end]):
            if isinstance(event, Garbage) and events and isinstance(events[-1], Garbage):
                events[-1] = Garbage(events[-1].count + event.count)
            else:
                events.append(event)
    return events


# What a printer may say, with the answer that must be pending for it.
ASB = st.tuples(
    st.sampled_from([b for b in range(256) if b & 0x93 == 0x10]),
    *[st.sampled_from([b for b in range(256) if b & 0x90 == 0])] * 3,
).map(bytes)
MESSAGES = st.one_of(
    ASB.map(lambda b: (b, AutomaticStatus(b))),
    st.sampled_from([b for b in range(256) if b & 0x93 == 0x12]).map(lambda b: (bytes([b]), RealtimeStatus(b, False))),
    st.sampled_from([(b"\x11", FlowControl(True)), (b"\x13", FlowControl(False))]),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=80).map(
        lambda t: (b"_" + t.encode() + b"\0", PrinterInfo(t))
    ),
    st.binary(min_size=4, max_size=4)
    .map(lambda b: bytes(0x20 + byte % 95 for byte in b))
    .map(lambda b: (b"\x37\x22" + b + b"\0", ProcessId(b))),
    st.just((b"\x37\x25\0", BuffersCleared())),
    st.just((b"\x3b\x30\0", OtherBlock(0x3B, b"0"))),
)


class TestCapturedBytes:
    """Values that were captured from a TM-T20II, and those of the specifications."""

    def test_automatic_status_of_a_tm_t20ii(self) -> None:
        assert decode(b"\x14\x00\x00\x0f") == [AutomaticStatus(b"\x14\x00\x00\x0f")]

    def test_model_number_of_a_tm_t20ii(self) -> None:
        assert decode(b"\x63", Pending.IDENTITY) == [IdentityByte(0x63)]

    def test_model_name_of_a_tm_t20ii(self) -> None:
        assert decode(b"\x5fTM-T20II\x00") == [PrinterInfo("TM-T20II")]

    @pytest.mark.parametrize("value", [0x16, 0x12, 0x1E, 0x7E, 0x1A, 0x32, 0x52, 0x72])
    def test_realtime_status(self, value: int) -> None:
        assert decode(bytes([value]), Pending.REALTIME) == [RealtimeStatus(value, True)]

    def test_language_of_the_chinese_tm_u230(self) -> None:
        assert decode(b"_CHINA GB2312\0") == [PrinterInfo("CHINA GB2312")]

    def test_buffers_cleared(self) -> None:
        assert decode(b"\x37\x25\x00") == [BuffersCleared()]

    def test_process_id(self) -> None:
        assert decode(b"\x37\x22A~ 1\x00") == [ProcessId(b"A~ 1")]


class TestSingleBytesAreToldApartByThePendingRequest:
    def test_paper_status(self) -> None:
        assert decode(b"\x03", Pending.STATUS) == [StatusByte(0x03)]

    def test_the_answer_takes_the_wait_back(self) -> None:
        assert decode(b"\x03\x03", Pending.STATUS) == [StatusByte(0x03), Garbage(1)]

    def test_a_status_byte_that_nobody_asked_for_is_garbage(self) -> None:
        assert decode(b"\x00") == [Garbage(1)]

    def test_a_realtime_status_out_of_picture_data_is_marked(self) -> None:
        assert decode(b"\x12") == [RealtimeStatus(0x12, False)]

    def test_only_one_realtime_status_is_the_answer(self) -> None:
        assert decode(b"\x16\x12", Pending.REALTIME) == [RealtimeStatus(0x16, True), RealtimeStatus(0x12, False)]

    def test_a_fence_stays_pending_beside_a_realtime_request(self) -> None:
        decoder = Decoder()
        decoder.expect(Pending.STATUS)
        decoder.expect(Pending.REALTIME)
        assert decoder.feed(b"\x12\x00") == [RealtimeStatus(0x12, True), StatusByte(0)]

    def test_a_wait_can_be_given_up(self) -> None:
        decoder = Decoder()
        decoder.expect(Pending.STATUS)
        decoder.forget(Pending.STATUS)
        assert decoder.feed(b"\x00") == [Garbage(1)]

    def test_the_status_after_an_automatic_status_is_not_part_of_it(self) -> None:
        assert decode(b"\x14\0\0\x0f\x0c", Pending.STATUS) == [AutomaticStatus(b"\x14\0\0\x0f"), StatusByte(0x0C)]


class TestDisorder:
    def test_xoff_inside_a_block_is_taken_out(self) -> None:
        assert decode(b"\x37\x22AB\x13CD\x11\0") == [FlowControl(False), FlowControl(True), ProcessId(b"ABCD")]

    def test_xoff_inside_automatic_status_is_taken_out(self) -> None:
        assert decode(b"\x14\x00\x13\x00\x0f") == [FlowControl(False), AutomaticStatus(b"\x14\x00\x00\x0f")]

    def test_broken_automatic_status_does_not_swallow_the_answer_behind_it(self) -> None:
        assert decode(b"\x14\x00\x16", Pending.REALTIME) == [Garbage(2), RealtimeStatus(0x16, True)]

    def test_a_block_without_its_end_gives_way_to_a_control_character(self) -> None:
        assert decode(b"_TM\x16", Pending.REALTIME) == [Garbage(3), RealtimeStatus(0x16, True)]

    def test_a_block_that_never_ends_is_dropped_and_the_next_answer_read(self) -> None:
        data = b"_" + b"x" * 500 + b"\0" + b"\x37\x25\0"
        assert decode(data) == [Garbage(502), BuffersCleared()]

    def test_after_a_silence_an_open_block_can_be_dropped(self) -> None:
        decoder = Decoder()
        decoder.feed(b"_TM-T")
        decoder.reset()
        assert decoder.feed(b"\x37\x25\0") == [BuffersCleared()]

    def test_chinese_text_in_a_block_does_not_raise(self) -> None:
        (event,) = decode(b"_\xd6\xd0\0")
        assert isinstance(event, PrinterInfo)


@given(st.lists(MESSAGES, max_size=12))
def test_every_sequence_of_well_formed_messages_is_read_back(messages: list[tuple[bytes, Event]]) -> None:
    assert decode(b"".join(data for data, _ in messages)) == [event for _, event in messages]


@given(
    st.lists(st.one_of(MESSAGES.map(lambda m: m[0]), st.binary(max_size=6)), max_size=12).map(b"".join),
    st.lists(st.integers(0, 400), max_size=6).map(tuple),
    st.sampled_from([NOTHING, Pending.REALTIME, Pending.STATUS, Pending.IDENTITY, Pending.REALTIME | Pending.STATUS]),
)
@example(b"\x14\x00\x13\x00\x0f", (1, 2, 3, 4), NOTHING)
def test_any_split_gives_the_same_events(data: bytes, cuts: tuple[int, ...], pending: Pending) -> None:
    assert decode(data, pending, cuts) == decode(data, pending)


@given(st.binary(max_size=2000))
@settings(max_examples=60)
def test_any_bytes_are_taken_in_bounded_memory(data: bytes) -> None:
    decoder = Decoder()
    for byte in data:
        decoder.feed(bytes([byte]))
        held = len(decoder._asb) + len(decoder._block or b"")
        assert held <= protocol.MAX_BLOCK + 4


@given(st.binary(max_size=300), st.binary(max_size=4))
def test_no_byte_vanishes(data: bytes, tail: bytes) -> None:
    """Every byte belongs to an event or is counted; what may be left over is what the decoder still holds."""
    decoder = Decoder()
    sizes = {RealtimeStatus: 1, AutomaticStatus: 4, FlowControl: 1, BuffersCleared: 3, ProcessId: 7}
    counted = 0
    for event in decoder.feed(data + tail):
        match event:
            case Garbage(count):
                counted += count
            case PrinterInfo(text):
                counted += len(text) + 2
            case OtherBlock(_, body):
                counted += len(body) + 2
            case _:
                counted += sizes[type(event)]
    assert counted + len(decoder._asb) + len(decoder._block or b"") == len(data + tail)


class TestRequests:
    def test_bytes_of_the_specification(self) -> None:
        assert protocol.realtime_status(4) == b"\x10\x04\x04"
        assert protocol.AUTOMATIC_STATUS_ON == b"\x1d\x61\xff"
        assert protocol.status(1) == b"\x1d\x72\x01"
        assert protocol.identity(67) == b"\x1d\x49\x43"
        assert protocol.process_id(b"AB12") == b"\x1d\x28\x48\x06\x00\x30\x30AB12"
        assert bytes.fromhex("10 14 08 01 03 14 01 06 02 08") == protocol.CLEAR_BUFFERS
        assert protocol.RECOVER_AND_CLEAR == b"\x10\x05\x02"

    def test_pulse_times_are_in_steps_of_two_milliseconds(self) -> None:
        assert protocol.pulse(1, 100, 200) == b"\x1b\x70\x00\x32\x64"
        assert protocol.pulse(2, 510, 510) == b"\x1b\x70\x01\xff\xff"

    @given(st.integers(0, 2 * 95**4))
    def test_process_ids_are_printable_and_differ(self, first: int) -> None:
        ids = list(itertools.islice(protocol.process_ids(first), 50))
        assert len(set(ids)) == 50
        assert all(len(value) == 4 and all(0x20 <= byte <= 0x7E for byte in value) for value in ids)


class TestRequestsWithNumbers:
    def test_what_is_asked_for_has_the_numbers_of_the_reference(self) -> None:
        texts = (
            protocol.INFO_FIRMWARE,
            protocol.INFO_MAKER,
            protocol.INFO_MODEL,
            protocol.INFO_SERIAL,
            protocol.INFO_LANGUAGE,
        )
        assert [protocol.identity(n).hex() for n in texts] == ["1d4941", "1d4942", "1d4943", "1d4944", "1d4945"]
        bytes_ = (protocol.ID_MODEL, protocol.ID_TYPE, protocol.ID_ROM)
        assert [protocol.identity(n).hex() for n in bytes_] == ["1d4901", "1d4902", "1d4903"]
        assert protocol.counter(protocol.COUNTER_CUTS) == b"\x1dg2\x00\xb2\x00"
        assert protocol.counter(protocol.COUNTER_LINES) == b"\x1dg2\x00\x94\x00"
        assert protocol.INITIALIZE == b"\x1b\x40"
        assert protocol.RECOVER_AND_CONTINUE == b"\x10\x05\x01"

    @pytest.mark.parametrize(
        ("drawer", "on_ms", "told"),
        [(1, 0, "1014010001"), (1, 199, "1014010001"), (2, 200, "1014010102"), (2, 5000, "1014010108")],
    )
    def test_a_pulse_at_once_is_in_steps_of_a_tenth_of_a_second(self, drawer: int, on_ms: int, told: str) -> None:
        assert protocol.realtime_pulse(drawer, on_ms).hex() == told

    def test_there_are_as_many_process_ids_as_four_printable_characters_can_be(self) -> None:
        assert protocol.PROCESS_IDS == 81_450_625
        assert protocol.process_id_number(b"    ") == 0
        assert protocol.process_id_number(b"  !~") == 95 + 94
        assert protocol.process_id_number(b"~~~~") == protocol.PROCESS_IDS - 1
        assert list(itertools.islice(protocol.process_ids(protocol.PROCESS_IDS - 1), 2)) == [b"~~~~", b"    "]

    @given(st.integers(0, protocol.PROCESS_IDS - 1))
    def test_a_process_id_tells_which_one_it_is(self, number: int) -> None:
        assert protocol.process_id_number(next(protocol.process_ids(number))) == number


@pytest.mark.parametrize("body", [b"\x21ABCD", b"\x23ABCD", b'"ABC', b'"ABCDE', b"ABCDE", b"%A", b"&", b""])
def test_a_block_that_only_looks_like_a_process_id_is_none(body: bytes) -> None:
    assert decode(b"\x37" + body + b"\0") == [OtherBlock(0x37, body)]


@pytest.mark.parametrize("header", b"\x35\x39\x3b\x3d")
def test_a_process_id_has_its_own_header(header: int) -> None:
    assert decode(bytes([header]) + b'"ABCD\0') == [OtherBlock(header, b'"ABCD')]


def test_the_type_of_a_printer_has_the_bits_of_the_reference() -> None:
    assert (protocol.TYPE_MULTI_BYTE, protocol.TYPE_CUTTER) == (1, 2)
