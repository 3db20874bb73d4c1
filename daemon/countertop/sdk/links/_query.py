"""Readers of the settings in a link's URL: text in, value out, ValueError that tells what was expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["choice", "decimal", "flag", "integer"]

T = TypeVar("T")


def integer(least: int, most: int) -> Callable[[str], int]:
    """A whole number between two bounds, both included."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(f"expected a whole number, {least} to {most}")
        return int(text)

    return read


def decimal(least: float, most: float) -> Callable[[str], float]:
    """A number between two bounds, both included."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ValueError(f"expected a number, {least:g} to {most:g}")
        return value

    return read


def choice(values: dict[str, T]) -> Callable[[str], T]:
    """One of a few words."""

    def read(text: str) -> T:
        if text not in values:
            raise ValueError(f"expected one of {', '.join(values)}")
        return values[text]

    return read


def flag(text: str) -> bool:
    """0 or 1."""
    return choice({"0": False, "1": True})(text)
