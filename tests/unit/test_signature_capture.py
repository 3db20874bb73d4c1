"""Ink in the making: strokes, buttons, lost samples, live events."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk.signing import ButtonPress, PenSample
from countertop.sdk.signing.capture import MAX_POINTS, Area, Capture
from countertop.v1.ink_pb2 import Ink, InkSpace
from countertop.v1.signature_pad_pb2 import (
    PAD_BUTTON_ACCEPT,
    PAD_BUTTON_CANCEL,
    PAD_BUTTON_CLEAR,
    InkCleared,
    InkWritten,
)

SPACE = InkSpace(width=1000, height=600, units_per_mm=10, pressure_levels=1024, report_rate=200)
ACCEPT = {PAD_BUTTON_ACCEPT: Area(700, 500, 1000, 600), PAD_BUTTON_CANCEL: Area(0, 500, 300, 600)}

samples = st.builds(
    PenSample,
    x=st.integers(0, 999),
    y=st.integers(0, 599),
    touching=st.booleans(),
    pressure=st.none() | st.integers(0, 1023),
    time_us=st.integers(0, 10**9),
)


def strokes_of(ink: Ink) -> list[list[tuple[int, int]]]:
    return [[(point.x, point.y) for point in stroke.points] for stroke in ink.strokes]


def touch(x: int, y: int, **more: int) -> PenSample:
    return PenSample(x, y, True, **more)


def hover(x: int, y: int) -> PenSample:
    return PenSample(x, y, False)


def taught(capture: Capture, events: Sequence[PenSample | ButtonPress], now: int = 0) -> list[int]:
    return list(capture.hear(events, now)[1])


def test_a_stroke_goes_from_the_first_touch_to_the_sample_that_lifts_the_pen() -> None:
    capture = Capture(SPACE)
    taught(capture, [hover(1, 1), touch(10, 20), touch(11, 21), hover(12, 22), hover(50, 50), touch(60, 61)])
    assert strokes_of(capture.ink) == [[(10, 20), (11, 21)], [(60, 61)]]
    assert capture.pen_down


@given(st.lists(samples, max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_the_ink_does_not_depend_on_how_the_samples_arrive_together(pen: list[PenSample], cuts: list[int]) -> None:
    whole, parts = Capture(SPACE), Capture(SPACE)
    taught(whole, pen)
    edges = [0, *sorted(min(cut, len(pen)) for cut in cuts), len(pen)]
    for start, end in itertools.pairwise(edges):
        taught(parts, pen[start:end])
    assert parts.ink == whole.ink


@given(st.lists(st.lists(samples, max_size=20), max_size=8))
def test_the_live_events_put_together_are_the_ink(batches: list[list[PenSample]]) -> None:
    capture, told = Capture(SPACE), Ink(space=SPACE)
    lifted = True
    for batch in batches:
        for event in capture.hear(batch, 0)[0]:
            assert isinstance(event, InkWritten)
            if event.first_point == 0:
                assert event.stroke == len(told.strokes)
                assert lifted
                told.strokes.add()
            assert event.first_point == len(told.strokes[event.stroke].points)
            told.strokes[event.stroke].points.extend(event.points)
            lifted = event.pen_up
    assert told == capture.ink
    assert lifted == (not capture.pen_down)


@given(st.lists(samples, max_size=60))
def test_time_never_falls_and_begins_at_zero(pen: list[PenSample]) -> None:
    capture = Capture(SPACE)
    taught(capture, pen)
    times = [point.time_us for stroke in capture.ink.strokes for point in stroke.points]
    assert times == sorted(times)
    assert not times or times[0] == 0


def test_millimetres_and_pressure_follow_from_the_space() -> None:
    capture = Capture(SPACE)
    taught(capture, [touch(250, 30, pressure=1023), touch(251, 30, pressure=0)])
    first, second = capture.ink.strokes[0].points
    assert (first.x_mm, first.y_mm, first.pressure) == (25.0, 3.0, 1.0)
    assert second.pressure == 0.0


def test_pressure_is_absent_where_it_is_not_measured() -> None:
    capture = Capture(InkSpace(width=10, height=10, units_per_mm=1))
    taught(capture, [touch(1, 1, pressure=3)])
    assert not capture.ink.strokes[0].points[0].HasField("pressure")


def test_a_touch_on_a_button_presses_it_when_it_is_let_go_and_is_no_ink() -> None:
    capture = Capture(SPACE, ACCEPT)
    assert taught(capture, [touch(800, 550), touch(810, 551)]) == []
    assert taught(capture, [hover(810, 551)]) == [PAD_BUTTON_ACCEPT]
    assert not capture.written


def test_a_touch_that_slides_off_its_button_presses_nothing() -> None:
    capture = Capture(SPACE, ACCEPT)
    assert taught(capture, [touch(800, 550), touch(500, 300), hover(500, 300)]) == []
    assert not capture.written


def test_ink_that_runs_into_a_button_stays_ink() -> None:
    capture = Capture(SPACE, ACCEPT)
    assert taught(capture, [touch(800, 450), touch(800, 550), hover(800, 560)]) == []
    assert strokes_of(capture.ink) == [[(800, 450), (800, 550)]]


def test_a_key_beside_the_screen_counts_at_once() -> None:
    assert taught(Capture(SPACE), [ButtonPress(PAD_BUTTON_CLEAR)]) == [PAD_BUTTON_CLEAR]


def test_a_gap_in_the_pads_own_count_is_lost_samples() -> None:
    capture = Capture(SPACE)
    taught(capture, [touch(1, 1, sequence=7), touch(1, 2, sequence=8), touch(1, 3, sequence=11)])
    assert capture.samples_lost == 2


def test_clearing_begins_anew_and_a_pen_that_stays_down_writes_a_new_stroke() -> None:
    capture = Capture(SPACE)
    taught(capture, [touch(1, 1, time_us=500), touch(2, 2, time_us=900)])
    assert capture.clear(by_app=True) == InkCleared(by_app=True)
    live, _ = capture.hear([touch(3, 3, time_us=1500)], 0)
    assert strokes_of(capture.ink) == [[(3, 3)]]
    assert capture.ink.strokes[0].points[0].time_us == 0
    assert [event.stroke for event in live if isinstance(event, InkWritten)] == [0]


def test_ink_is_bounded_and_says_so() -> None:
    capture = Capture(SPACE)
    taught(capture, [touch(index % 1000, 0) for index in range(MAX_POINTS + 5)])
    assert sum(len(stroke.points) for stroke in capture.ink.strokes) == MAX_POINTS
    assert capture.cut_off
