"""Options of emulators: tables of how each is checked and its default. All mistakes are ValueErrors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["Check", "Table", "address", "check_options", "flag", "number", "one_of", "text", "whole"]

Check = Callable[[Any], Any]
Table = Mapping[str, tuple[Check, Any]]
"""Option to its check and its default."""


def check_options(table: Table, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options with their values. Raises ValueError that names the option and what was expected."""
    values = {name: default for name, (_, default) in table.items()}
    for name, value in options.items():
        if name not in table:
            raise ValueError(f"{name}: expected one of the options {', '.join(table)}")
        try:
            values[name] = table[name][0](value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return values


def number(least: float, most: float) -> Check:
    """A number within limits."""

    def check(value: Any) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
        if not good or math.isnan(value):
            raise ValueError(f"expected a number from {least:g} to {most:g}")
        return float(value)

    return check


def whole(least: int, most: int) -> Check:
    """A whole number within limits."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return value

    return check


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004 - all mistakes in options are ValueErrors
    return value


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("expected a text that is not empty")
    return value


def address(value: Any) -> tuple[str, int]:
    """HOST:PORT; port 0 takes a free one."""
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("expected HOST:PORT")
    return host.strip("[]"), int(port)


def one_of(names: Iterable[str]) -> Check:
    """One of a few words."""
    known = list(names)

    def check(value: Any) -> str:
        if value not in known:
            raise ValueError(f"expected one of {', '.join(known)}")
        return str(value)

    return check
