"""Error rates and how sure they are. Plain arithmetic.

Rates are of the presentations that got an answer; those without one are non-responses and are counted beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Outcomes", "Rate", "Summary", "acer_interval", "summarise", "wilson"]

Z_95 = 1.959963984540054
"""The normal distribution's 97.5 % quantile: two-sided 95 %."""


def wilson(errors: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a proportion, each end 0 to 1; (0, 1) without trials.

    Raises ValueError for more errors than trials.
    """
    if not 0 <= errors <= trials:
        raise ValueError(f"expected 0 to {trials} errors, got {errors}")
    if trials == 0:
        return 0.0, 1.0
    share, square = errors / trials, z * z
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    reach = z / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials))
    low = 0.0 if errors == 0 else max(0.0, centre - reach)
    high = 1.0 if errors == trials else min(1.0, centre + reach)
    return low, high


@dataclass(frozen=True, slots=True)
class Rate:
    """So many errors in so many trials."""

    errors: int
    trials: int

    @property
    def value(self) -> float | None:
        """0 to 1; None without trials."""
        return self.errors / self.trials if self.trials else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        return wilson(self.errors, self.trials)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of presentations of one kind."""

    live: int = 0
    spoof: int = 0
    none: int = 0
    """No answer: INCONCLUSIVE."""

    @property
    def answered(self) -> int:
        """Presentations with an answer."""
        return self.live + self.spoof

    @property
    def total(self) -> int:
        """All presentations."""
        return self.answered + self.none

    @property
    def non_response(self) -> Rate:
        """BPNRR of bona fide presentations, APNRR of attacks."""
        return Rate(self.none, self.total)


@dataclass(frozen=True, slots=True)
class Summary:
    """All rates of one evaluation."""

    bona_fide: Outcomes
    attacks: Mapping[str, Outcomes]
    """By species."""

    @property
    def bpcer(self) -> Rate:
        """Bona fide presentations that were taken for attacks."""
        return Rate(self.bona_fide.spoof, self.bona_fide.answered)

    @property
    def apcer(self) -> dict[str, Rate]:
        """Attacks that were taken for bona fide, by species."""
        return {species: Rate(outcome.live, outcome.answered) for species, outcome in self.attacks.items()}

    @property
    def worst(self) -> str | None:
        """The species with the highest APCER; of equal ones that with the highest upper end. None without answers."""
        rates = {species: rate for species, rate in self.apcer.items() if rate.trials}
        return max(rates, key=lambda species: (rates[species].value or 0.0, rates[species].interval[1]), default=None)

    @property
    def acer(self) -> float | None:
        """The mean of the worst APCER and BPCER; None when either is unknown."""
        if self.worst is None or self.bpcer.value is None:
            return None
        return ((self.apcer[self.worst].value or 0.0) + self.bpcer.value) / 2

    @property
    def acer_interval(self) -> tuple[float, float]:
        """Its 95 % interval, made of both rates' Wilson intervals; (0, 1) when it is unknown."""
        return (0.0, 1.0) if self.worst is None else acer_interval(self.apcer[self.worst], self.bpcer)


def acer_interval(apcer: Rate, bpcer: Rate) -> tuple[float, float]:
    """The interval of the mean of two independent proportions: their intervals' arms, added as squares (Newcombe)."""
    if apcer.value is None or bpcer.value is None:
        return 0.0, 1.0
    mean = (apcer.value + bpcer.value) / 2
    low = math.hypot(apcer.value - apcer.interval[0], bpcer.value - bpcer.interval[0]) / 2
    high = math.hypot(apcer.interval[1] - apcer.value, bpcer.interval[1] - bpcer.value) / 2
    return max(0.0, mean - low), min(1.0, mean + high)


def summarise(answers: Mapping[str | None, Mapping[str, int]]) -> Summary:
    """Counts by species (None: bona fide), then by answer ("live", "spoof", "none")."""

    def outcomes(counts: Mapping[str, int]) -> Outcomes:
        return Outcomes(counts.get("live", 0), counts.get("spoof", 0), counts.get("none", 0))

    attacks = {species: outcomes(counts) for species, counts in answers.items() if species is not None}
    return Summary(outcomes(answers.get(None, {})), dict(sorted(attacks.items())))
