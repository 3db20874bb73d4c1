"""The emulated SAM_V module without a link: bytes in, bytes out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from countertop.emulators.core.clock import ManualClock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LINK_FAULTS
from countertop.emulators.sdt.card import Card, default_resident, encode_card, number_check_digit
from countertop.emulators.sdt.device import DEVICE_FAULTS, DeviceSettings, SdtDevice
from countertop.emulators.sdt.field import CardField, State, Step
from countertop.emulators.sdt.photo import decode_test_photo, make_test_photo
from countertop.emulators.sdt.wire import MAX_LENGTH, Command, HostFrames, encode_sam_id
from countertop.v1 import identity_pb2

# Frames as the protocol sheet and integrators' captures print them
RESET = bytes.fromhex("AAAAAA9669000310FFEC")
STATUS = bytes.fromhex("AAAAAA9669000311FFED")
SAM_ID = bytes.fromhex("AAAAAA9669000312FFEE")
FIND = bytes.fromhex("AAAAAA96690003200122")
SELECT = bytes.fromhex("AAAAAA96690003200221")
READ = bytes.fromhex("AAAAAA96690003300132")
READ_FINGERS = bytes.fromhex("AAAAAA96690003301023")
READ_ADDRESS = bytes.fromhex("AAAAAA96690003300330")
READ_NUMBER = bytes.fromhex("AAAAAA96690003300536")
BAUD_115200 = bytes.fromhex("AAAAAA96690003600063")
ALL_COMMANDS = (
    RESET,
    STATUS,
    SAM_ID,
    FIND,
    SELECT,
    READ,
    READ_FINGERS,
    READ_ADDRESS,
    READ_NUMBER,
    BAUD_115200,
)
OK = bytes.fromhex("AAAAAA9669000400009094")
FOUND = bytes.fromhex("AAAAAA9669000800009F0000000097")
SELECTED = bytes.fromhex("AAAAAA9669000C00009000000000000000009C")

CARD = encode_card(default_resident())


def frame(body: bytes) -> bytes:
    covered = (len(body) + 1).to_bytes(2, "big") + body
    return b"\xaa\xaa\xaa\x96\x69" + covered + bytes((reduce(xor, covered),))


def refused(status: int) -> bytes:
    return frame(bytes((0, 0, status)))


class Module:
    """A module that has booted, and what it answered."""

    def __init__(self, card: Card | None = CARD, **settings: object) -> None:
        self.clock = ManualClock()
        self.board = FaultBoard((*LINK_FAULTS, *DEVICE_FAULTS), self.clock)
        self.rate = 0
        self.device = SdtDevice(
            self.clock,
            self.board,
            DeviceSettings(**settings),  # type: ignore[arg-type]
            line_rate=lambda: self.rate,
        )
        self.out = bytearray()
        self.device.connected(self.out.extend)
        if card is not None:
            self.device.lay_card(card)
        self.clock.step(10)

    def ask(self, *frames: bytes, wait: float = 10) -> bytes:
        self.out.clear()
        for one in frames:
            self.device.received(one)
            self.clock.step(wait)
        return bytes(self.out)

    def statuses(self, *frames: bytes) -> list[int]:
        return [self.ask(one)[9] for one in frames]


# Answers as captured


def test_captured_exchanges_are_reproduced_byte_by_byte() -> None:
    module = Module()
    assert module.ask(RESET) == OK
    assert module.ask(STATUS) == OK
    assert module.ask(FIND) == FOUND
    assert module.ask(SELECT) == SELECTED
    assert module.ask(BAUD_115200) == OK


def test_the_sam_id_is_packed_little_endian() -> None:
    sam_id = encode_sam_id("05.03-20120305-0000123456-1234567890")
    assert sam_id.hex().upper() == "05000300" + "F1023301" + "40E20100" + "D2029649"
    reply = Module(sam_id=sam_id).ask(SAM_ID)
    assert reply == frame(b"\0\0\x90" + sam_id)
    assert reply[5:7] == b"\x00\x14"


@pytest.mark.parametrize("text", ["", "05.03", "05.03-20120305-0000123456-4294967296", "a5.03-20120305-0000123456-1"])
def test_a_sam_id_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"NN\.NN"):
        encode_sam_id(text)


def test_reading_gives_text_and_photo_in_1295_bytes() -> None:
    reply = Module().ask(FIND, SELECT, READ)[len(FOUND + SELECTED) :]
    assert reply == frame(b"\0\0\x90\x01\x00\x04\x00" + CARD.text + CARD.photo)
    assert len(reply) == 1295
    assert reply[5:7] == b"\x05\x08"


def test_reading_with_fingerprints_gives_2321_bytes_or_1297_when_the_card_has_none() -> None:
    reply = Module().ask(FIND, SELECT, READ_FINGERS)[len(FOUND + SELECTED) :]
    assert reply == frame(b"\0\0\x90\x01\x00\x04\x00\x04\x00" + CARD.text + CARD.photo + CARD.fingerprints)
    assert len(reply) == 2321
    without = default_resident()
    del without.fingerprints[:]
    reply = Module(encode_card(without)).ask(FIND, SELECT, READ_FINGERS)[len(FOUND + SELECTED) :]
    assert len(reply) == 1297
    assert reply[5:7] == b"\x05\x0a"
    assert reply[14:16] == b"\x00\x00"


# Order, the latch, removal


def test_every_step_out_of_order_is_refused_with_its_own_status() -> None:
    module = Module()
    assert module.statuses(SELECT, READ, READ_FINGERS, READ_ADDRESS, READ_NUMBER) == [0x81, 0x41, 0x41, 0x41, 0x41]
    assert module.statuses(FIND, READ, READ_ADDRESS) == [0x9F, 0x41, 0x41]
    assert module.statuses(SELECT, SELECT, FIND, SELECT, READ) == [0x90, 0x81, 0x9F, 0x90, 0x90]


def test_without_a_card_nothing_is_found() -> None:
    module = Module(card=None)
    assert module.statuses(FIND, SELECT, READ, READ_ADDRESS, RESET) == [0x80, 0x81, 0x41, 0x41, 0x90]


def test_a_card_that_was_read_is_found_again_only_after_it_was_lifted() -> None:
    module = Module()
    assert module.statuses(FIND, SELECT, READ, FIND, FIND, SELECT, READ) == [0x9F, 0x90, 0x90, 0x80, 0x80, 0x81, 0x41]
    assert module.statuses(RESET, FIND) == [0x90, 0x80]
    assert module.device.lift_card()
    assert not module.device.lift_card()
    assert module.statuses(FIND) == [0x80]
    module.device.lay_card(CARD)
    assert module.statuses(FIND) == [0x9F]


def test_the_additional_address_tells_whether_the_same_card_still_lies_there() -> None:
    module = Module()
    module.ask(FIND, SELECT, READ)
    assert CARD.additional_address is not None
    assert module.ask(READ_ADDRESS) == frame(b"\0\0\x90" + CARD.additional_address)
    assert module.statuses(FIND, READ_ADDRESS) == [0x80, 0x90]
    module.device.lift_card()
    module.device.lay_card(CARD)
    assert module.statuses(READ_ADDRESS) == [0x41]


def test_a_card_without_additional_address_answers_that_there_is_no_content() -> None:
    document = default_resident()
    document.additional_address = ""
    module = Module(encode_card(document))
    module.ask(FIND, SELECT, READ)
    assert module.ask(READ_ADDRESS) == refused(0x91)


def test_the_management_number_has_28_bytes() -> None:
    module = Module()
    module.ask(FIND, SELECT)
    assert module.ask(READ_NUMBER) == frame(b"\0\0\x90" + CARD.management_number)
    assert len(CARD.management_number) == 28


def test_a_card_pulled_while_it_is_read_fails_the_read_at_once() -> None:
    module = Module(read_seconds=1)
    module.ask(FIND, SELECT)
    assert module.ask(READ, wait=0.5) == b""
    module.device.lift_card()
    assert module.out == refused(0x41)
    assert module.statuses(FIND) == [0x80]


def test_a_card_swapped_while_it_is_read_is_a_new_card() -> None:
    module = Module(read_seconds=1)
    module.ask(FIND, SELECT)
    module.ask(READ, wait=0.5)
    module.device.lay_card(CARD)
    assert module.out == refused(0x41)
    assert module.statuses(FIND) == [0x9F]


def test_commands_sent_while_it_reads_are_answered_afterwards_up_to_a_bound() -> None:
    module = Module(read_seconds=1)
    module.ask(FIND, SELECT)
    assert module.ask(READ + STATUS * 1000, wait=0.9) == b""
    module.clock.step(0.2)
    assert module.out[1295:] == OK * 16


@given(st.lists(st.sampled_from([*Step, "lay", "lift", "forget"]), max_size=40))
def test_whatever_happens_the_field_never_finds_what_is_not_there(steps: Sequence[Step | str]) -> None:
    field = CardField()
    read_since_laid = False
    for step in steps:
        if step == "lay":
            field.lay(CARD)
            read_since_laid = False
        elif step == "lift":
            field.lift()
        elif step == "forget":
            field.forget()
            read_since_laid = False
        else:
            assert isinstance(step, Step)
            before = field.state
            status = field.step(step)
            if step is Step.FIND and status == 0x9F:
                assert field.card is not None
                assert not read_since_laid
            if step is Step.READ and status == 0x90:
                assert before is State.SELECTED
                read_since_laid = True
        assert (field.card is None) == (field.state is State.EMPTY)


# Power and the line


def test_it_answers_nothing_while_it_boots() -> None:
    module = Module(boot_seconds=2)
    module.device.power_cycle()
    assert module.ask(STATUS, wait=1.9) == b""
    assert module.ask(STATUS, wait=0.2) == b""
    assert module.ask(STATUS) == OK


def test_losing_power_forgets_the_card_that_was_read_and_the_read_that_goes_on() -> None:
    module = Module(read_seconds=1)
    module.ask(FIND, SELECT)
    module.ask(READ, wait=0.5)
    module.device.power_cycle()
    assert module.ask(FIND) == b""
    assert module.statuses(FIND, SELECT, READ) == [0x9F, 0x90, 0x90]
    module.device.disconnected()
    module.device.power_cycle()
    assert module.ask(STATUS, STATUS) == b""
    module.device.connected(module.out.extend)
    module.clock.step(10)
    assert module.statuses(FIND) == [0x9F]


@pytest.mark.parametrize(("parameter", "rate"), list(enumerate((115200, 57600, 38400, 19200, 9600))))
def test_a_new_rate_holds_after_the_reply_and_until_power_is_lost(parameter: int, rate: int) -> None:
    module = Module()
    module.rate = 115200
    assert module.ask(frame(bytes((0x60, parameter)))) == OK
    assert module.device.baud == rate
    module.rate = 115200 if rate != 115200 else 9600
    assert module.ask(STATUS) == b""
    module.rate = rate
    assert module.ask(STATUS) == OK
    module.device.power_cycle()
    assert module.device.baud == 115200


# Mistakes of the host


def test_wrong_checksum_length_and_command_are_answered_with_10_11_and_21() -> None:
    module = Module()
    assert module.ask(STATUS[:-1] + b"\x00") == refused(0x10)
    for length in (0, 1, 2, MAX_LENGTH + 1, 0xFFFF):
        assert module.ask(b"\xaa\xaa\xaa\x96\x69" + length.to_bytes(2, "big")) == refused(0x11)
    assert module.ask(frame(b"\x20\x01\x00")) == refused(0x11)
    for body in (b"\x20\x03", b"\x60\x05", b"\xff\xff"):
        assert module.ask(frame(body)) == refused(0x21)
    assert module.ask(STATUS) == OK


def test_a_frame_that_stops_for_long_is_forgotten() -> None:
    module = Module(gap_seconds=1)
    assert module.ask(STATUS[:8], wait=0.9) == b""
    assert module.ask(STATUS[8:], wait=0) == OK
    assert module.ask(STATUS[:8], wait=1.1) == b""
    assert module.ask(STATUS) == OK


@given(st.data())
def test_any_split_of_the_input_gives_the_same_answers(data: st.DataObject) -> None:
    pieces = st.one_of(st.sampled_from(ALL_COMMANDS), st.binary(max_size=8), st.sampled_from([b"\xaa" * 4, FIND[:7]]))
    stream = b"".join(data.draw(st.lists(pieces, max_size=12)))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    whole, split = Module(read_seconds=0.5), Module(read_seconds=0.5)
    whole.device.received(stream)
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        split.device.received(stream[start:end])
    whole.clock.step(100)
    split.clock.step(100)
    assert whole.out == split.out


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_never_raises_and_a_good_command_is_understood_after_a_pause(garbage: list[bytes]) -> None:
    module = Module()
    for one in garbage:
        module.device.received(one)
    module.clock.step(10)
    assert module.ask(STATUS) == OK


@given(st.lists(st.one_of(st.binary(max_size=3000), st.just(b"\xaa\xaa\xaa\x96\x69\x04\x00")), max_size=20))
def test_the_frame_buffer_is_bounded(chunks: list[bytes]) -> None:
    frames = HostFrames()
    for chunk in chunks:
        frames.feed(chunk)
        assert len(frames._buffer) < MAX_LENGTH + 7


@pytest.mark.parametrize("noise", [b"\xaa", b"\xaa\xaa\xaa", b"\xaa\xaa\xaa\x96", b"\x96\x69", b"\x00" * 9])
def test_it_finds_the_preamble_behind_noise(noise: bytes) -> None:
    assert Module().ask(noise + STATUS) == OK


# Faults


@pytest.mark.parametrize(
    ("fault", "status"),
    [("read-fails", 0x41), ("card-rejects-sam", 0x31), ("sam-rejects-card", 0x32), ("unknown-card", 0x40)],
)
def test_a_failing_card_can_be_read_at_the_next_try(fault: str, status: int) -> None:
    module = Module()
    module.board.inject(fault, times=1)
    assert module.statuses(FIND, SELECT, READ, READ) == [0x9F, 0x90, status, 0x90]


def test_some_modules_want_the_card_lifted_after_an_error() -> None:
    module = Module(lift_after_error=True)
    module.board.inject("read-fails", times=1)
    assert module.statuses(FIND, SELECT, READ, READ, FIND) == [0x9F, 0x90, 0x41, 0x41, 0x80]
    module.device.lift_card()
    module.device.lay_card(CARD)
    assert module.statuses(FIND, SELECT, READ) == [0x9F, 0x90, 0x90]


def test_a_card_that_vanishes_when_reading_begins_is_gone() -> None:
    module = Module()
    module.board.inject("remove-while-reading", times=1)
    assert module.statuses(FIND, SELECT, READ, FIND) == [0x9F, 0x90, 0x41, 0x80]
    assert not module.device.lift_card()


def test_a_module_with_a_failed_self_test_accepts_nothing() -> None:
    module = Module()
    module.board.inject("self-test-failed")
    assert module.statuses(STATUS, SAM_ID, FIND, RESET) == [0x60] * 4
    module.board.clear()
    assert module.statuses(STATUS) == [0x90]


def test_a_module_without_authority_still_tells_who_it_is() -> None:
    module = Module()
    module.board.inject("not-authorised")
    assert module.statuses(STATUS, FIND, SELECT, READ, RESET, SAM_ID) == [0x66, 0x66, 0x66, 0x66, 0x90, 0x90]


def test_replies_can_have_a_wrong_checksum_or_length() -> None:
    module = Module()
    module.board.inject("wrong-checksum", times=1)
    assert module.ask(STATUS) == OK[:-1] + bytes((OK[-1] ^ 0xFF,))
    module.board.inject("wrong-length", times=1)
    assert module.ask(STATUS) == OK[:6] + b"\x05" + OK[7:]
    assert module.ask(STATUS) == OK


# Cards


def test_the_default_resident_is_consistent() -> None:
    document = default_resident()
    assert document.number[6:14] == document.person.birth_date.replace("-", "")
    assert int(document.number[16]) % 2 == 0
    assert document.person.sex == identity_pb2.SEX_FEMALE
    assert number_check_digit(document.number[:17]) == document.number[17]


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])  # examples of GB 11643
def test_check_digits_follow_the_standard(number: str) -> None:
    assert number_check_digit(number[:17]) == number[17]


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "赵" * 16), ("address", "路" * 36), ("birth_date", "19900307"), ("name", "𠮷" * 8)],
)
def test_what_does_not_fit_on_a_card_is_refused_without_quoting_it(field: str, value: str) -> None:
    document = default_resident()
    setattr(document.person, field, value)
    with pytest.raises(ValueError, match=f"person.{field}: expected") as caught:
        encode_card(document)
    assert value not in str(caught.value)


def test_details_of_another_type_are_refused() -> None:
    document = default_resident()
    document.hk_macao_taiwan_permit.pass_number = "H00000000"
    with pytest.raises(ValueError, match="details: expected resident_card"):
        encode_card(document)


def test_photos_and_templates_of_another_size_are_refused() -> None:
    document = default_resident()
    document.photo.raw = bytes(1023)
    with pytest.raises(ValueError, match=r"photo\.raw: expected 1024 bytes"):
        encode_card(document)
    document = default_resident()
    document.fingerprints[0].template = bytes(511)
    with pytest.raises(ValueError, match=r"fingerprints\.template: expected 512 bytes"):
        encode_card(document)


def test_given_photos_and_templates_are_laid_down_unchanged() -> None:
    document = default_resident()
    document.photo.raw = bytes(range(256)) * 4
    document.fingerprints[0].template = b"C" * 512
    card = encode_card(document)
    assert card.photo == document.photo.raw
    assert card.fingerprints[:512] == b"C" * 512


def test_an_invented_template_has_the_head_that_the_standard_gives() -> None:
    for start, position in ((0, 11), (512, 16)):
        template = CARD.fingerprints[start : start + 512]
        assert (template[0:1], template[4], template[5], template[6]) == (b"C", 1, position, 80)


def test_a_single_finger_leaves_the_other_not_enrolled() -> None:
    document = default_resident()
    del document.fingerprints[1:]
    assert encode_card(document).fingerprints[512 + 4] == 3


def test_the_repr_of_a_card_tells_nothing() -> None:
    assert repr(CARD) == "Card()"


# Photos


@given(st.integers())
def test_a_test_photo_looks_like_a_real_one_from_outside_and_decodes_to_a_picture(seed: int) -> None:
    raw = make_test_photo(seed)
    assert len(raw) == 1024
    assert raw[:11] == bytes.fromhex("574C66007E00320000FF85")
    image = decode_test_photo(raw)
    assert image is not None
    assert (image.media_type, image.width, image.height) == ("image/png", 102, 126)
    with PillowImage.open(io.BytesIO(image.data)) as picture:
        picture.load()
        assert picture.size == (102, 126)
        colours = picture.convert("RGB").getcolors()
        assert colours is not None
        assert len(colours) == 8


def test_the_same_seed_draws_the_same_face() -> None:
    assert make_test_photo(7) == make_test_photo(7) != make_test_photo(8)


@given(st.integers(0, 5), st.integers(0, 1023), st.integers(1, 255))
def test_a_damaged_test_photo_is_a_picture_or_nothing(seed: int, place: int, change: int) -> None:
    raw = bytearray(make_test_photo(seed))
    raw[place] ^= change
    image = decode_test_photo(bytes(raw))
    assert image is None or len(image.data) > 100


@given(st.binary(max_size=1030))
def test_other_photos_are_left_to_others(raw: bytes) -> None:
    assert decode_test_photo(raw) is None
    assert decode_test_photo((bytes.fromhex("574C66007E00320000FF85") + raw).ljust(1024, b"\0")[:1024]) is None


def test_a_frame_has_begun_with_the_first_byte_of_its_preamble_until_its_last() -> None:
    whole = frame(b"\x20\x01")
    frames = HostFrames()
    assert frames.partial is False
    for byte in whole[:-1]:
        assert frames.feed(bytes([byte])) == []
        assert frames.partial is True
    assert len(frames.feed(whole[-1:])) == 1
    assert frames.partial is False
    frames.feed(whole[:7])
    frames.reset()
    assert frames.partial is False


@pytest.mark.parametrize("more", [0, 1, MAX_LENGTH - 3])
def test_a_command_may_bring_data(more: int) -> None:
    (command,) = HostFrames().feed(frame(b"\x60\x02" + b"d" * more))
    assert command == Command(0x6002, b"d" * more)
