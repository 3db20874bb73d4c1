"""The suites find what is wrong: each requirement fails on a driver that is broken on purpose in just that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from countertop.testing.conformance import requirements_of
from countertop.testing.conformance.suites import SUITES
from tests.conformance.finding import all_planted, finding, importable
from tests.conformance.planted import Planted

PLANTED = all_planted()
UNPLANTED: dict[str, str] = {}
"""Requirements without a planted fault, each with the reason."""


PATIENCE = 4.0
"""Seconds that a broken driver may take to answer here; those that never do cost 10 each else."""


@pytest.fixture(autouse=True)
def broken_drivers_are_importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, module in list(sys.modules.items()):
        if name.startswith("countertop.testing.conformance.") and hasattr(module, "REPLY_SECONDS"):
            monkeypatch.setattr(module, "REPLY_SECONDS", PATIENCE)
    with importable():
        yield


@pytest.mark.filterwarnings("ignore")  # broken drivers leak
@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: f"{one.number}-{one.name.replace(' ', '-')}")
def test_it_is_found(planted: Planted, record_property: Any) -> None:
    try:
        sentence = finding(planted, planted.number)
    except pytest.skip.Exception as skipped:
        raise AssertionError(f"{planted.number} was skipped: {skipped.msg}") from None
    record_property("planted", [planted.number, planted.broken.name, planted.name, sentence])
    assert sentence, f"{planted.number} does not find a driver that {planted.name}"


def test_every_requirement_has_a_planted_fault() -> None:
    numbers = {one.number for suite in SUITES.values() for one in requirements_of(suite).values()}
    planted = {one.number for one in PLANTED}
    assert planted <= numbers
    assert numbers - planted == set(UNPLANTED)


def test_no_two_planted_faults_of_a_driver_have_one_name() -> None:
    names = [(one.broken.name, one.name) for one in PLANTED]
    assert len(names) == len(set(names))
