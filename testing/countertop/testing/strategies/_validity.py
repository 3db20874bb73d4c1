"""From when until when documents are valid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from hypothesis import strategies as st

__all__ = ["Validity", "add_years", "birth_dates", "validities"]

_FIRST_CARDS = date(2004, 1, 1)
_OTHERS = st.sampled_from((5, 10))


@dataclass(frozen=True, slots=True)
class Validity:
    """The first and the last day; no last day means 长期, for good."""

    since: date
    until: date | None


def add_years(day: date, years: int) -> date:
    """The same day some years later; 1 March where there is no 29 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


@cache
def birth_dates(today: date) -> st.SearchStrategy[date]:
    """Of people who are 0 to 110 years old; leap days occur."""
    born = st.dates(add_years(today, -110), today)
    leap = st.sampled_from([date(year, 2, 29) for year in range(1936, today.year, 4)])
    return born | leap


@st.composite
def validities(draw: st.DrawFn, born: date, today: date, *, for_citizens: bool) -> Validity:
    """A validity that `today` lies in, as long as the law says for the age at issue.

    Citizens: 5 years below 16, 10 below 26, 20 below 46, then for good (居民身份证法, article 5). Others: 5 years below
    18 and for permits, 10 for foreign permanent residents; here 5 or 10.
    """
    longest = (today - max(born, _FIRST_CARDS, today - timedelta(days=20 * 365))).days
    since = today - timedelta(days=draw(st.integers(0, max(0, longest))))
    years = _years(born, since) if for_citizens else draw(_OTHERS)
    if years is None:
        return Validity(since, None)
    if add_years(since, years) < today:
        since = max(born, today - timedelta(days=900))
        years = _years(born, since) if for_citizens else years
    return Validity(since, None if years is None else add_years(since, years))


def _years(born: date, since: date) -> int | None:
    for age, years in ((16, 5), (26, 10), (46, 20)):
        if since < add_years(born, age):
            return years
    return None
