"""From scores to verdicts, and the options that move their thresholds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.analysis.manifest import package_manifest
from countertop.analysis.options import read_options
from countertop.analysis.quality import LIMIT_NAMES
from countertop.analysis.verdict import Cue, Says, matched, presence, shortfall
from countertop.sdk.errors import InvalidRequest
from countertop.v1.camera_pb2 import InconclusiveReason, MatchVerdict, PresenceGuidance, PresenceVerdict

LIVE, SPOOF, UNDECIDED = (
    PresenceVerdict.Value(f"PRESENCE_VERDICT_{name}") for name in ("LIVE", "SPOOF", "INCONCLUSIVE")
)


def live(value: float) -> Cue:
    return Cue("liveness", value, 0.8, 0.4)


def near(value: float) -> Cue:
    return Cue("match", value, 0.38, 0.6, lower_is_better=True)


@pytest.mark.parametrize(
    ("cue", "says"),
    [
        (live(0.8), Says.CONFIRMS),
        (live(0.79), Says.NOTHING),
        (live(0.41), Says.NOTHING),
        (live(0.4), Says.DENIES),
        (live(math.nan), Says.NOTHING),
        (near(0.38), Says.CONFIRMS),
        (near(0.5), Says.NOTHING),
        (near(0.6), Says.DENIES),
    ],
)
def test_what_a_score_says(cue: Cue, says: Says) -> None:
    assert cue.says is says
    shown = cue.to_proto()
    assert (shown.threshold, shown.deny_threshold) == pytest.approx((cue.confirm, cue.deny))
    assert shown.lower_is_better == cue.lower_is_better


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_one_denial_vetoes_any_number_of_confirmations(values: list[float]) -> None:
    verdict, reason = presence([live(value) for value in values], same_person=True)
    if min(values) <= 0.4:
        assert verdict == SPOOF
    elif max(values) >= 0.8:
        assert verdict == LIVE
    else:
        assert (verdict, reason) == (UNDECIDED, InconclusiveReason.Value("INCONCLUSIVE_REASON_SCORES_UNDECIDED"))
    assert presence([live(value) for value in values], same_person=False) == (
        UNDECIDED,
        InconclusiveReason.Value("INCONCLUSIVE_REASON_PERSON_CHANGED"),
    )


@pytest.mark.parametrize(
    ("verdict", "cue", "asked", "match"),
    [
        (LIVE, near(0.2), True, "MATCH"),
        (LIVE, near(0.7), True, "NO_MATCH"),
        (LIVE, near(0.5), True, "INCONCLUSIVE"),
        (LIVE, None, True, "INCONCLUSIVE"),
        (SPOOF, near(0.2), True, "INCONCLUSIVE"),  # a print of the photo is very like it
        (UNDECIDED, near(0.2), True, "INCONCLUSIVE"),
        (LIVE, None, False, "UNSPECIFIED"),
    ],
)
def test_only_a_living_person_matches(verdict: PresenceVerdict, cue: Cue | None, asked: bool, match: str) -> None:
    assert matched(verdict, cue, asked=asked) == MatchVerdict.Value(f"MATCH_VERDICT_{match}")


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        ({}, "NO_FACE"),
        ({"STEP_IN": 9}, "NO_FACE"),
        ({"STEP_IN": 5, "ONE_PERSON": 4}, "SEVERAL_FACES"),
        ({"STEP_IN": 8, "MORE_LIGHT": 1}, "POOR_QUALITY"),
        ({"ONE_PERSON": 2, "HOLD_STILL": 5}, "POOR_QUALITY"),
    ],
)
def test_too_few_good_frames_are_explained(refused: dict[str, int], reason: str) -> None:
    counts = {PresenceGuidance.Value(f"PRESENCE_GUIDANCE_{name}"): count for name, count in refused.items()}
    assert shortfall(counts) == InconclusiveReason.Value(f"INCONCLUSIVE_REASON_{reason}")


# --- options ----------------------------------------------------------------------------------------------------------


def test_options_move_thresholds_and_limits() -> None:
    manifest = package_manifest()
    options = read_options(
        {
            "min_face": 120,
            "jitter": 0.1,
            "detector": "mediapipe-short-range",
            "thresholds": {"dlib-resnet29": {"match": 0.5}, "minifasnet": {"confirm": 0.9}},
        },
        manifest,
        LIMIT_NAMES,
    )
    assert options.limits == {"min_face": 120.0}
    assert (options.jitter, options.detector) == (0.1, "mediapipe-short-range")
    recogniser = options.manifest.named("dlib-resnet29")
    assert recogniser.threshold("match") == 0.5
    assert recogniser.threshold("no_match") == manifest.named("dlib-resnet29").threshold("no_match")
    assert (options.manifest.fusion.confirm, options.manifest.fusion.deny) == (0.9, manifest.fusion.deny)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"min_fase": 1}, "min_fase"),
        ({"min_face": "large"}, "min_face"),
        ({"min_face": True}, "min_face"),
        ({"jitter": 0.5}, "jitter"),
        ({"detector": "haar"}, "detector"),
        ({"thresholds": 3}, "thresholds"),
        ({"thresholds": {"sface": {"match": 1}}}, "thresholds.sface"),
        ({"thresholds": {"dlib-resnet29": {"mach": 1}}}, "thresholds.dlib-resnet29.mach"),
        ({"thresholds": {"dlib-resnet29": {"match": "x"}}}, "thresholds.dlib-resnet29.match"),
        ({"thresholds": {"minifasnet": {"deny": 0.95}}}, "thresholds.minifasnet"),
    ],
)
def test_an_option_that_is_wrong_is_named(options: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_options(options, package_manifest(), LIMIT_NAMES)
    assert list(caught.value.violations) == [f"analysis.options.{field}"]
