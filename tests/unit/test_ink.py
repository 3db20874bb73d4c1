"""What ink becomes: figures, SVG, PNG, ISO/IEC 19794-7."""

from __future__ import annotations

import io
from contextlib import suppress
from math import sin
from xml.etree import ElementTree

import pytest
import svg.path
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pictures

from countertop.sdk.ink.iso19794_7 import IsoFormatError, from_iso, to_iso
from countertop.sdk.ink.png import to_png
from countertop.sdk.ink.quality import assess
from countertop.sdk.ink.svg import to_svg
from countertop.v1 import ink_pb2
from countertop.v1.ink_pb2 import Ink, InkSpace

NAME = "{http://www.w3.org/2000/svg}"


@st.composite
def inks(draw: st.DrawFn, largest: int = 9600) -> Ink:
    """Ink of a pad with or without pressure and tilt."""
    levels = draw(st.sampled_from([0, 128, 1024]))
    tilts = draw(st.booleans())
    per_mm = draw(st.sampled_from([11.0, 16.125, 80.0, 100.0]))
    ink = Ink(space=InkSpace(width=largest, height=largest, units_per_mm=per_mm, pressure_levels=levels))
    time = 0
    for length in draw(st.lists(st.integers(1, 12), max_size=5)):
        stroke = ink.strokes.add()
        for _ in range(length):
            x, y = draw(st.integers(0, largest - 1)), draw(st.integers(0, largest - 1))
            point = stroke.points.add(x=x, y=y, x_mm=x / per_mm, y_mm=y / per_mm, time_us=time)
            if levels:
                point.pressure = draw(st.integers(0, levels - 1)) / (levels - 1)
            if tilts:
                point.tilt_x, point.tilt_y = draw(st.integers(-60, 60)), draw(st.integers(-60, 60))
            time += draw(st.integers(0, 2_000_000))
    return ink


def written(count: int = 200, pressure: bool = True) -> Ink:
    """A wavy line of one second."""
    ink = Ink(space=InkSpace(width=9600, height=6000, units_per_mm=100, pressure_levels=1024 if pressure else 0))
    stroke = ink.strokes.add()
    for index in range(count):
        x, y = 1000 + index * 6000 // count, 3000 + round(800 * sin(index / 9))
        point = stroke.points.add(x=x, y=y, x_mm=x / 100, y_mm=y / 100, time_us=index * 5000)
        if pressure:
            point.pressure = 0.3 + 0.4 * (index % 20) / 20
    return ink


def places(ink: Ink) -> list[list[tuple[int, int]]]:
    return [[(point.x, point.y) for point in stroke.points] for stroke in ink.strokes]


# -- SVG --


def svg_places(text: str) -> list[list[complex]]:
    """The points of each stroke, as an independent reader finds them."""
    root = ElementTree.fromstring(text)
    strokes = []
    for group in root.findall(f"{NAME}g/{NAME}g"):
        found: list[complex] = []
        for path in group.findall(f"{NAME}path"):
            lines = [item for item in svg.path.parse_path(path.attrib["d"]) if isinstance(item, svg.path.Line)]
            for line in lines:
                if not found:
                    found.append(line.start)
                assert found[-1] == line.start
                found.append(line.end)
        strokes.append(found)
    return strokes


@given(inks())
def test_every_point_lies_on_the_svgs_lines_within_half_a_device_unit(ink: Ink) -> None:
    per_mm = ink.space.units_per_mm
    for stroke, found in zip(ink.strokes, svg_places(to_svg(ink)), strict=True):
        if len(stroke.points) == 1:
            assert len(found) == 2  # a line to itself, which round ends make a dot
            found = found[:1]
        assert len(found) == len(stroke.points)
        for point, place in zip(stroke.points, found, strict=True):
            assert abs(place.real * per_mm - point.x) <= 0.5
            assert abs(place.imag * per_mm - point.y) <= 0.5


def test_an_svg_of_2000_points_is_small_and_says_how_large_the_pad_is() -> None:
    text = to_svg(written(2000))
    assert len(text) < 150_000
    assert 'width="96.0000mm" height="60.0000mm" viewBox="0 0 96.0000 60.0000"' in text


def test_ink_without_strokes_is_an_empty_drawing() -> None:
    assert svg_places(to_svg(Ink(space=InkSpace(width=10, height=10, units_per_mm=1)))) == []


# -- PNG --


@pytest.mark.parametrize("pressure", [True, False])
def test_the_picture_is_dark_where_the_pen_was_and_white_elsewhere(pressure: bool) -> None:
    ink = written(pressure=pressure)
    image = to_png(ink)
    picture = Pictures.open(io.BytesIO(image.data))
    assert picture.size == (image.width, image.height) == (round(96 / 25.4 * 300), round(60 / 25.4 * 300))
    scale = 300 / 25.4
    far = picture.copy()
    for point in ink.strokes[0].points:
        x, y = point.x_mm * scale, point.y_mm * scale
        assert picture.getpixel((int(x), int(y))) < 128  # type: ignore[operator]
        far.paste(255, (int(x) - 12, int(y) - 12, int(x) + 13, int(y) + 13))
    assert far.getextrema() == (255, 255)


def test_a_large_pad_gets_a_coarser_picture_instead_of_a_huge_one() -> None:
    image = to_png(Ink(space=InkSpace(width=60000, height=40000, units_per_mm=100)))
    assert image.width * image.height <= 4_100_000


# -- ISO/IEC 19794-7 --


@given(inks())
def test_iso_keeps_strokes_places_times_and_pressures(ink: Ink) -> None:
    back = from_iso(to_iso(ink))
    assert places(back) == places(ink)
    last = max([point.time_us for stroke in ink.strokes for point in stroke.points], default=0)
    fine = max(1000.0, last / 65535 * 2)
    for one, other in zip(_points(ink), _points(back), strict=True):
        assert abs(one.time_us - other.time_us) <= fine
        assert one.HasField("pressure") == other.HasField("pressure")
        assert abs(one.pressure - other.pressure) <= 0.5 / 127 if ink.space.pressure_levels == 128 else True
        assert abs(one.pressure - other.pressure) <= 1e-3 or ink.space.pressure_levels == 128
        assert (one.tilt_x, one.tilt_y) == (other.tilt_x, other.tilt_y)
        assert abs(one.x_mm - other.x_mm) <= 0.001 * max(1.0, one.x_mm)


def _points(ink: Ink) -> list[ink_pb2.InkPoint]:
    return [point for stroke in ink.strokes for point in stroke.points]


def test_iso_bytes_are_as_the_standard_lays_them_out() -> None:
    ink = Ink(space=InkSpace(width=100, height=100, units_per_mm=100))
    ink.strokes.add().points.add(x=1, y=2, time_us=0)
    data = to_iso(ink)
    expected = bytes.fromhex("53444900 20313000")
    expected += bytes.fromhex("c120")  # X, Y, T, S
    expected += bytes.fromhex("e0 b480 8001 8001")  # scaling 1.5625 * 2**6, min, max
    expected += bytes.fromhex("e0 b480 8002 8002")
    expected += bytes.fromhex("80 d000")  # 2**10 a millisecond
    expected += bytes.fromhex("00")
    expected += bytes.fromhex("00 00 000002")
    expected += bytes.fromhex("8001 8002 0000 0001 8001 8002 0000 0000")
    assert data == expected


def test_iso_halves_coordinates_that_do_not_fit_and_says_so() -> None:
    ink = Ink(space=InkSpace(width=50800, height=31750, units_per_mm=200))
    ink.strokes.add().points.add(x=50799, y=31749, x_mm=50799 / 200, y_mm=31749 / 200)
    point = from_iso(to_iso(ink)).strokes[0].points[0]
    assert abs(point.x_mm - 50799 / 200) <= 0.011
    assert abs(point.y_mm - 31749 / 200) <= 0.011


@given(
    st.binary(max_size=200) | inks(200).map(to_iso).flatmap(lambda data: st.builds(_damaged, st.just(data), st.data()))
)
def test_iso_reading_is_total(data: bytes) -> None:
    with suppress(IsoFormatError):
        from_iso(data)


def _damaged(data: bytes, choose: st.DataObject) -> bytes:
    at = choose.draw(st.integers(0, len(data) - 1))
    return (
        data[:at] + bytes([choose.draw(st.integers(0, 255))]) + data[at + 1 : choose.draw(st.integers(at, len(data)))]
    )


def test_iso_reads_a_record_with_a_narrow_switch_and_differences_of_time() -> None:
    data = bytes.fromhex("53444900 20313000 c0a0 80b480 80b480 808000 00 00 00 000003")
    for x, y, dt, down in ((1, 2, 0, 1), (3, 4, 5, 1), (3, 4, 5, 0)):
        data += (x + 32768).to_bytes(2, "big") + (y + 32768).to_bytes(2, "big") + dt.to_bytes(2, "big") + bytes([down])
    ink = from_iso(data, switch_bytes=1)
    assert places(ink) == [[(1, 2), (3, 4)]]
    assert [point.time_us for point in ink.strokes[0].points] == [0, 5000]


def test_iso_reads_every_channel_that_another_writer_describes() -> None:
    """X and Y with all attributes, T, F and S constant with their values, tilt with a scaling of its own."""
    data = bytes.fromhex("53444900 20313000 c178")
    data += bytes.fromhex("f8 b480 8000 8100 8080 8001")  # X: scaling 100, min, max, mean, deviation
    data += bytes.fromhex("80 ac80")  # Y: scaling 50
    data += bytes.fromhex("04 0007")  # T: always 7
    data += bytes.fromhex("20 00ff")  # F: max
    data += bytes.fromhex("04 0001")  # S: always 1
    data += bytes.fromhex("80 9000 80 9800")  # TX: scaling 4, TY: 8
    data += bytes.fromhex("00 80 000002")
    data += bytes.fromhex("8064 8032 0033 8004 7ff8 80c8 8064 01fe 8000 8000")
    data += bytes.fromhex("0003 010203")  # extended data
    ink = from_iso(data, constant_has_value=True)
    assert ink.space == InkSpace(units_per_mm=100, pressure_levels=256, width=201, height=101)
    one, two = ink.strokes[0].points
    assert (one.x, one.y, one.x_mm, one.y_mm, one.time_us) == (100, 50, 1, 1, 7000)
    assert (one.pressure, one.tilt_x, one.tilt_y) == (pytest.approx(0.2), 1, -1)
    assert (two.x, two.y, two.x_mm, two.y_mm, two.pressure) == (200, 100, 2, 2, 1)
    with pytest.raises(IsoFormatError, match="expected the end after the points, got 1 bytes"):
        from_iso(data + b"x", constant_has_value=True)


def test_iso_takes_a_constant_channel_without_a_value_for_zero() -> None:
    data = bytes.fromhex("53444900 20313000 c100 00 04 00 00 00 000001 8005 0009")
    (point,) = from_iso(data).strokes[0].points
    assert (point.x, point.y, point.time_us) == (5, 0, 9000)


def test_iso_points_that_take_no_bytes_are_refused() -> None:
    """Where every channel is constant, a record of 20 bytes could ask for 16 million points."""
    channels = b"\xc1\x00" + b"\x04" * 3
    with pytest.raises(IsoFormatError, match="a channel that is not constant for 16777215 points"):
        from_iso(b"SDI\0 10\0" + channels + b"\0\0\xff\xff\xff")
    assert not from_iso(b"SDI\0 10\0" + channels + b"\0\0\0\0\0").strokes


def test_iso_reads_ink_that_lies_left_of_its_writers_origin_and_above_it() -> None:
    data = bytes.fromhex("53444900 20313000 c100 00 00 00 00 00 000001 7ffb 7fff 0009")
    ink = from_iso(data)
    assert places(ink) == [[(-5, -1)]]
    assert (ink.space.width, ink.space.height) == (1, 1)


@pytest.mark.parametrize(("x", "shift"), [(32767, 0), (-32768, 0), (32768, 1), (-32769, 1), (65536, 2)])
def test_iso_halves_coordinates_no_more_often_than_they_need(x: int, shift: int) -> None:
    ink = Ink(space=InkSpace(width=100, height=100, units_per_mm=100))
    ink.strokes.add().points.add(x=x, y=0)
    assert from_iso(to_iso(ink)).space.units_per_mm == 100 / 2**shift


def test_iso_tells_tilt_in_sixty_fourths_of_a_degree() -> None:
    ink = Ink(space=InkSpace(width=100, height=100, units_per_mm=100))
    ink.strokes.add().points.add(x=1, y=2, tilt_x=1, tilt_y=-60)
    data = to_iso(ink)
    assert data[8:10] == bytes.fromhex("c138")  # X, Y, T, S, TX, TY
    assert data[-4:] == bytes.fromhex("8040 7100")
    assert data.count(bytes.fromhex("80 b000")) == 2  # a scaling of 2**6


@pytest.mark.parametrize("channels", ["4100", "8100", "c000"])
def test_iso_ink_without_one_of_its_places_or_its_time_is_refused(channels: str) -> None:
    count = int(channels, 16).bit_count()
    with pytest.raises(IsoFormatError, match="expected the channels X, Y and T or DT"):
        from_iso(bytes.fromhex("53444900 20313000" + channels + "00" * count + "00 00 000000"))


def test_iso_of_no_ink_has_no_points_and_limits_of_0() -> None:
    expected = bytes.fromhex("53444900 20313000 c120 e0 b480 8000 8000 e0 b480 8000 8000 80 d000 00 00 00 000000")
    assert to_iso(Ink(space=InkSpace(units_per_mm=100))) == expected


@pytest.mark.parametrize("per_mm", [65536, 2.0**-17])
def test_iso_has_no_scaling_for_a_space_so_fine_or_so_coarse(per_mm: float) -> None:
    with pytest.raises(ValueError, match="expected a scaling between"):
        to_iso(Ink(space=InkSpace(units_per_mm=per_mm)))


# -- quality --


def test_ordinary_ink_has_no_flaw() -> None:
    quality = assess(written())
    assert not quality.flaws
    assert (quality.points, quality.strokes) == (200, 1)
    assert quality.duration_seconds == pytest.approx(0.995)


@pytest.mark.parametrize(
    ("ink", "lost", "flaw"),
    [
        (written(19), 0, ink_pb2.INK_FLAW_TOO_FEW_POINTS),
        (written(30), 0, ink_pb2.INK_FLAW_TOO_FAST),
        (written(), 3, ink_pb2.INK_FLAW_SAMPLES_LOST),
    ],
)
def test_flaws_are_told(ink: Ink, lost: int, flaw: int) -> None:
    assert flaw in assess(ink, lost).flaws


def test_a_straight_line_and_a_dot_are_told_from_writing() -> None:
    line, dot = Ink(space=written().space), Ink(space=written().space)
    for index in range(100):
        line.strokes.add().points.add(x_mm=index / 2, y_mm=index / 4 + 0.2 * (index % 2), time_us=index * 9000)
        dot.strokes.add().points.add(x_mm=1 + (index % 3) / 2, y_mm=1 + (index % 2), time_us=index * 9000)
    assert list(assess(line).flaws) == [ink_pb2.INK_FLAW_STRAIGHT_LINE]
    assert list(assess(dot).flaws) == [ink_pb2.INK_FLAW_DOT]


@settings(max_examples=50)
@given(inks(), st.integers(0, 9))
def test_assessing_any_ink_gives_figures(ink: Ink, lost: int) -> None:
    quality = assess(ink, lost)
    assert quality.points == len(_points(ink))
    assert (ink_pb2.INK_FLAW_SAMPLES_LOST in quality.flaws) == (lost > 0)
