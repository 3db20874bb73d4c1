"""How often the browser door asks a camera for frames: the rate that a page wants, however late single frames are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from countertop.server.doors.browser.cameras import Pace


@given(fps=st.floats(0.1, 120), late=st.lists(st.floats(0, 0.5), min_size=2, max_size=200))
def test_frames_that_are_late_by_less_than_half_a_pause_cost_no_rate(fps, late):
    pace, due = Pace(fps), 0.0
    for share in (0.0, *late):
        due = pace.next(due + share / fps)
    assert due <= (len(late) + 1 + 1e-6) / fps


@given(fps=st.floats(0.1, 120), waits=st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_there_are_never_more_frames_than_wanted(fps, waits):
    """But one: after a pause of the camera two may follow one another."""
    pace, now, asked = Pace(fps), 0.0, []
    for wait in waits:
        now += wait
        now = max(now, pace.next(now))
        asked.append(now)
    assert asked[0] >= waits[0] + 1 / fps
    for first in range(len(asked)):
        span = asked[-1] - asked[first]
        assert len(asked) - first <= span * fps + 2.5 + 1e-6
