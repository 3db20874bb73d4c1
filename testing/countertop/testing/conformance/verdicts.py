"""Runs a suite on one driver, and keeps the verdict on each requirement."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from countertop.testing.conformance._device import DeviceConformance
from countertop.testing.conformance._requirement import Requirement, requirements_of
from countertop.v1.device_pb2 import DeviceInfo

__all__ = ["Verdict", "Verdicts", "run_suite"]

_MODULE = "test_conformance"
Word = Literal["passed", "failed", "skipped", "not run"]


@dataclass(slots=True)
class Verdict:
    """What was found of one requirement."""

    requirement: Requirement
    word: Word = "not run"
    reason: str = ""
    """Why it failed or was skipped, one sentence."""
    trace: str = ""
    """Where it failed."""
    seconds: float = 0.0


@dataclass(slots=True)
class Verdicts:
    """What was found of one driver."""

    suite: type[DeviceConformance]
    on: str
    """What it ran on: the emulator's name, or the link."""
    by_number: dict[str, Verdict]
    when: datetime = field(default_factory=lambda: datetime.now(UTC))
    info: DeviceInfo = field(default_factory=DeviceInfo)
    """What the driver said of the device."""
    interrupted: bool = False

    def count(self, word: Word) -> int:
        """How many have that verdict."""
        return sum(verdict.word == word for verdict in self.by_number.values())

    @property
    def conforms(self) -> bool:
        """Nothing failed, and the run came to its end."""
        return not self.interrupted and not self.count("failed") and not self.count("not run")


def run_suite(
    suite: type[DeviceConformance],
    on: str,
    *,
    only: Sequence[str] = (),
    junit: Path | None = None,
    told: Callable[[Verdict], object] = lambda verdict: None,
) -> Verdicts:
    """Run a suite, with pytest, in this process; `only` names requirements by their numbers, by default all.

    `junit`: where JUnit XML is written. `told` hears each verdict as it is found. Raises ValueError for a number that
    the suite does not have.
    """
    found = requirements_of(suite)
    numbers = {requirement.number for requirement in found.values()}
    if unknown := sorted(set(only) - numbers):
        raise ValueError(f"expected requirements among {', '.join(sorted(numbers))}; got {', '.join(unknown)}")
    chosen = {item.number: Verdict(item) for item in found.values() if not only or item.number in only}
    verdicts = Verdicts(suite, on, chosen)
    with tempfile.TemporaryDirectory(prefix="countertop-") as folder:
        path = Path(folder) / f"{_MODULE}.py"
        path.write_text('"""Filled in by the collector."""\n', encoding="utf-8")
        (Path(folder) / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # nobody else's settings
        arguments = [str(path), "-p", "no:terminal", "-p", "no:cacheprovider", "--disable-plugin-autoload", "-s"]
        arguments += ["-c", f"{folder}/pytest.ini", "--rootdir", folder, "--import-mode=importlib"]
        if junit is not None:
            arguments += [f"--junitxml={junit.absolute()}", "-o", f"junit_suite_name=conformance of {suite.__name__}"]
        with _own_settings():
            code = pytest.main(arguments, plugins=[_Collector(verdicts, told)])
    verdicts.interrupted = code == pytest.ExitCode.INTERRUPTED
    return verdicts


@contextmanager
def _own_settings() -> Iterator[None]:
    """What the user's environment tells pytest is for the user's own tests; and no other run's module is taken for
    this one's.
    """
    told = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    module = sys.modules.pop(_MODULE, None)
    try:
        yield
    finally:
        os.environ.update(told)
        sys.modules.pop(_MODULE, None)
        if module is not None:
            sys.modules[_MODULE] = module


class _Collector:
    """Gives pytest the suite, and takes its reports."""

    def __init__(self, verdicts: Verdicts, told: Callable[[Verdict], object]) -> None:
        self._verdicts = verdicts
        self._told = told

    def pytest_configure(self, config: pytest.Config) -> None:
        """Traces show lines and no values: a real device's may be somebody's data."""
        config.option.tbstyle = "short"

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.Module:
        module: pytest.Module = pytest.Module.from_parent(parent, path=module_path)
        setattr(module.obj, f"Test{self._verdicts.suite.__name__}", self._verdicts.suite)
        return module

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if _number(item) in self._verdicts.by_number]
        items.sort(key=_number)
        for item in items:
            requirement = self._verdicts.by_number[_number(item)].requirement
            item.user_properties += [("requirement", requirement.number), ("title", requirement.title)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report: pytest.TestReport = yield
        verdict = self._verdicts.by_number[_number(item)]
        if report.when == "call" or report.outcome != "passed":
            verdict.word = report.outcome
            verdict.seconds = report.duration
            verdict.reason = "" if call.excinfo is None else _reason(call.excinfo)
            verdict.trace = report.longreprtext if report.failed else ""
            self._told(verdict)
        info = self._verdicts.suite.seen
        if info.vendor:
            self._verdicts.info = info
        return report


def _number(item: pytest.Item) -> str:
    requirement = getattr(getattr(item, "function", None), "requirement", None)
    return requirement.number if isinstance(requirement, Requirement) else ""


def _reason(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """Of a skip or of a broken requirement its own sentence, of another exception its type too."""
    error = excinfo.value
    text = str(getattr(error, "msg", "") or error).split("\n")[0]
    return text if isinstance(error, AssertionError | pytest.skip.Exception) else f"{type(error).__name__}: {text}"
