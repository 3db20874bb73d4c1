"""Printer profiles: what a model has, as data."""

from __future__ import annotations

import codecs
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from typing import Any

from countertop.sdk.receipt.ir import Paper

__all__ = ["GENERIC", "Profile", "find_profile", "load_profile", "profile_names"]

GENERIC = "generic-80mm"
"""The profile of a printer that nothing is known of."""


@dataclass(frozen=True)
class Profile:
    """What a printer model has; `profiles.toml` explains the fields."""

    name: str
    models: tuple[str, ...]
    width_dots: int
    dpi: int
    cell: tuple[int, int]
    small_cell: tuple[int, int]
    line_gap: int
    code_pages: tuple[tuple[int, str], ...]
    kanji: str
    four_byte: tuple[tuple[str, str], ...]
    kanji_scale: int
    raster: str
    strip_rows: int
    qr: bool
    pdf417: bool
    barcodes: bool
    cutter: str
    tear_off_mm: float
    drawer: bool
    process_id: bool
    gs_r: bool
    clear: bool
    counters: bool
    disable_realtime: tuple[int, ...]
    motion_units: bool
    buffer_bytes: int

    @property
    def paper(self) -> Paper:
        """The geometry to lay out for."""
        return Paper(self.width_dots, self.dpi, self.cell, self.small_cell, self.line_gap)

    def with_code_pages(self, code_pages: Mapping[int, str]) -> Profile:
        """The same with other code pages. Raises LookupError for an unknown codec."""
        for codec in code_pages.values():
            codecs.lookup(codec)
        return replace(self, code_pages=tuple(code_pages.items()))


@functools.cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    text = files("countertop.drivers.escpos").joinpath("profiles.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    for name, entry in table.items():  # a base stands above those that stand on it
        table[name] = {**table[entry["base"]], **entry} if "base" in entry else entry
    return table


def profile_names() -> list[str]:
    """All there are."""
    return list(_table())


@functools.cache
def load_profile(name: str) -> Profile:
    """The profile of that name. Raises KeyError."""
    entry = _table()[name]
    values = {field.name: _frozen(entry[field.name]) for field in fields(Profile) if field.name != "name"}
    values["code_pages"] = tuple((int(n), codec) for n, codec in entry["code_pages"].items())
    return Profile(name=name, **values)


def find_profile(model: str) -> Profile | None:
    """The profile for a model name as GS I 67 gives it: the longest beginning that fits decides."""
    fitting = [
        (len(beginning), name)
        for name, entry in _table().items()
        for beginning in entry["models"]
        if model.upper().startswith(beginning.upper())
    ]
    return load_profile(max(fitting)[1]) if fitting else None


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
