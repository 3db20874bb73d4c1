"""Write docs/driver-sizes.md: how many lines each driver takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DRIVERS = Path(__file__).resolve().parents[1] / "drivers" / "countertop" / "drivers"
MOST_LINES = 300
"""Of a module, `protocol.py` left out: that one is as long as the device's protocol."""
HEAD = f"""# How long drivers are

A driver is a folder in `drivers/countertop/drivers/`. `driver.py` is the class that the daemon calls; the modules of the wire know
the bytes, `mask*.py` among them, which knows what of the bytes may be recorded; the others are options, models, the conversation with the device and its states. Lines are
counted as `wc -l` counts them, docstrings and blank lines with the rest. No module but `protocol.py` has more than {MOST_LINES}.

This page is made from the sources by `python docs/generate_driver_sizes.py`.

| driver | `driver.py` | the wire | the rest | all | longest module beside `protocol.py` |
|---|---:|---:|---:|---:|---|
"""
WIRE: Mapping[str, frozenset[str]] = {
    "escpos": frozenset({"codes", "encode", "modes", "raster", "text"}),
    "evolis": frozenset({"bitmaps", "panels"}),
    "hid_digitizer": frozenset({"descriptor_items", "layout", "report_descriptor"}),
    "ipp_card": frozenset({"client", "link", "raster"}),
    "magicard": frozenset({"bitmaps", "job"}),
    "opencv": frozenset({"http_link", "multipart", "v4l2_link", "video_link"}),
    "sdt": frozenset({"checks", "layouts", "nation"}),
    "topaz": frozenset({"packets"}),
    "wacom_stu": frozenset({"encryption", "framing", "images", "reports", "transport"}),
}
"""Modules of the wire, beside those that are called so in every driver."""
ALWAYS_WIRE = ("mask", "protocol")
"""Beginnings of their names."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Lines of one driver, by module."""

    name: str
    modules: Mapping[str, int]

    @property
    def driver(self) -> int:
        """Lines of `driver.py`."""
        return self.modules["driver"]

    @property
    def wire(self) -> int:
        """Lines of the modules of the wire."""
        names = WIRE.get(self.name, frozenset())
        return sum(lines for module, lines in self.modules.items() if module in names or module.startswith(ALWAYS_WIRE))

    @property
    def all(self) -> int:
        """Lines of all modules."""
        return sum(self.modules.values())

    @property
    def longest(self) -> tuple[str, int]:
        """The longest module but `protocol.py`, and its lines."""
        return max(((name, lines) for name, lines in self.modules.items() if name != "protocol"), key=lambda it: it[1])


def sizes() -> list[Sizes]:
    """Of every driver, by name."""
    folders = sorted(path.parent for path in DRIVERS.glob("*/driver.py"))
    return [Sizes(folder.name, {path.stem: _lines(path) for path in sorted(folder.glob("*.py"))}) for folder in folders]


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def table() -> str:
    """The page."""
    rows = []
    for of in sizes():
        longest, lines = of.longest
        rest = of.all - of.driver - of.wire
        rows.append(f"| `{of.name}` | {of.driver} | {of.wire} | {rest} | {of.all} | `{longest}.py`, {lines} |")
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("driver-sizes.md").write_text(table(), encoding="utf-8")
