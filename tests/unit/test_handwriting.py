"""Handwriting for emulated pads."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from math import hypot

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.bench.v1.bench_pb2 import GeneratedHandwriting, SignRequest
from countertop.emulators.core.clock import ManualClock
from countertop.emulators.core.handwriting.hand import HOVER, Hand
from countertop.emulators.core.handwriting.plan import plan
from countertop.v1.ink_pb2 import Ink, InkPoint, InkSpace

SPACE = InkSpace(width=9600, height=6000, units_per_mm=100, pressure_levels=1024)
PATH = "M0 0 C 30 10 40 -20 80 0 M 10 30 L 60 40"


def written(**what: object) -> Ink:
    return plan(SignRequest(device_id="pad", **what), SPACE, 200)  # type: ignore[arg-type]


def points(ink: Ink) -> list[InkPoint]:
    return [point for stroke in ink.strokes for point in stroke.points]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([50.0, 100.0, 200.0]), st.floats(0.5, 1.0))
def test_generated_writing_lies_in_the_writing_area_at_the_pads_rate(
    seed: int, strokes: int, rate: float, bottom: float
) -> None:
    request = SignRequest(generated=GeneratedHandwriting(seed=seed, strokes=strokes))
    ink = plan(request, SPACE, rate, bottom=bottom)
    assert len(ink.strokes) == strokes
    assert all(0 <= point.x < SPACE.width and 0 <= point.y < SPACE.height * bottom for point in points(ink))
    assert all(0 < point.pressure <= 1 for point in points(ink))
    for stroke in ink.strokes:
        steps = [after.time_us - before.time_us for before, after in pairwise(stroke.points)]
        assert all(abs(step - 1e6 / rate) <= 1 for step in steps)
    assert points(ink)[0].time_us == 0
    assert ink == plan(request, SPACE, rate, bottom=bottom)


def test_another_seed_writes_something_else() -> None:
    assert written(generated=GeneratedHandwriting(seed=1)) != written(generated=GeneratedHandwriting(seed=2))


def test_a_hand_is_slower_in_bends_and_lighter_at_the_ends() -> None:
    ink = written(svg_path="M0 0 C 100 0 110 0 110 3 S 100 6 0 6")
    (stroke,) = ink.strokes
    speeds = [hypot(after.x - before.x, after.y - before.y) for before, after in pairwise(stroke.points)]
    assert min(speeds) * 2 < max(speeds)
    pressures = [point.pressure for point in stroke.points]
    assert pressures[0] < max(pressures) / 2
    assert pressures[-1] < max(pressures) * 0.6


def test_an_svg_paths_subpaths_are_strokes_and_keep_their_shape() -> None:
    first, second = written(svg_path=PATH).strokes
    assert abs((second.points[-1].y - second.points[0].y) / (second.points[-1].x - second.points[0].x) - 0.2) < 0.01
    assert first.points[0].y < second.points[0].y  # y points down, as in SVG


INKML = b"""<?xml version="1.0"?>
<ink xmlns="http://www.w3.org/2003/InkML">
  <definitions><traceFormat>
    <channel name="X" type="decimal"/><channel name="T" type="integer"/><channel name="Y" type="decimal"/>
    <channel name="F" type="decimal" max="100"/>
  </traceFormat></definitions>
  <trace>0 0 0 50, 10 100 0 50, 20 200 10 100</trace>
  <trace>0 500 20 50, '10 '100 '5 !70, 10 100 5 *</trace>
</ink>"""


def test_inkml_traces_are_strokes_with_their_own_times_and_pressures() -> None:
    first, second = written(inkml=INKML).strokes
    assert (first.points[0].time_us, first.points[-1].time_us) == (0, 200_000)
    assert second.points[0].time_us == 500_000
    assert second.points[-1].time_us == 700_000
    assert first.points[0].pressure == pytest.approx(0.5)
    assert first.points[-1].pressure == pytest.approx(1.0)
    assert second.points[-1].pressure == pytest.approx(0.7)
    # the shape: the second trace goes on by the same step twice
    xs = [second.points[index].x for index in (0, 20, 40)]
    assert abs((xs[1] - xs[0]) - (xs[2] - xs[1])) <= 1


def test_given_ink_is_written_just_so() -> None:
    ink = Ink()
    ink.strokes.add().points.extend([InkPoint(x=1, y=2, time_us=0), InkPoint(x=9599, y=5999, time_us=7000)])
    assert list(written(ink=ink).strokes) == list(ink.strokes)


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ({"svg_path": "M 0 0 Q"}, "svg_path"),
        ({"svg_path": "M 0 0"}, "svg_path"),
        ({"svg_path": "rubbish"}, "svg_path"),
        ({"inkml": b"<ink"}, "inkml"),
        ({"inkml": b"<ink/>"}, "inkml"),
        ({"inkml": b"<ink><trace>1 2, 3</trace></ink>"}, "point 2 of trace 1"),
        ({"inkml": b"<ink><trace>1 2, x y</trace></ink>"}, "point 2 of trace 1"),
        ({"ink": Ink()}, "ink.strokes"),
        ({"ink": Ink(strokes=[{"points": [InkPoint(x=9600, y=0)]}])}, r"ink.strokes\[0\].points\[0\]"),
        ({"ink": Ink(strokes=[{"points": [InkPoint(time_us=5), InkPoint(time_us=4)]}])}, "time_us"),
    ],
)
def test_what_cannot_be_written_is_named(what: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        written(**what)


@given(st.text(alphabet="0123456789.,'\"!*-+eE \n", max_size=60))
def test_reading_inkml_is_total(text: str) -> None:
    try:
        written(inkml=f"<ink><trace>{text.replace('<', '')}</trace></ink>".encode())
    except ValueError as error:
        assert str(error)  # noqa: PT017 - both ends are right


class Recorder:
    """Where the pen was, and when."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.seen: list[tuple[float, int, int, bool]] = []

    def __call__(self, point: InkPoint, touching: bool) -> None:
        self.seen.append((round(self.clock.now(), 6), point.x, point.y, touching))


def line(count: int = 10) -> Ink:
    ink = Ink(space=SPACE)
    for top in (0, 100):
        stroke = ink.strokes.add()
        for index in range(count):
            stroke.points.add(x=index, y=top, time_us=top * 1000 + index * 5000)
    return ink


async def test_points_go_out_when_they_are_due_with_a_near_pen_before_and_after() -> None:
    clock = ManualClock()
    recorder = Recorder(clock)
    work = asyncio.create_task(Hand(clock, recorder, 200).write(line()))
    for _ in range(60):
        await clock.advance(0.005)
    ink = await work
    touches = [(time, x, y) for time, x, y, touching in recorder.seen if touching]
    assert touches == [(round(0.015 + top / 1000 + x * 0.005, 6), x, top) for top in (0, 100) for x in range(10)]
    assert len(recorder.seen) == 2 * (10 + 2 * HOVER)
    assert list(ink.strokes) == list(line().strokes)


async def test_a_late_hand_catches_up_and_leaves_nothing_out() -> None:
    clock = ManualClock()
    recorder = Recorder(clock)
    work = asyncio.create_task(Hand(clock, recorder, 200).write(line()))
    for _ in range(5):
        await clock.advance(0.06)
    await work
    assert [x for _, x, _, touching in recorder.seen if touching] == [*range(10), *range(10)]


async def test_the_pen_is_lifted_in_mid_stroke() -> None:
    clock = ManualClock()
    recorder = Recorder(clock)
    ink = await Hand(clock, recorder, 200).write(line(), speed=0, stop_after=4)
    assert [len(stroke.points) for stroke in ink.strokes] == [4]
    assert [touching for *_, touching in recorder.seen][-2:] == [True, False]


async def test_when_the_pad_is_gone_nothing_more_is_written() -> None:
    clock = ManualClock()
    recorder = Recorder(clock)
    hand = Hand(clock, recorder, 200)
    work = asyncio.create_task(hand.write(line()))
    await clock.advance(0.03)
    hand.lift()
    seen = len(recorder.seen)
    await clock.advance(1)
    assert len((await work).strokes[0].points) < 10
    assert len(recorder.seen) == seen


async def test_as_fast_as_the_link_takes_it() -> None:
    clock = ManualClock()
    recorder = Recorder(clock)
    room = [5]
    work = asyncio.create_task(
        Hand(clock, lambda point, touching: (recorder(point, touching), room.insert(0, room[0] - 1))[0], 200).write(
            line(), speed=0, room=lambda: room[0]
        )
    )
    await clock.advance(0.02)
    assert len(recorder.seen) == 5
    room.insert(0, 1000)
    await clock.advance(0.02)
    await work
    assert len(recorder.seen) == 2 * (10 + 2 * HOVER)
