"""What can be checked on a card's text alone: check digits, dates."""

from __future__ import annotations

import re
from datetime import date

__all__ = ["gb11643_digit", "icao_digit", "iso_date", "old_number"]

_GB_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_GB_DIGITS = "10X98765432"
_ICAO_WEIGHTS = (7, 3, 1)
_ICAO_VALUES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

GB_NUMBER = re.compile(r"[0-9]{17}[0-9X]")
ICAO_NUMBER = re.compile(r"[A-Z]{3}[0-9]{12}")


def gb11643_digit(number: str) -> str:
    """The last character that belongs to the first 17 digits of a citizen identification number (GB 11643)."""
    return _GB_DIGITS[sum(int(digit) * weight for digit, weight in zip(number[:17], _GB_WEIGHTS, strict=True)) % 11]


def icao_digit(characters: str) -> str:
    """The check digit over digits and capital letters with weights 7, 3, 1 (ICAO 9303-3)."""
    weighed = (_ICAO_VALUES.index(char) * _ICAO_WEIGHTS[at % 3] for at, char in enumerate(characters))
    return str(sum(weighed) % 10)


def iso_date(text: str) -> str:
    """`YYYYMMDD` as `YYYY-MM-DD`; empty when that is no date."""
    if not re.fullmatch(r"[0-9]{8}", text):
        return ""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])).isoformat()
    except ValueError:
        return ""


def old_number(country: str, number: str, link: str) -> str:
    """The 15-character number of the 2017 card that a 2023 card replaced; empty when its parts do not make one.

    Country, two characters of the new number, two of the link, the birth date, the link's third, and the check digit
    (after a vendor's sample client).
    """
    characters = country + number[1:3] + link[:2] + number[8:14] + link[2:]
    if not GB_NUMBER.fullmatch(number) or not re.fullmatch(r"[A-Z]{3}[0-9]{11}", characters):
        return ""
    return characters + icao_digit(characters)
