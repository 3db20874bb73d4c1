"""Options of the emulated printer: how each is checked, its default."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from countertop.emulators.escpos.models import MODELS

__all__ = ["check_options"]

Check = Callable[[Any], Any]


def _number(least: float, most: float) -> Check:
    def check(value: Any) -> float:
        good = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
        if not good or math.isnan(value):
            raise ValueError(f"expected a number from {least:g} to {most:g}")
        return float(value)

    return check


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"expected a whole number from {least} to {most}")
        return value

    return check


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")  # noqa: TRY004 - all mistakes in options are ValueErrors
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("expected a text that is not empty")
    return value


def _address(value: Any) -> tuple[str, int]:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("expected HOST:PORT")
    return host.strip("[]"), int(port)


def _pty(value: Any) -> str | bool:
    return value if value is True else _text(value)


def _model(value: Any) -> str:
    if value not in MODELS:
        raise ValueError(f"expected one of {', '.join(MODELS)}")
    return str(value)


_OPTIONS: dict[str, tuple[Check, Any]] = {
    "tcp": (_address, None),
    "pty": (_pty, None),
    "out": (_text, None),
    "model": (_model, "TM-T88VI"),
    "width_dots": (_whole(128, 1024), None),
    "dpi": (_whole(100, 400), None),
    "speed_mm_s": (_number(1, 1000), 150.0),
    "speed": (_number(0, 1000), 1.0),
    "kanji": (_flag, True),
    "gb18030_4byte": (_flag, True),
    "paper_mm": (_number(0, 100_000), 80_000.0),
    "cutter_distance": (_whole(0, 400), 80),
    "seed": (_whole(0, 2**32), 0),
}


def check_options(options: dict[str, Any]) -> dict[str, Any]:
    """All options with their values. Raises ValueError that names the option and what was expected."""
    values = {name: default for name, (_, default) in _OPTIONS.items()}
    for name, value in options.items():
        if name not in _OPTIONS:
            raise ValueError(f"{name}: expected one of the options {', '.join(_OPTIONS)}")
        try:
            values[name] = _OPTIONS[name][0](value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    if values["tcp"] and values["pty"]:
        raise ValueError("pty: expected either tcp or pty")
    return values
