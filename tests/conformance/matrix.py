"""Every planted fault against every requirement of its suite: `python -m tests.conformance.matrix [WORD...]`.

Slow: minutes for each kind of device. Words choose faults by their driver or the number of their requirement (`sdt`,
`M-`). Prints a line for each fault: the requirements that found it. Before, the sound driver is put to the same
requirements with the same options; what fails there is no finding. The exit code is 1 when a fault was not found by its
own requirement, or a sound driver fails.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from countertop.sdk.device import Device
from countertop.testing.conformance import requirements_of
from tests.conformance.finding import all_planted, finding, importable, sound
from tests.conformance.planted import Planted

__all__ = ["main"]


def main(words: list[str]) -> int:
    """Run it. Returns the exit code."""
    warnings.simplefilter("ignore")  # broken drivers leak
    logging.disable(logging.CRITICAL)
    wrong = 0
    known: dict[str, set[str]] = {}
    with importable():
        for planted in _chosen(words):
            driver = sound(planted)
            key = f"{planted.suite} {driver} {planted.emulator_options} {planted.options}"
            if key not in known:
                known[key] = set(_found_by(planted, driver))
                print(f"      {driver.name:<14} sound{'':<39} {_listed(known[key])}", flush=True)
                wrong += bool(known[key])
            found = [number for number in _found_by(planted, planted.broken) if number not in known[key]]
            wrong += planted.number not in found
            mark = planted.number if planted.number in found else f"{planted.number}!"
            print(f"{mark:<5} {planted.broken.name:<14} {planted.name:<44} {_listed(found)}", flush=True)
    return 1 if wrong else 0


def _chosen(words: list[str]) -> list[Planted]:
    return [
        one
        for one in all_planted()
        if not words or any(one.broken.name == word or one.number.startswith(word) for word in words)
    ]


def _found_by(planted: Planted, driver: type[Device]) -> Iterator[str]:
    """Numbers of the requirements that do not hold for a driver; those that are skipped find nothing."""
    for requirement in requirements_of(planted.suite).values():
        try:
            if finding(planted, requirement.number, driver):
                yield requirement.number
        except pytest.skip.Exception:
            continue
        except (AttributeError, ImportError, NameError, TypeError):
            yield requirement.number


def _listed(numbers: list[str] | set[str]) -> str:
    return ", ".join(sorted(numbers)) or "-"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
