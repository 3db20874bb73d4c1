"""Tells at the end of the run which requirement has found which planted fault."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table; workers of xdist send its rows with their reports."""
    rows = sorted(
        tuple(value)
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if isinstance(report, pytest.TestReport)
        for key, value in report.user_properties
        if key == "planted"
    )
    if not rows:
        return
    terminalreporter.section("planted faults, and the requirements that found them")
    wide = [max(len(row[column]) for row in rows) for column in range(3)]
    for number, driver, name, sentence in rows:
        cells = f"{number:<{wide[0]}}  {driver:<{wide[1]}}  {name:<{wide[2]}}"
        terminalreporter.write_line(f"{cells}  {sentence or 'NOT FOUND'}")
