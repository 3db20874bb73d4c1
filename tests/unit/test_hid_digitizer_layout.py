"""Pens in the reports of HID digitizers: where they are, and what they say."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.hid_digitizer.layout import EPAD, FIXED, Element, PenLayout, find_pen
from countertop.drivers.hid_digitizer.pen import PenReader
from countertop.drivers.hid_digitizer.report_descriptor import parse_report_descriptor
from countertop.sdk import PenSample
from countertop.sdk.signing import ButtonPress
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, PAD_BUTTON_CLEAR

PEN = bytes.fromhex(
    "05 0D 09 02 A1 01 85 08 09 20 A1 00"  # digitizers: pen, report 8, stylus
    "09 42 09 44 09 3C 09 45 15 00 25 01 75 01 95 04 81 02"  # tip, barrel, invert, eraser
    "95 01 81 03 09 32 81 02 95 02 81 03"  # padding, in range, padding
    "05 01 A4 55 0D 65 13 35 00 75 10 95 01"  # thousandths of an inch
    "09 30 46 40 1F 26 00 3E 81 02"  # x: 8 inches, 15872
    "09 31 46 88 13 26 C0 26 81 02 B4"  # y: 5 inches, 9920
    "05 0D 09 30 15 00 26 FF 07 75 10 95 01 81 02"  # pressure
    "16 D8 DC 26 28 23 36 D8 DC 46 28 23 55 0E 65 14"  # -9000 to 9000 hundredths of a degree
    "09 3D 81 02 09 3E 81 02 C0 C0"
)
TOUCH_SCREEN = bytes.fromhex(
    "05 0D 09 04 A1 01 85 01 09 22 A1 02 09 42 15 00 25 01 75 01 95 01 81 02 95 07 81 03"
    "05 01 26 FF 0F 75 10 95 01 09 30 81 02 09 31 81 02 C0 C0"
)
MOUSE = bytes.fromhex(
    "05 01 09 02 A1 01 09 01 A1 00 05 09 19 01 29 03 15 00 25 01 95 03 75 01 81 02 95 01 75 05 81 01"
    "05 01 09 30 09 31 15 81 25 7F 75 08 95 02 81 06 C0 C0"
)
ABSOLUTE_MOUSE = bytes.fromhex(
    "05 01 09 02 A1 01 85 02 05 09 09 01 15 00 25 01 75 08 95 01 81 02 05 01 26 FF 7F 75 10 09 30 81 02 09 31 81 02 C0"
)
# As an ePad was read to state it: everything in a vendor's own collection, Touch and Untouch for tip and range.
EPAD_STATES = bytes.fromhex(
    "06 00 FF 09 FF A1 01"
    "15 00 25 01 05 09 09 01 75 01 95 01 81 02 09 02 81 02"  # two buttons
    "05 0D 09 39 A1 02 06 00 FF 19 01 29 03 15 01 25 03 95 01 75 03 81 00 C0"  # three bits of the vendor's
    "05 0D 09 33 15 00 25 01 75 01 95 01 81 02 09 35 81 02 75 01 81 01"  # touch, untouch, padding
    "05 01 09 30 35 00 46 00 23 26 50 0B 65 13 55 FD 75 10 81 02"  # x: 8960 thousandths of an inch, 2896
    "09 31 46 00 14 26 5A 05 81 02"  # y: 5120, 1370
    "05 0D 09 30 45 7F 25 7F 65 00 55 00 75 07 81 12 75 01 25 01 81 01"
    "C0"
)


def pen_of(descriptor: bytes) -> PenLayout:
    whole = parse_report_descriptor(descriptor)
    assert whole.flaw == ""
    layout = find_pen(whole)
    assert layout is not None
    return layout


def report(
    flags: int, x: int, y: int, pressure: int = 0, tilt_x: int = 0, tilt_y: int = 0, *, number: int = 8
) -> bytes:
    """A report of PEN, byte by byte."""
    words = (x, y, pressure, tilt_x & 0xFFFF, tilt_y & 0xFFFF)
    return bytes([number, flags]) + b"".join(word.to_bytes(2, "little") for word in words)


def epad(flags: int, x: int, y: int, pressure: int) -> bytes:
    return bytes([flags, x & 255, x >> 8, y & 255, y >> 8, pressure])


TIP, BARREL, IN_RANGE = 0x01, 0x02, 0x20


def reader(layout: PenLayout, **more: object) -> PenReader:
    assert layout.x_per_mm is not None
    assert layout.y_per_mm is not None
    return PenReader(layout, layout.x_per_mm, layout.y_per_mm, **more)  # type: ignore[arg-type]


# --- finding the pen -------------------------------------------------------------------------------------------------


def test_a_pen_is_found_with_all_that_it_measures() -> None:
    layout = pen_of(PEN)
    assert layout.report_id == 8
    assert layout.tip == Element(0, 1, 0, 1)
    assert layout.barrel == Element(1, 1, 0, 1)
    assert layout.in_range == Element(5, 1, 0, 1)
    assert layout.x == Element(8, 16, 0, 15872)
    assert layout.y == Element(24, 16, 0, 9920)
    assert layout.pressure == Element(40, 16, 0, 2047)
    assert layout.x_per_mm == pytest.approx(1984 / 25.4)
    assert layout.y_per_mm == pytest.approx(1984 / 25.4)
    assert layout.buttons == ()


def test_a_pen_is_found_beside_a_mouse_and_a_touch_screen() -> None:
    assert pen_of(TOUCH_SCREEN + ABSOLUTE_MOUSE + PEN) == pen_of(PEN)


@pytest.mark.parametrize("descriptor", [b"", MOUSE, ABSOLUTE_MOUSE, TOUCH_SCREEN, PEN[:40]])
def test_there_is_no_pen_in_a_mouse_a_touch_screen_or_half_a_descriptor(descriptor: bytes) -> None:
    assert find_pen(parse_report_descriptor(descriptor)) is None


@given(st.binary(max_size=300))
def test_looking_for_a_pen_never_fails(data: bytes) -> None:
    layout = find_pen(parse_report_descriptor(data + PEN))
    assert layout is None or layout.x.minimum < layout.x.maximum


@given(st.integers(0, len(PEN) - 1), st.integers(0, 255), st.binary(max_size=14))
def test_a_damaged_descriptor_never_makes_reading_fail(at: int, byte: int, data: bytes) -> None:
    layout = find_pen(parse_report_descriptor(PEN[:at] + bytes([byte]) + PEN[at + 1 :]))
    if layout is not None:
        PenReader(layout, layout.x_per_mm or 1.0, layout.y_per_mm or 1.0).take(data)


def test_the_known_layout_of_the_epad_is_what_its_descriptor_says() -> None:
    stated = pen_of(EPAD_STATES)
    assert FIXED[0x04DF, 0x0012] is EPAD
    for part in ("x", "y", "tip", "pressure", "buttons", "report_id"):
        assert getattr(stated, part) == getattr(EPAD, part), part
    assert stated.x_per_mm == EPAD.x_per_mm
    assert stated.y_per_mm == pytest.approx(1370 / (5.12 * 25.4))


def test_radians_become_degrees() -> None:
    degrees, radians = bytes.fromhex("36 D8 DC 46 28 23 55 0E 65 14"), bytes.fromhex("36 8C FF 45 74 55 0E 65 12")
    assert degrees in PEN
    tilting = PEN.replace(degrees, radians)
    tilt = pen_of(tilting).tilt_x
    assert tilt is not None
    assert tilt.read(report(0, 0, 0, tilt_x=9000)[1:]) == pytest.approx(math.degrees(1.16))


# --- reading reports -------------------------------------------------------------------------------------------------


def test_a_report_becomes_a_sample() -> None:
    pen = reader(pen_of(PEN))
    (sample,) = pen.take(report(TIP | IN_RANGE, 1000, 2000, 512, 3000, -1500))
    assert isinstance(sample, PenSample)
    assert (sample.x, sample.y, sample.touching, sample.pressure) == (1000, 2000, True, 512)
    assert (sample.time_us, sample.sequence) == (None, None)
    assert [sample.tilt_x, sample.tilt_y] == pytest.approx([30, -15])
    space = pen.space
    assert (space.width, space.height, space.pressure_levels) == (15873, 9921, 2048)
    assert space.units_per_mm == pytest.approx(1984 / 25.4)


def test_a_pen_out_of_range_touches_nothing() -> None:
    (sample,) = reader(pen_of(PEN)).take(report(TIP, 1000, 2000))
    assert isinstance(sample, PenSample)
    assert not sample.touching


def test_other_reports_and_short_ones_say_nothing() -> None:
    pen = reader(pen_of(PEN))
    assert pen.take(report(TIP | IN_RANGE, 1, 1, number=9)) == []
    assert pen.take(b"") == []
    assert pen.take(report(TIP | IN_RANGE, 1, 1)[:5]) == []


def test_values_beyond_their_limits_leave_the_last_one_standing() -> None:
    pen = reader(pen_of(PEN))
    assert pen.take(report(TIP | IN_RANGE, 15873, 5)) == []
    pen.take(report(TIP | IN_RANGE, 10, 20, 30))
    (sample,) = pen.take(report(TIP | IN_RANGE, 10, 9921, 2048))
    assert isinstance(sample, PenSample)
    assert (sample.x, sample.y, sample.pressure) == (10, 20, 30)


def test_without_a_tip_switch_pressure_decides() -> None:
    pen = reader(replace(pen_of(PEN), tip=None), threshold=100)
    touching = [
        sample.touching
        for pressure in (99, 100, 99)
        for sample in pen.take(report(IN_RANGE, 1, 1, pressure))
        if isinstance(sample, PenSample)
    ]
    assert touching == [False, True, False]


def test_the_coarser_axis_is_stretched_so_that_a_circle_stays_round() -> None:
    layout = replace(pen_of(PEN), y_per_mm=1984 / 25.4 / 2)
    pen = reader(layout)
    (sample,) = pen.take(report(TIP | IN_RANGE, 1000, 1000))
    assert isinstance(sample, PenSample)
    assert (sample.x, sample.y) == (1000, 2000)
    assert (pen.space.width, pen.space.height) == (15873, 19841)
    assert pen.space.units_per_mm == pytest.approx(1984 / 25.4)


@given(st.integers(0, 2896), st.integers(0, 1370), st.integers(0, 127), st.booleans(), st.integers(0, 31))
def test_an_epads_reports_are_read_exactly(x: int, y: int, pressure: int, touch: bool, rest: int) -> None:
    assert reader(EPAD).take(epad(rest | touch << 5 | 0x40, x, y, pressure)) == [PenSample(x, y, touch, pressure)]


@given(st.integers(0, 15872), st.integers(0, 9920), st.integers(0, 2047), st.integers(-9000, 9000), st.integers(0, 63))
def test_a_pens_reports_are_read_exactly(x: int, y: int, pressure: int, tilt: int, flags: int) -> None:
    (sample,) = reader(pen_of(PEN)).take(report(flags, x, y, pressure, tilt, -tilt))
    assert isinstance(sample, PenSample)
    assert (sample.x, sample.y, sample.pressure) == (x, y, pressure)
    assert sample.touching == bool(flags & TIP and flags & IN_RANGE)
    assert sample.tilt_x == pytest.approx(tilt / 100)
    assert sample.tilt_y == pytest.approx(-tilt / 100)


@given(st.lists(st.binary(max_size=16), max_size=20))
def test_reading_never_fails_and_stays_within_the_space(reports: list[bytes]) -> None:
    for pen in (reader(EPAD), reader(pen_of(PEN))):
        for sample in (event for data in reports for event in pen.take(data) if isinstance(event, PenSample)):
            assert 0 <= sample.x < pen.space.width
            assert 0 <= sample.y < pen.space.height
            assert sample.pressure is not None
            assert 0 <= sample.pressure < pen.space.pressure_levels


def test_a_button_is_pressed_once_until_it_is_let_go() -> None:
    keys = dict(zip(EPAD.buttons, (PAD_BUTTON_ACCEPT, PAD_BUTTON_CLEAR), strict=True))
    pen = reader(EPAD, keys=keys)
    presses = [
        [event.button for event in pen.take(epad(flags, 1, 1, 0)) if isinstance(event, ButtonPress)]
        for flags in (0, 1, 1, 3, 2, 0, 1)
    ]
    assert presses == [[], [PAD_BUTTON_ACCEPT], [], [PAD_BUTTON_CLEAR], [], [], [PAD_BUTTON_ACCEPT]]


def test_the_button_on_the_pen_can_be_one() -> None:
    layout = pen_of(PEN)
    assert layout.barrel is not None
    pen = reader(layout, keys={layout.barrel: PAD_BUTTON_CLEAR})
    assert pen.take(report(BARREL | IN_RANGE, 1, 1))[0] == ButtonPress(PAD_BUTTON_CLEAR)


def test_a_pen_that_was_forgotten_says_nothing_until_it_has_a_place() -> None:
    pen = reader(pen_of(PEN))
    pen.take(report(TIP | IN_RANGE, 10, 20))
    pen.forget()
    assert pen.take(report(TIP | IN_RANGE, 65535, 65535)) == []


def test_a_tilt_without_a_unit_is_in_degrees() -> None:
    unit = bytes.fromhex("65 14")
    assert unit in PEN
    bare, stated = pen_of(PEN.replace(unit, bytes.fromhex("65 00"))), pen_of(PEN)
    assert bare.tilt_x == stated.tilt_x
    assert bare.tilt_x is not None


def test_the_rate_of_a_pen_is_not_known_until_somebody_says_it_and_the_epad_is_as_fine_along_y_as_along_x() -> None:
    assert pen_of(PEN).report_rate == 0
    assert EPAD.report_rate == 52
    assert EPAD.y_per_mm == EPAD.x_per_mm


def test_fields_of_feature_reports_are_no_pen() -> None:
    features = PEN.replace(bytes.fromhex("81 02"), bytes.fromhex("B1 02"))
    assert find_pen(parse_report_descriptor(features)) is None
