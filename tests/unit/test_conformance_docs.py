"""The page of requirements is in step with the suites, and each requirement can be linked to."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from countertop.testing.conformance import DeviceConformance, requirements_of
from countertop.testing.conformance.suites import SUITES

DOCS = Path(__file__).resolve().parents[2] / "docs"
KINDS = {"D", "R", "P", "S", "C", "M"}


def test_the_page_of_requirements_is_in_step_with_the_suites() -> None:
    page = runpy.run_path(str(DOCS / "generate_conformance.py"))["page"]
    assert (DOCS / "conformance.md").read_text(encoding="utf-8") == page(), "run: python docs/generate_conformance.py"


def test_every_requirement_is_there_once() -> None:
    page = (DOCS / "conformance.md").read_text(encoding="utf-8")
    found = [number.upper() for number in re.findall(r'<a id="(\w-\d\d)"></a>', page)]
    wanted = {one.number for suite in SUITES.values() for one in requirements_of(suite).values()}
    assert sorted(found) == sorted(wanted)


def test_numbers_are_of_their_kind_in_order_and_in_the_methods_names() -> None:
    for suite in (DeviceConformance, *SUITES.values()):
        for name, requirement in requirements_of(suite).items():
            letter, number = requirement.number.split("-")
            assert letter in KINDS
            assert name.startswith(f"test_{letter.lower()}{number}_")


def test_every_requirement_says_what_holds_and_why() -> None:
    for suite in SUITES.values():
        for requirement in requirements_of(suite).values():
            assert requirement.title.endswith("."), requirement.number
            assert requirement.why, f"{requirement.number} needs a docstring"
