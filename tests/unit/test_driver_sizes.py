"""Drivers stay small, and the page that says how small is in step with them."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = runpy.run_path(str(DOCS / "generate_driver_sizes.py"))
SIZES = PAGE["sizes"]()


def test_no_module_but_the_protocol_has_more_than_300_lines() -> None:
    long = {
        f"{of.name}/{module}.py": lines
        for of in SIZES
        for module, lines in of.modules.items()
        if module != "protocol" and lines > 300
    }
    assert not long, "find the idea in it that wants a module of its own"


def test_the_page_of_sizes_is_in_step_with_the_drivers() -> None:
    page = (DOCS / "driver-sizes.md").read_text(encoding="utf-8")
    assert page == PAGE["table"](), "run: python docs/generate_driver_sizes.py"


def test_every_driver_is_counted_with_all_its_modules() -> None:
    folders = {path.parent for path in PAGE["DRIVERS"].rglob("*.py") if path.parent != PAGE["DRIVERS"]}
    assert {of.name for of in SIZES} == {folder.name for folder in folders}
    for of in SIZES:
        assert set(of.modules) == {path.stem for path in (PAGE["DRIVERS"] / of.name).iterdir() if path.suffix == ".py"}
        assert of.driver + of.wire <= of.all == sum(of.modules.values())


def test_modules_of_the_wire_are_there() -> None:
    modules = {of.name: set(of.modules) for of in SIZES}
    gone = {(name, module) for name, wire in PAGE["WIRE"].items() for module in wire - modules.get(name, set())}
    assert not gone, "WIRE in docs/generate_driver_sizes.py names modules that are not there"
