"""What may be kept of an STU pad's link: reports, frames and the pen's story, whatever the bytes are."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.wacom_stu.driver import StuOptions, StuPad
from countertop.drivers.wacom_stu.encryption import opener
from countertop.drivers.wacom_stu.framing import FrameDecoder
from countertop.drivers.wacom_stu.masking import StuMasker, StuSerialMasker
from countertop.drivers.wacom_stu.pen import PenDecoder
from countertop.emulators.wacom_stu.encryption import aes_block
from countertop.emulators.wacom_stu.serial import frame
from countertop.sdk import PenSample, ProtocolFault, parse_link
from countertop.sdk.signing.screen import SignScreen
from countertop.v1.ink_pb2 import InkSpace

THRESHOLDS = (21, 16)
KEY, SESSION = bytes(range(16)), 0x1234567
WIDTH, HEIGHT = 9600, 6000
CAPABILITY = struct.pack(">BHHHHHBHB", 9, WIDTH, HEIGHT, 1023, 320, 200, 200, 2540, 3) + bytes(2)

places = st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1))
heads = st.builds(lambda switches, pressure: switches << 12 | pressure, st.integers(0, 15), st.integers(0, 1023))
pens = st.builds(lambda head, place: struct.pack(">HHH", head, *place), heads, places)
counts = st.binary(min_size=4, max_size=4)


def sealed(block: bytes) -> bytes:
    return aes_block(KEY, block)


session = st.sampled_from([SESSION.to_bytes(4, "big")] * 4 + [b"else"])
plain_reports = st.one_of(
    st.builds(lambda pen: b"\x01" + pen, pens),
    st.builds(lambda pen, count: b"\x30" + pen + count[:2], pens, counts),
    st.builds(lambda pen, count: b"\x34" + pen + count, pens, counts),
)
timed_reports = st.builds(
    lambda pen, count, number: b"\x33" + sealed(pen + count + bytes(2) + number), pens, counts, session
)
pair_reports = st.builds(
    lambda number, first, second, options: (
        (b"\x31" if options else b"\x10") + sealed(number + first + second) + options
    ),
    session,
    pens,
    pens,
    st.sampled_from([b"", b"\0\1\0\2"]),
)
features = st.builds(
    lambda kind, data: bytes([kind]) + data,
    st.sampled_from([0x03, 0x08, 0x0A, 0x0B, 0x0F, 0x13, 0x14, 0x15, 0x1A, 0x22, 0x26, 0x40, 0x50, 0x80, 0x81, 0x99]),
    st.binary(max_size=68),
)
reports = st.one_of(plain_reports, timed_reports, pair_reports, features, st.just(CAPABILITY), st.binary(max_size=40))


def new_decoder(option: int = 3) -> PenDecoder:
    decoder = PenDecoder(*THRESHOLDS, option)
    decoder.decrypt, decoder.session = opener(KEY), SESSION
    return decoder


def new_masker(*, measured: bool = True) -> StuMasker:
    decoder = new_decoder()
    masker = StuMasker(lambda: decoder, THRESHOLDS)
    if measured:
        masker.received(CAPABILITY)
    return masker


def story(stream: list[bytes], option: int = 3) -> list[list[PenSample] | str]:
    """What the driver's decoder makes of each report."""
    decoder, found = new_decoder(option), list[list[PenSample] | str]()
    for report in stream:
        try:
            found.append(decoder.decode(report))
        except ProtocolFault as fault:
            found.append(str(fault))
    return found


# -- reports --


@given(st.lists(reports, max_size=12))
def test_each_report_keeps_its_length_and_masking_it_again_changes_nothing(stream: list[bytes]) -> None:
    one, other = new_masker(measured=False), new_masker(measured=False)
    for report in stream:
        for mask, again in ((one.received, other.received), (one.sent, other.sent)):
            kept = mask(report)
            assert len(kept) == len(report)
            assert again(kept) == kept
    assert one.end() == (b"", b"")


@given(st.lists(st.one_of(plain_reports, timed_reports), max_size=30), st.sampled_from([0, 1, 3]))
def test_a_pen_keeps_its_touches_times_counts_and_faults_and_loses_its_places(stream: list[bytes], option: int) -> None:
    masker = new_masker()
    before, after = story(stream, option), story([masker.received(report) for report in stream], option)
    assert len(before) == len(after)
    for told, kept in zip(before, after, strict=True):
        if isinstance(told, str) or isinstance(kept, str):
            assert told == kept
            continue
        assert [(sample.touching, sample.time_us, sample.sequence) for sample in told] == [
            (sample.touching, sample.time_us, sample.sequence) for sample in kept
        ]
        assert all(sample.pressure in (0, *THRESHOLDS) for sample in kept)


@given(st.lists(pair_reports, max_size=20))
def test_of_encrypted_pairs_the_later_sample_is_kept_in_the_clear(stream: list[bytes]) -> None:
    masker = new_masker()
    kept = [masker.received(report) for report in stream]
    for told, after in zip(story(stream), story(kept), strict=True):
        if isinstance(told, str):
            assert told == after
        else:
            assert len(after) == 1
    opened = [report for report in kept if report[0] == 0x01]
    assert not any(any(report[7:]) for report in opened)
    assert not any(any(report[1:]) for report in kept if report[0] != 0x01)


def area(x: int, y: int) -> object:
    """The button at a place, as the screen that the signer sees has it."""
    space = InkSpace(width=WIDTH, height=HEIGHT, units_per_mm=100)
    buttons = SignScreen(320, 200, b"", max(28, 200 // 8)).buttons(space)
    return next((button for button, rectangle in buttons.items() if rectangle.holds(x, y)), None)


@given(places)
def test_a_place_becomes_the_middle_of_its_button_or_of_all_the_rest(place: tuple[int, int]) -> None:
    _, _, x, y = struct.unpack(">BHHH", new_masker().received(struct.pack(">BHHH", 1, 0x8100, *place)))
    assert area(x, y) == area(*place)
    assert (x, y) in {(4800, 2580), (1599, 5580), (4799, 5580), (7999, 5580)}


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.lists(st.integers(0, 0x0FFF), max_size=20))
def test_whatever_the_thresholds_are_a_decoder_sees_the_same_touches(on: int, off: int, pressures: list[int]) -> None:
    masker = new_masker()
    assert masker.received(struct.pack("<BHH", 0x22, on, off)) == struct.pack("<BHH", 0x22, on, off)
    effective = (on, off) if on else THRESHOLDS
    told, after = PenDecoder(*effective, 0), PenDecoder(*effective, 0)
    for pressure in pressures:
        report = struct.pack(">BHHH", 1, pressure, 5, 5)
        (one,), (other,) = told.decode(report), after.decode(masker.received(report))
        assert one.touching == other.touching
        assert other.pressure in (0, *effective)


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=2, max_size=2))
def test_neither_public_keys_nor_a_session_nor_a_key_of_the_pad_stay(key: bytes, base: bytes) -> None:
    masker = new_masker()
    assert masker.sent(b"\x13" + key) == b"\x13" + bytes(16)
    assert masker.received(b"\x14" + key) == b"\x14" + bytes(16)
    assert masker.sent(b"\x15" + key[:4]) == b"\x15" + bytes(4)
    assert masker.sent(b"\x40\x02\x01\x40" + key * 4) == b"\x40\x02\x01\x40" + bytes(64)
    assert masker.received(b"\x40\x04\x02\x40" + key * 4) == b"\x40\x04\x02\x40" + bytes(64)
    assert masker.received(b"\x1b" + base) == b"\x1b" + base


def test_a_picture_is_white_and_its_blocks_keep_their_lengths() -> None:
    masker = new_masker()
    block = b"\x26" + struct.pack("<H", 200) + b"A customer's name".ljust(253, b"x")
    assert masker.sent(block) == b"\x26" + struct.pack("<H", 200) + b"\xff" * 200 + bytes(53)
    assert masker.sent(b"\x26\xff\xff" + b"text") == b"\x26\x04\x00\xff\xff\xff\xff"


@pytest.mark.parametrize(
    ("report", "kept"),
    [
        (b"\x0aABCD", b"\x0a\0\0\0\1"),
        (b"\x0a\0\0\0\0", b"\x0a\0\0\0\0"),
        (b"\x0b12AB\0 rest", b"\x0b0000" + bytes(6)),
        (b"\x0f 7\t9" + bytes(9), b"\x0f0000" + bytes(9)),
        (b"\x0f    " + bytes(9), b"\x0f    " + bytes(9)),
        (b"\x0f" + bytes(13), b"\x0f" + bytes(13)),
        (b"\x99\x01\x02123456", b"\x99" + bytes(8)),
        (b"\x77secret", b"\x77" + bytes(6)),
        (b"", b""),
    ],
)
def test_serial_numbers_go_on_to_be_some_or_none_and_what_is_not_known_is_blank(report: bytes, kept: bytes) -> None:
    assert new_masker().received(report) == kept


# -- frames --


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Frames, some of them damaged, and noise."""
    pieces = b""
    for report in draw(st.lists(reports.filter(bool), max_size=8)):
        piece = bytearray(frame(report, crc=draw(st.booleans())))
        if draw(st.integers(0, 4)) == 0:
            piece[draw(st.integers(0, len(piece) - 1))] ^= draw(st.sampled_from([1, 0x80, 0x40]))
        pieces += bytes(piece) + draw(st.sampled_from([b"", b"", b"\x05\x06", b"\x81\x10half"]))
    return draw(st.one_of(st.just(pieces), st.binary(max_size=200)))


def new_line_masker() -> StuSerialMasker:
    return StuSerialMasker(new_masker(), 0)


def masked_line(data: bytes) -> bytes:
    masker = new_line_masker()
    return masker.received(data) + masker.end()[1]


@given(lines(), lines(), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=6))
def test_any_split_of_a_line_gives_the_same_in_the_same_length(
    to_pad: bytes, to_host: bytes, cuts: list[tuple[int, int]]
) -> None:
    whole, split = new_line_masker(), new_line_masker()
    wanted = [whole.sent(to_pad), whole.received(to_host)]
    wanted = [done + rest for done, rest in zip(wanted, whole.end(), strict=True)]
    kept = [b"", b""]
    sents = [0, *sorted(min(cut, len(to_pad)) for cut, _ in cuts), len(to_pad)]
    comes = [0, *sorted(min(cut, len(to_host)) for _, cut in cuts), len(to_host)]
    for (start, end), (first, last) in zip(pairwise(sents), pairwise(comes), strict=True):
        kept[0] += split.sent(to_pad[start:end])
        kept[1] += split.received(to_host[first:last])
    kept = [done + rest for done, rest in zip(kept, split.end(), strict=True)]
    assert kept == wanted
    assert list(map(len, kept)) == [len(to_pad), len(to_host)]


@given(lines())
def test_the_same_reports_are_in_the_frames_masked_and_masking_again_changes_nothing(data: bytes) -> None:
    kept = masked_line(data)
    masker = new_masker()
    wanted = [masker.received(report) for report in FrameDecoder().feed(data)]
    assert FrameDecoder().feed(kept) == wanted
    assert masked_line(kept) == kept


@given(st.binary(min_size=1, max_size=60), st.sampled_from([0, 0xFFFF]))
def test_a_frame_with_a_crc_has_the_right_one_again(report: bytes, initial: int) -> None:
    masker = StuSerialMasker(new_masker(), initial)
    kept = masker.received(frame(report, crc=True, initial=initial))
    assert kept == frame(new_masker().received(report), crc=True, initial=initial)


@given(st.lists(st.binary(max_size=3000), max_size=12))
def test_at_most_one_frame_is_held_back(pieces: list[bytes]) -> None:
    masker, held = new_line_masker(), 0
    for piece in [b"\xbf\x7f", *(bytes(byte & 0x7F for byte in piece) for piece in pieces), *pieces]:
        held += len(piece) - len(masker.received(piece))
        assert 0 <= held <= 2 + 8191


@pytest.mark.parametrize(("url", "kind"), [("hid://056A:00A4", StuMasker), ("serial:///dev/none", StuSerialMasker)])
def test_a_pads_masker_is_that_of_its_link(url: str, kind: type) -> None:
    pad = StuPad(parse_link(url), StuOptions.model_validate({}))
    assert isinstance(pad.masker(), kind)


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_without_a_key_an_encrypted_pen_is_blanked_and_a_fault_again(stream: list[bytes]) -> None:
    decoder = PenDecoder(*THRESHOLDS, 3)
    masker = StuMasker(lambda: decoder, THRESHOLDS)
    for tail in stream:
        for kind in (0x10, 0x31, 0x33):
            report = bytes([kind]) + tail
            kept = masker.received(report)
            assert kept == bytes([kind]) + bytes(len(tail))
            with pytest.raises(ProtocolFault):
                decoder.decode(kept)
            assert masker.sent(report) == kept
