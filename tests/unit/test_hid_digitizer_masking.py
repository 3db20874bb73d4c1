"""What may be kept of a HID digitizer's reports: the pen's story without its shape, whatever the layout is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.hid_digitizer.driver import HidDigitizer, HidDigitizerOptions
from countertop.drivers.hid_digitizer.layout import EPAD, Element, PenLayout, Tilt
from countertop.drivers.hid_digitizer.masking import DigitizerMasker
from countertop.drivers.hid_digitizer.pen import PenReader
from countertop.sdk import PenSample, parse_link
from countertop.sdk.signing import ButtonPress, PadEvent
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, PAD_BUTTON_CANCEL, PAD_BUTTON_CLEAR

KEYS = (PAD_BUTTON_ACCEPT, PAD_BUTTON_CANCEL, PAD_BUTTON_CLEAR)


@st.composite
def layouts(draw: st.DrawFn) -> PenLayout:
    """Fields side by side, of any size and with any limits, also such as their bits cannot say."""
    at = draw(st.integers(0, 9))

    def element(sizes: st.SearchStrategy[int]) -> Element:
        nonlocal at
        size, start = draw(sizes), at
        at += size + draw(st.integers(0, 5))
        minimum = draw(st.one_of(st.just(0), st.integers(-(1 << size), 1 << size)))
        return Element(start, size, minimum, minimum + draw(st.integers(1, 1 << size)))

    def maybe(sizes: st.SearchStrategy[int]) -> Element | None:
        return element(sizes) if draw(st.booleans()) else None

    bits, numbers = st.one_of(st.just(1), st.integers(1, 9)), st.integers(1, 20)
    tip, x, y = maybe(bits), element(numbers), element(numbers)
    lean = maybe(numbers)
    return PenLayout(
        x=x,
        y=y,
        tip=tip,
        in_range=maybe(bits),
        pressure=maybe(numbers) if tip else element(numbers),
        tilt_x=Tilt(lean, 0.5, 1.0) if lean else None,
        barrel=maybe(bits),
        buttons=tuple(element(bits) for _ in range(draw(st.integers(0, 2)))),
        report_id=draw(st.sampled_from([0, 7])),
    )


@st.composite
def streams(draw: st.DrawFn) -> tuple[PenLayout, int, list[bytes]]:
    """A layout, a threshold, and reports of it and others."""
    layout = draw(layouts())
    head = st.sampled_from([b"\x07", b"\x07", b"\x08"]) if layout.report_id else st.just(b"")
    whole = st.builds(bytes.__add__, head, st.binary(min_size=24, max_size=24))
    return layout, draw(st.integers(1, 3000)), draw(st.lists(st.one_of(whole, st.binary(max_size=30)), max_size=12))


def new_reader(layout: PenLayout, threshold: int) -> PenReader:
    elements = [element for element in (layout.barrel, *layout.buttons) if element is not None]
    return PenReader(layout, 10, 10, threshold=threshold, keys=dict(zip(elements, KEYS, strict=False)))


def told(layout: PenLayout, threshold: int, reports: list[bytes]) -> list[list[PadEvent]]:
    reader = new_reader(layout, threshold)
    return [reader.take(report) for report in reports]


def kind(event: PadEvent) -> object:
    """All of an event that is no place and no measure."""
    if isinstance(event, ButtonPress):
        return event.button
    return event.touching, event.tilt_x is None, event.pressure is None


@given(streams())
def test_the_same_events_come_out_and_nothing_else_of_the_reports(stream: tuple[PenLayout, int, list[bytes]]) -> None:
    layout, threshold, reports = stream
    masker = DigitizerMasker(lambda: layout, threshold)
    kept = [masker.received(report) for report in reports]
    assert [len(report) for report in kept] == [len(report) for report in reports]
    assert [masker.received(report) for report in kept] == kept
    before, after = told(layout, threshold, reports), told(layout, threshold, kept)
    assert [[kind(event) for event in events] for events in after] == [
        [kind(event) for event in events] for events in before
    ]
    samples = [event for events in after for event in events if isinstance(event, PenSample)]
    assert len({(sample.x, sample.y) for sample in samples}) <= 1
    assert len({(sample.touching, sample.pressure) for sample in samples}) <= 5


@given(layouts(), st.integers(1, 3000), st.binary(min_size=24, max_size=24), st.data())
def test_bits_that_the_driver_does_not_read_leave_no_trace(
    layout: PenLayout, threshold: int, payload: bytes, data: st.DataObject
) -> None:
    fields = (
        layout.x,
        layout.y,
        layout.tip,
        layout.in_range,
        layout.pressure,
        layout.tilt_x.element if layout.tilt_x else None,
        layout.barrel,
        *layout.buttons,
    )
    read = {bit for field in fields if field for bit in range(field.offset, field.offset + field.size)}
    spare = [bit for bit in range(8 * len(payload)) if bit not in read]
    flipped = int.from_bytes(payload, "little")
    for bit in data.draw(st.lists(st.sampled_from(spare), max_size=20)):
        flipped ^= 1 << bit
    masker, head = DigitizerMasker(lambda: layout, threshold), bytes([7]) if layout.report_id else b""
    assert masker.received(head + payload) == masker.received(head + flipped.to_bytes(len(payload), "little"))


@given(st.integers(0, 2896), st.integers(0, 1370), st.integers(1, 127), st.integers(0, 2896), st.integers(0, 1370))
def test_two_signatures_of_the_same_rhythm_are_kept_as_the_same_bytes(
    x: int, y: int, pressure: int, other_x: int, other_y: int
) -> None:
    masker = DigitizerMasker(lambda: EPAD, 1)
    kept = masker.received(epad(0x20, x, y, pressure))
    assert kept == masker.received(epad(0x60, other_x, other_y, 1)) == epad(0x20, 1448, 685, 63)
    assert masker.received(epad(0, x, y, 0)) == epad(0, 1448, 685, 0)


def epad(flags: int, x: int, y: int, pressure: int) -> bytes:
    return bytes([flags]) + x.to_bytes(2, "little") + y.to_bytes(2, "little") + bytes([pressure])


def test_a_place_beyond_its_limits_stays_beyond_them() -> None:
    masker = DigitizerMasker(lambda: EPAD, 1)
    assert masker.received(epad(0x21, 3000, 100, 255)) == epad(0x21, 0xFFFF, 685, 63)


def test_a_switch_of_many_bits_is_on_or_off() -> None:
    layout = replace(EPAD, tip=Element(48, 16, 0, 65535))
    masker = DigitizerMasker(lambda: layout, 1)
    kept = {masker.received(epad(0, 1, 2, 3) + tip.to_bytes(2, "little"))[6:] for tip in (0, 1, 777, 65535)}
    assert kept == {b"\0\0", b"\1\0"}


@given(st.binary(max_size=40))
def test_before_the_layout_is_known_and_of_other_reports_nothing_is_kept(report: bytes) -> None:
    assert DigitizerMasker(lambda: None, 1).received(report) == bytes(len(report))
    masker = DigitizerMasker(lambda: replace(EPAD, report_id=7), 1)
    if report[:1] != b"\x07":
        assert masker.received(report) == report[:1] + bytes(len(report[1:]))
    assert masker.sent(report) == report[:1] + bytes(len(report[1:]))
    assert masker.end() == (b"", b"")


@pytest.mark.parametrize(("threshold", "pressure", "kept"), [(1, 0, 0), (1, 1, 63), (100, 99, 0), (100, 127, 100)])
def test_pressure_tells_only_whether_the_pen_writes(threshold: int, pressure: int, kept: int) -> None:
    masker = DigitizerMasker(lambda: replace(EPAD, tip=None), threshold)
    assert masker.received(epad(0, 1, 1, pressure)) == epad(0, 1448, 685, kept)


def test_a_digitizers_masker_knows_nothing_before_it_is_connected() -> None:
    pad = HidDigitizer(parse_link("hid://04DF:0012"), HidDigitizerOptions())
    assert pad.masker().received(epad(0x20, 5, 6, 7)) == bytes(6)
