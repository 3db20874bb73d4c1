"""The rates of ISO/IEC 30107-3 and their intervals, against known values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.analysis.pad.rates import Outcomes, Rate, Summary, acer_interval, summarise, wilson


@pytest.mark.parametrize(
    ("errors", "trials", "low", "high"),
    [
        # R: prop.test(x, n, correct = FALSE); 81 of 263 and 15 of 148 are Newcombe's own examples (1998, table I)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (0, 150, 0.0, 0.0250),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
    ],
)
def test_wilsons_interval_has_its_published_values(errors: int, trials: int, low: float, high: float) -> None:
    assert wilson(errors, trials) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(0, 5000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_the_interval_holds_the_rate_and_is_the_mirror_of_its_complement(pair: tuple[int, int]) -> None:
    errors, trials = pair
    low, high = wilson(errors, trials)
    assert 0 <= low <= high <= 1
    if trials:
        assert low <= errors / trials <= high
    assert wilson(trials - errors, trials) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(st.integers(0, 50), st.integers(1, 50))
def test_more_tries_make_it_narrower(errors: int, more: int) -> None:
    trials = errors + more
    narrow, wide = wilson(4 * errors, 4 * trials), wilson(errors, trials)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 3"):
        wilson(4, 3)
    with pytest.raises(ValueError, match="0 to 3"):
        wilson(-1, 3)


def test_the_worst_species_is_named_and_acer_is_of_it() -> None:
    summary = summarise(
        {
            None: {"live": 45, "spoof": 5, "none": 10},
            "print": {"live": 0, "spoof": 40},
            "phone": {"live": 10, "spoof": 30, "none": 10},
        }
    )
    assert summary.worst == "phone"
    assert summary.apcer == {"phone": Rate(10, 40), "print": Rate(0, 40)}
    assert summary.bpcer == Rate(5, 50)
    assert summary.acer == pytest.approx((0.25 + 0.10) / 2)
    assert summary.attacks["phone"].non_response == Rate(10, 50)
    assert summary.bona_fide.non_response == Rate(10, 60)


def test_non_responses_are_in_no_error_rate() -> None:
    summary = summarise({None: {"none": 3}, "mask": {"none": 4}})
    assert summary.bpcer.value is None
    assert summary.apcer["mask"].value is None
    assert summary.worst is None
    assert summary.acer is None
    assert summary.acer_interval == (0.0, 1.0)
    assert summary.attacks["mask"].non_response.value == 1.0


def test_of_species_without_errors_the_least_tested_is_the_worst() -> None:
    summary = Summary(Outcomes(live=10), {"a": Outcomes(spoof=100), "b": Outcomes(spoof=5), "c": Outcomes(none=9)})
    assert summary.worst == "b"


def test_the_interval_of_the_mean_adds_its_arms_as_squares() -> None:
    one, other = Rate(10, 40), Rate(5, 50)
    low, high = acer_interval(one, other)
    down = ((0.25 - wilson(10, 40)[0]) ** 2 + (0.1 - wilson(5, 50)[0]) ** 2) ** 0.5 / 2
    up = ((wilson(10, 40)[1] - 0.25) ** 2 + (wilson(5, 50)[1] - 0.1) ** 2) ** 0.5 / 2
    assert (low, high) == pytest.approx((0.175 - down, 0.175 + up))
