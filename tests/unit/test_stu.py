"""The parts of STU pads: frames, pen reports, pictures, and the pad's states, each side written by itself."""

from __future__ import annotations

import struct
from contextlib import suppress
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from countertop.drivers.wacom_stu import framing as driver_frames
from countertop.drivers.wacom_stu import reports as driver_reports
from countertop.drivers.wacom_stu.pen import PenDecoder, Unwrapped
from countertop.drivers.wacom_stu.reports import parse_capability, parse_information, parse_status
from countertop.emulators.core.clock import ManualClock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.wacom_stu import serial as pad_frames
from countertop.emulators.wacom_stu.device import DEVICE_FAULTS, RefusedReport, StuDevice
from countertop.emulators.wacom_stu.models import MODELS, REPORT_SIZES
from countertop.sdk import ProtocolFault

# -- frames --

reports = st.binary(min_size=1, max_size=300)


def test_the_one_frame_that_is_known() -> None:
    assert driver_frames.encode(bytes([0x80, 0x03])) == bytes.fromhex("80 03 40 00 60")
    assert list(pad_frames.FrameDecoder().feed(bytes.fromhex("80 03 40 00 60"))) == [bytes([0x80, 0x03])]


@given(st.lists(reports, max_size=5), st.lists(st.integers(0, 1500), max_size=5), st.booleans())
def test_frames_come_through_in_any_split_in_both_directions(
    messages: list[bytes], cuts: list[int], checked: bool
) -> None:
    to_host = b"".join(pad_frames.frame(message, crc=checked) for message in messages)
    to_pad = b"".join(driver_frames.encode(message) for message in messages)
    for stream, decoder in ((to_host, driver_frames.FrameDecoder()), (to_pad, pad_frames.FrameDecoder())):
        edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
        found = [report for start, end in pairwise(edges) for report in decoder.feed(stream[start:end])]
        assert found == messages


@pytest.mark.parametrize("size", [1, 6, 7, 55, 56, 57, 111, 112, 113, 255, 256, 300, 1000, 7167])
def test_a_report_of_any_length_goes_through_in_both_directions(size: int) -> None:
    report = bytes(index * 37 % 256 for index in range(size))
    assert driver_frames.FrameDecoder().feed(pad_frames.frame(report)) == [report]
    assert list(pad_frames.FrameDecoder().feed(driver_frames.encode(report))) == [report]


@given(st.binary(max_size=60), reports)
def test_the_next_frame_is_found_after_any_garbage(garbage: bytes, message: bytes) -> None:
    for frame, decoder in (
        (pad_frames.frame(message), driver_frames.FrameDecoder()),
        (driver_frames.encode(message), pad_frames.FrameDecoder()),
    ):
        assert list(decoder.feed(garbage + frame))[-1:] == [message]


@given(st.binary(min_size=3, max_size=40), st.integers(0, 10_000), st.sampled_from([0, 0xFFFF]))
def test_a_damaged_frame_with_a_crc_is_dropped(message: bytes, at: int, initial: int) -> None:
    frame = bytearray(pad_frames.frame(message, crc=True, initial=initial))
    place = 2 + at % (len(frame) - 3)
    frame[place] ^= 0x01
    decoder = driver_frames.FrameDecoder(initial)
    assert decoder.feed(bytes(frame)) == []
    assert decoder.dropped == 1


def test_crc_begins_where_it_is_said_to() -> None:
    """The check values of CRC-16/ARC and CRC-16/MODBUS."""
    assert pad_frames.crc16(b"123456789", 0) == 0xBB3D
    assert pad_frames.crc16(b"123456789", 0xFFFF) == 0x4B37


# -- the pen --


@given(st.integers(0, 10**6), st.lists(st.integers(1, 60_000), max_size=40))
def test_a_count_of_16_bits_goes_on_over_its_wraps(start: int, steps: list[int]) -> None:
    whole, unwrapped = start, Unwrapped()
    first = unwrapped(start & 0xFFFF)
    for step in steps:
        whole += step
        assert unwrapped(whole & 0xFFFF) - first == whole - start


@given(st.binary(max_size=30))
def test_decoding_pen_reports_is_total(report: bytes) -> None:
    decoder = PenDecoder(21, 16, 3)
    decoder.decrypt = lambda block: block
    with suppress(ProtocolFault):
        decoder.decode(report)


def test_the_pen_is_down_from_the_upper_threshold_to_the_lower() -> None:
    decoder = PenDecoder(21, 16, 0)
    pressures = [0, 20, 21, 18, 16, 15, 20, 22]
    samples = [decoder.decode(struct.pack(">BHHH", 1, 0x8000 | pressure, 5, 6))[0] for pressure in pressures]
    assert [sample.touching for sample in samples] == [False, False, True, True, True, False, False, True]


def test_time_and_count_come_from_the_report() -> None:
    (sample,) = PenDecoder(21, 16, 3).decode(struct.pack(">BHHHHH", 0x34, 0x8100, 1, 2, 7, 9))
    assert (sample.pressure, sample.x, sample.y, sample.time_us, sample.sequence) == (256, 1, 2, 7000, 9)


@given(st.binary(max_size=20))
def test_parsing_feature_reports_is_total(data: bytes) -> None:
    for parse in (parse_status, parse_information, parse_capability):
        with suppress(ProtocolFault):
            parse(data)


# -- the pad's states --

STATUS = {0: "Ready", 1: "Image", 2: "Capture", 3: "Calculation"}


class PadStates(RuleBasedStateMachine):
    """An STU-430 that is sent reports in any order, allowed or not; its states are told apart by what it says alone."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.pad = StuDevice(MODELS["430"], self.clock, FaultBoard(DEVICE_FAULTS, self.clock), Random(1), 1, 0.1)
        self.pad.send = lambda report: True
        self.expected = 0

    def sent(self, report: bytes) -> int:
        """Set a report; the pad's result."""
        self.pad.set(report.ljust(REPORT_SIZES["430"][report[0]], b"\0"))
        return parse_status(self.pad.get(0x03)).result

    def only_when(self, states: set[int], result: int) -> bool:
        """The report was taken, in the states that allow it and in no other."""
        assert (result != 2) == (self.expected in states), f"result {result} in {STATUS[self.expected]}"
        return result == 0

    @rule(encoding=st.sampled_from([0x00, 0x01, 0x02, 0x04, 0x10, 0x33]))
    def start_image(self, encoding: int) -> None:
        result = self.sent(bytes([0x25, encoding]))
        if self.only_when({0}, result):
            assert encoding in (0x00, 0x01)
            self.expected = 1
        elif self.expected == 0:
            assert result == 0x10

    @rule(data=st.binary(max_size=253))
    def image_block(self, data: bytes) -> None:
        result = self.sent(bytes([0x26]) + struct.pack("<H", len(data)) + data)
        self.only_when({1}, result)
        if result == 0x11:
            self.expected = 0

    @rule(abandon=st.booleans())
    def end_image(self, abandon: bool) -> None:
        self.only_when({1}, self.sent(bytes([0x27, abandon])))
        if self.expected == 1:
            self.expected = 0

    @rule()
    def start_capture(self) -> None:
        result = self.sent(bytes([0x15, 1, 2, 3, 4]))
        assert result == 2  # never without a key

    @rule()
    def end_capture(self) -> None:
        self.only_when({2}, self.sent(bytes([0x16, 0])))

    @rule()
    def generate_key(self) -> None:
        if self.only_when({0}, self.sent(bytes([0x40, 5]))):
            self.expected = 3

    @rule(seconds=st.sampled_from([0.05, 0.2]))
    def time_passes(self, seconds: float) -> None:
        self.clock.step(seconds)
        if seconds > 0.1 and self.expected == 3:
            self.expected = 0
        elif self.expected == 3:
            self.expected = self.pad.state

    @rule()
    def clear(self) -> None:
        self.only_when({0}, self.sent(bytes([0x20, 0])))

    @rule(mode=st.integers(0, 5))
    def always_allowed(self, mode: int) -> None:
        result = self.sent(bytes([0x32, mode]))
        assert result == (0 if mode <= 3 else 4)
        assert self.sent(bytes([0x21, 1])) == 0

    @rule(soft=st.booleans())
    def reset(self, soft: bool) -> None:
        assert self.sent(bytes([0x04, not soft])) == 0
        self.expected = 0

    @rule(report=st.binary(min_size=1, max_size=300))
    def unknown_or_of_another_size(self, report: bytes) -> None:
        if REPORT_SIZES["430"].get(report[0]) != len(report):
            with pytest.raises(RefusedReport):
                self.pad.set(report)

    @rule(x=st.integers(0, 9599), y=st.integers(0, 5999), pressure=st.integers(0, 1023))
    def the_pen_moves(self, x: int, y: int, pressure: int) -> None:
        self.pad.pen(x, y, pressure)

    @invariant()
    def every_get_is_allowed_and_the_state_is_as_expected(self) -> None:
        assert parse_status(self.pad.get(0x03)).state == self.expected
        assert parse_capability(self.pad.get(0x09)).width == 320
        assert len(self.pad.get(0x50)) == 17


TestPadStates: Any = PadStates.TestCase
TestPadStates.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


@given(st.binary(min_size=1, max_size=260))
def test_any_report_is_taken_or_refused(report: bytes) -> None:
    clock = ManualClock()
    pad = StuDevice(MODELS["530"], clock, FaultBoard(DEVICE_FAULTS, clock), Random(1), 1, 0.1)
    sizes = REPORT_SIZES["530"]
    for candidate in (report, report[:1] + report[1:].ljust(600, b"\0")[: sizes.get(report[0], 1) - 1]):
        with suppress(RefusedReport):
            pad.set(candidate)
        clock.step(1)
        with suppress(RefusedReport):
            assert len(pad.get(candidate[0])) == sizes[candidate[0]]


def test_a_frame_that_another_one_cuts_off_is_counted() -> None:
    cutter = driver_frames.FrameCutter()
    frame = pad_frames.frame(b"report", crc=True)
    pieces = cutter.feed(frame[:4] + frame)
    assert [piece.report for piece in pieces] == [b"", b"report"]
    assert (cutter.dropped, cutter.pending) == (1, 0)


# -- reports --


def test_the_sizes_of_reports_are_those_that_the_pads_have() -> None:
    pads = {(report, size) for sizes in REPORT_SIZES.values() for report, size in sizes.items()}
    assert set(driver_reports.SIZES.items()) <= pads


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (0x00, "Ready"),
        (0x01, "Image"),
        (0x02, "Capture"),
        (0x03, "Calculation"),
        (0x04, "Image_Boot"),
        (0x05, "RomBusy"),
        (0x06, "state 06"),
        (0xFF, "SystemReset"),
    ],
)
def test_the_states_of_a_pad_have_the_names_of_wacoms_sdk(state: int, name: str) -> None:
    status = parse_status(bytes([3, state, 0, 0, 0]))
    assert (status.state, status.state_name, status.result_name) == (state, name, "ok")


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (0x01, "wrong report"),
        (0x02, "wrong state"),
        (0x03, "wrong CRC"),
        (0x04, "bad parameter"),
        (0x05, "result 05"),
        (0x10, "wrong encoding"),
        (0x11, "image too long"),
        (0x12, "bad zlib data"),
        (0x15, "wrong area"),
        (0x20, "pad image missing"),
        (0x33, "ROM overflow"),
        (0x34, "bad ROM parameter"),
        (0x35, "wrong ROM CRC"),
    ],
)
def test_what_a_pad_says_of_the_last_report_has_a_name(result: int, name: str) -> None:
    assert parse_status(bytes([3, 0, result, 0, 0])).result_name == name


def test_a_pad_tells_its_model_and_its_firmware() -> None:
    report = bytes([8]) + b"STU-430V\0" + bytes([1, 12]) + bytes(5)
    assert parse_information(report) == driver_reports.Information("STU-430V", "1.12")


@pytest.mark.parametrize(("told", "inch"), [(0, 2540), (2000, 2000)])
def test_a_pad_tells_its_sizes_and_an_inch_is_2540_units_where_it_does_not_say(told: int, inch: int) -> None:
    report = struct.pack(">BHHHHHBHBH", 9, 9600, 6000, 1023, 320, 200, 200, told, 2, 0)
    assert parse_capability(report) == driver_reports.Capability(9600, 6000, 1023, 320, 200, 200, inch, 2)


@pytest.mark.parametrize("missing", range(4))
def test_a_pad_without_a_size_is_a_fault(missing: int) -> None:
    x, y, width, height = (0 if index == missing else 100 for index in range(4))
    with pytest.raises(ProtocolFault):
        parse_capability(struct.pack(">BHHHHHBHBH", 9, x, y, 1023, width, height, 200, 2540, 2, 0))


@pytest.mark.parametrize(("parse", "report_id", "size"), [(parse_status, 3, 5), (parse_information, 8, 17)])
def test_a_report_that_is_short_or_another_one_is_a_fault(parse: Any, report_id: int, size: int) -> None:
    parse(bytes([report_id]).ljust(size, b"\1"))
    for report in (bytes([report_id]).ljust(size - 1, b"\1"), bytes([report_id + 1]).ljust(size, b"\1")):
        with pytest.raises(ProtocolFault):
            parse(report)


def test_the_reports_that_show_a_picture_and_begin_a_capture_have_the_ids_of_wacoms_sdk() -> None:
    picture = (driver_reports.START_IMAGE, driver_reports.IMAGE_BLOCK, driver_reports.END_IMAGE)
    assert picture == (0x25, 0x26, 0x27)
    assert (driver_reports.START_CAPTURE, driver_reports.END_CAPTURE) == (0x15, 0x16)
    states = (driver_reports.READY, driver_reports.IMAGE, driver_reports.CAPTURE, driver_reports.CALCULATION)
    assert [driver_reports.STATES[state] for state in states] == ["Ready", "Image", "Capture", "Calculation"]
