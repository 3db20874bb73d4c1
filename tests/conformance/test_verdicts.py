"""Running a suite without pytest's command line: a verdict for each requirement, with its reason."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from countertop.testing.conformance import DeviceConformance, IdReaderConformance, Rig, expect, requirement
from countertop.testing.conformance.verdicts import Verdict, Verdicts, run_suite
from tests.conformance.planted_devices import SaysNoCapabilities


class Reader(IdReaderConformance):
    """A reader, and requirements of the test's own."""

    driver = "sdt"
    emulator_options = {"boot_seconds": 0, "read_seconds": 0.05}

    @requirement("X-01", "It cannot be checked here.")
    async def test_x01_skipped(self, rig: Rig) -> None:
        """A hand that the emulator does not have."""
        await rig.hands.do("load_paper")

    @requirement("X-02", "It raises what is not its own.")
    async def test_x02_foreign(self, rig: Rig) -> None:
        """As a driver does that is not finished."""
        customer = "Kanarienvogel"
        raise KeyError(len(customer))

    @requirement("X-03", "It does not hold.")
    async def test_x03_broken(self, rig: Rig) -> None:
        """Says what was expected."""
        expect(False, "A thing must hold; it does not.")


class Broken(Reader):
    driver = SaysNoCapabilities


def judged(*numbers: str, suite: type[DeviceConformance] = Reader, **more: Any) -> Verdicts:
    return run_suite(suite, "the emulator sdt", only=numbers, **more)


def test_what_holds_passes_and_tells_of_the_device() -> None:
    verdicts = judged("D-03")
    verdict = verdicts.by_number["D-03"]
    assert (verdict.word, verdict.reason, verdict.trace) == ("passed", "", "")
    assert verdict.seconds > 0
    assert verdicts.conforms
    assert verdicts.info.model == "SAM_V"


def test_a_broken_driver_fails_with_the_sentence_and_the_place() -> None:
    verdicts = judged("D-03", "D-02", suite=Broken)
    verdict = verdicts.by_number["D-03"]
    assert verdict.word == "failed"
    assert verdict.reason == "DeviceInfo must have the capabilities `id_reader`; got none."
    assert "test_d03_identifies" in verdict.trace
    assert verdicts.by_number["D-02"].word == "passed"
    assert not verdicts.conforms


def test_a_skip_has_its_reason_and_is_no_failure() -> None:
    verdicts = judged("X-01")
    assert (verdicts.by_number["X-01"].word, verdicts.count("skipped")) == ("skipped", 1)
    assert verdicts.by_number["X-01"].reason == "the emulator has no hand for load paper"
    assert verdicts.conforms


def test_a_foreign_exception_is_told_by_its_type() -> None:
    assert judged("X-02").by_number["X-02"].reason == "KeyError: 13"


def test_traces_hold_no_values() -> None:
    """What a driver read on a real device is somebody's data."""
    trace = judged("X-02", suite=Broken).by_number["X-02"].trace
    assert "test_x02_foreign" in trace
    assert "SaysNoCapabilities" not in trace, "as repr of self would show"


def test_only_what_was_chosen_is_run_in_the_order_of_the_numbers() -> None:
    told: list[Verdict] = []
    verdicts = judged("X-03", "D-02", "X-01", told=told.append)
    assert [one.requirement.number for one in told] == ["D-02", "X-01", "X-03"]
    assert [one.word for one in told] == ["passed", "skipped", "failed"]
    assert list(verdicts.by_number) == ["D-02", "X-01", "X-03"]


def test_a_number_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r"expected requirements among D-01, .*; got D-99, Q-01"):
        judged("D-99", "D-01", "Q-01")


def test_junit_has_the_requirements_as_properties(tmp_path: Path) -> None:
    judged("D-02", "X-01", "X-03", junit=tmp_path / "deep" / "junit.xml")
    root = ElementTree.parse(tmp_path / "deep" / "junit.xml").getroot()
    cases = {properties(case)["requirement"]: case for case in root.iter("testcase")}
    assert set(cases) == {"D-02", "X-01", "X-03"}
    assert cases["X-01"].find("skipped") is not None
    assert cases["X-03"].find("failure") is not None
    assert cases["D-02"].find("failure") is None
    assert properties(cases["X-03"])["title"] == "It does not hold."


def properties(case: ElementTree.Element) -> dict[str | None, str | None]:
    return {item.get("name"): item.get("value") for item in case.iter("property")}


def test_interrupted_it_says_what_was_not_run() -> None:
    def interrupt(verdict: Verdict) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    verdicts = judged("D-02", "X-01", told=interrupt)
    assert verdicts.interrupted
    assert verdicts.count("not run") >= 1
    assert not verdicts.conforms


def test_the_users_settings_for_pytest_are_for_the_users_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k nothing_of_this_name")
    assert judged("D-02").by_number["D-02"].word == "passed"
    assert os.environ["PYTEST_ADDOPTS"]
