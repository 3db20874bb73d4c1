"""Options of the emulated printer: how each is checked, its default."""

from __future__ import annotations

from typing import Any

from countertop.emulators.core.options import Table, address, check_options, flag, number, one_of, text, whole
from countertop.emulators.escpos.models import FONT_A, MODELS

__all__ = ["printer_options"]


def _pty(value: Any) -> str | bool:
    return value if value is True else text(value)


_OPTIONS: Table = {
    "tcp": (address, None),
    "pty": (_pty, None),
    "out": (text, None),
    "model": (one_of(MODELS), "TM-T88VI"),
    "width_dots": (whole(128, 1024), None),
    "columns": (whole(11, 85), None),
    "dpi": (whole(100, 400), None),
    "speed_mm_s": (number(1, 1000), 150.0),
    "speed": (number(0, 1000), 1.0),
    "kanji": (flag, True),
    "gb18030_4byte": (flag, True),
    "paper_mm": (number(0, 100_000), 80_000.0),
    "cutter_distance": (whole(0, 400), 80),
    "seed": (whole(0, 2**32), 0),
}


def printer_options(options: dict[str, Any]) -> dict[str, Any]:
    """All options with their values. Raises ValueError that names the option and what was expected."""
    values = check_options(_OPTIONS, options)
    if values["tcp"] and values["pty"]:
        raise ValueError("pty: expected either tcp or pty")
    if values["columns"] is not None:
        if values["width_dots"] is not None:
            raise ValueError("columns: expected either width_dots or columns")
        values["width_dots"] = values["columns"] * FONT_A[0]
    return values
