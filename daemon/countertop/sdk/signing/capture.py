"""Ink in the making: from the pad's samples to strokes, button presses and the live events about them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from google.protobuf.message import Message

from countertop.sdk.signing.samples import ButtonPress, PadEvent, PenSample
from countertop.v1.ink_pb2 import Ink, InkPoint, InkSpace
from countertop.v1.signature_pad_pb2 import InkCleared, InkWritten, PadButton

__all__ = ["MAX_POINTS", "Area", "Capture"]

MAX_POINTS = 12_000
"""Points that a capture keeps, a minute of writing at 200 a second; so that all of a result fits into one message."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in the pad's device units; the right and lower edges are not part of it."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, x: float, y: float) -> bool:
        """The point lies in it."""
        return self.left <= x < self.right and self.top <= y < self.bottom


@dataclass(slots=True)
class Capture:
    """One capture. A touch that begins on one of `buttons` and ends there presses it, and is no ink."""

    space: InkSpace
    buttons: dict[PadButton, Area] = field(default_factory=dict)
    ink: Ink = field(init=False)
    samples_lost: int = 0
    """Samples that the pad counted since the ink was last wiped, and that did not come."""
    cut_off: bool = False
    """There were more points than MAX_POINTS."""
    pen_down: bool = False
    last_touch: int = 0
    """When the pen last touched the writing area, in microseconds of the clock that `hear` is given."""
    _points: int = 0
    _origin: int | None = None
    _sequence: int | None = None
    _pressed: PadButton | None = None
    _inside: bool = False

    def __post_init__(self) -> None:
        self.ink = Ink(space=self.space)

    @property
    def written(self) -> bool:
        """There is ink."""
        return bool(self.ink.strokes)

    def hear(self, events: Iterable[PadEvent], now_us: int) -> tuple[list[Message], list[PadButton]]:
        """Take what the pad sent at `now_us` of a steady clock: the live events of it, and the buttons pressed."""
        live: list[Message] = []
        presses: list[PadButton] = []
        for event in events:
            if isinstance(event, ButtonPress):
                presses.append(event.button)
                continue
            self._count(event)
            button = self._button(event)
            if button is not None:
                presses.append(button)
            elif self._pressed is None:
                self._write(event, now_us, live)
        return live, presses

    def lift(self) -> list[Message]:
        """The pen is gone, as far as anybody can tell: end the stroke."""
        live: list[Message] = []
        if self.pen_down:
            self._end_stroke(live)
        return live

    def clear(self, *, by_app: bool) -> Message:
        """Wipe the ink; a pen that still touches the pad writes on as a new stroke."""
        self.ink = Ink(space=self.space)
        self.samples_lost, self._points, self._origin = 0, 0, None
        self.pen_down = self.cut_off = False
        return InkCleared(by_app=by_app)

    def _count(self, sample: PenSample) -> None:
        if sample.sequence is not None:
            if self._sequence is not None and sample.sequence > self._sequence + 1:
                self.samples_lost += sample.sequence - self._sequence - 1
            self._sequence = sample.sequence

    def _button(self, sample: PenSample) -> PadButton | None:
        """The button that this sample lets go of, if it does."""
        if self._pressed is not None:
            if sample.touching:
                self._inside = self.buttons[self._pressed].holds(sample.x, sample.y)
                return None
            pressed, self._pressed = self._pressed, None
            return pressed if self._inside else None
        if sample.touching and not self.pen_down:
            for button, area in self.buttons.items():
                if area.holds(sample.x, sample.y):
                    self._pressed, self._inside = button, True
        return None

    def _write(self, sample: PenSample, now_us: int, live: list[Message]) -> None:
        if not sample.touching:
            if self.pen_down:
                self._end_stroke(live)
            return
        self.last_touch = now_us
        if self._points == MAX_POINTS:
            self.cut_off = True
            return
        if not self.pen_down:
            self.pen_down = True
            self.ink.strokes.add()
        stroke = self.ink.strokes[-1]
        point = stroke.points.add()
        self._fill(point, sample, now_us)
        self._points += 1
        last = live[-1] if live else None
        if not isinstance(last, InkWritten) or last.pen_up:
            last = InkWritten(stroke=len(self.ink.strokes) - 1, first_point=len(stroke.points) - 1)
            live.append(last)
        last.points.append(point)

    def _fill(self, point: InkPoint, sample: PenSample, now_us: int) -> None:
        space = self.space
        time = now_us if sample.time_us is None else sample.time_us
        if self._origin is None:
            self._origin = time
        stroke = self.ink.strokes[-1]
        before = stroke.points[-2] if len(stroke.points) > 1 else None
        if before is None and len(self.ink.strokes) > 1:
            before = self.ink.strokes[-2].points[-1]
        point.x, point.y = sample.x, sample.y
        point.x_mm, point.y_mm = sample.x / space.units_per_mm, sample.y / space.units_per_mm
        point.time_us = max(time - self._origin, before.time_us if before is not None else 0)
        if sample.pressure is not None and space.pressure_levels > 1:
            point.pressure = min(1.0, max(0.0, sample.pressure / (space.pressure_levels - 1)))
        if sample.tilt_x is not None:
            point.tilt_x = sample.tilt_x
        if sample.tilt_y is not None:
            point.tilt_y = sample.tilt_y

    def _end_stroke(self, live: list[Message]) -> None:
        self.pen_down = False
        last = live[-1] if live else None
        if isinstance(last, InkWritten) and not last.pen_up:
            last.pen_up = True
        else:
            number = len(self.ink.strokes) - 1
            live.append(InkWritten(stroke=number, first_point=len(self.ink.strokes[-1].points), pen_up=True))
