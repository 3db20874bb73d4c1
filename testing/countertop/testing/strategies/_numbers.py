"""Numbers of identity documents and of payment cards, with their check digits.

Written from the standards and not with the drivers' code, so that they can judge it.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

__all__ = ["INVENTED_BINS", "citizen_check", "icao_check", "luhn_check", "pans"]

INVENTED_BINS = ("999900", "99991234", "999977")
"""ISO/IEC 7812-1: a number that begins with 9 goes on with a country's code of ISO 3166-1; 999 is user-assigned, so
that no issuer has these."""


def citizen_check(first_17: str) -> str:
    """The last character of an 18-character number (GB 11643: ISO 7064 MOD 11-2)."""
    value = 0
    for digit in first_17:
        value = (value + int(digit)) * 2 % 11
    return "0123456789X"[(12 - value) % 11]


def icao_check(characters: str) -> str:
    """The check digit over digits and capital letters, weights 7, 3, 1 (ICAO 9303-3, 4.9)."""
    values = [int(char, 36) for char in characters]
    return str((7 * sum(values[0::3]) + 3 * sum(values[1::3]) + sum(values[2::3])) % 10)


def luhn_check(digits: str) -> str:
    """The digit that follows (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        doubled = int(char) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)


def pans(bins: Sequence[str] = INVENTED_BINS, lengths: Sequence[int] = (16, 19)) -> st.SearchStrategy[str]:
    """Primary account numbers: digits, one of `lengths` long (12 to 19), with a right Luhn digit, beginning with one of
    `bins`, which belong to no issuer. ISO/IEC 7812-1. Raises ValueError for a length that has no room for a BIN.
    """
    room = min(lengths) - max(map(len, bins)) - 1
    if room < 0 or max(lengths) > 19:
        raise ValueError("lengths: expected more digits than a BIN and its check digit take, and 19 at most")

    begins, sizes = st.sampled_from(bins), st.sampled_from(lengths)

    @st.composite
    def numbers(draw: st.DrawFn) -> str:
        begin, length = draw(begins), draw(sizes)
        account = length - len(begin) - 1
        digits = begin + f"{draw(st.integers(0, 10**account - 1)):0{account}d}"
        return digits + luhn_check(digits)

    return numbers()
