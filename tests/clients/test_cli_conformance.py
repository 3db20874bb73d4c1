"""`countertop conformance` on the command line: verdicts, files, exit codes, and mistakes that are named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from countertop.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main

CLI = [sys.executable, "-m", "countertop.cli", "conformance"]
FAST = ["--driver", "sdt", "--emulator-option", "boot_seconds=0", "--emulator-option", "read_seconds=0.05"]
PLUGIN = """
from countertop.drivers.sdt.driver import SdtReader
from countertop.emulators.sdt.emulator import start
from countertop.sdk import DriverSpec, hookimpl
from countertop.v1.device_pb2 import DEVICE_KIND_ID_READER


class Speechless(SdtReader):
    name = "speechless"

    async def connect(self):
        info = await super().connect()
        info.ClearField("capabilities")
        return info


@hookimpl
def countertop_drivers():
    return [DriverSpec("speechless", DEVICE_KIND_ID_READER, "speechless:Speechless", "A reader on trial.")]
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which a plugin with a broken driver is installed."""
    info = tmp_path / "speechless-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: speechless\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[countertop.plugins]\nspeechless = speechless\n", encoding="utf-8")
    (tmp_path / "speechless.py").write_text(PLUGIN, encoding="utf-8")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def test_all_requirements_are_listed_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "--list"]) == EXIT_OK
    numbers = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert len(numbers) == len(set(numbers))
    assert {number[0] for number in numbers} == set("DRPSCM")


def test_those_of_one_kind_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--kind", "camera"], ["--driver", "opencv"]):
        assert main(["conformance", "--list", "--json", *words]) == EXIT_OK
        listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert {one["requirement"][0] for one in listed} == {"D", "M"}
        assert all(one["title"].endswith(".") for one in listed)


def test_what_holds_ends_with_0_and_its_files_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, junit = tmp_path / "out" / "sdt.html", tmp_path / "out" / "sdt.xml"
    words = ["--only", "D-02", "--only", "d-03", "--report", str(report), "--junit", str(junit)]
    assert main(["conformance", *FAST, *words]) == EXIT_OK
    out = capsys.readouterr().out
    assert "D-03  passed   Connecting identifies the device" in out
    assert "sdt on the emulator sdt: 2 passed." in out
    assert f"wrote {report}" in out
    assert f"wrote {junit}" in out
    assert 'id="d-03"' in report.read_text(encoding="utf-8")
    cases = list(ElementTree.parse(junit).getroot().iter("testcase"))
    assert len(cases) == 2


def test_verdicts_are_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", *FAST, "--only", "D-02", "--only", "D-20", "--json"]) == EXIT_OK
    *verdicts, summary = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [(one["requirement"], one["verdict"]) for one in verdicts] == [("D-02", "passed"), ("D-20", "skipped")]
    assert verdicts[1]["reason"] == "the driver has no vendor commands"
    assert summary == {"driver": "sdt", "conforms": True, "passed": 1, "failed": 0, "skipped": 1, "not run": 0}


def test_a_broken_driver_ends_with_1(installed: dict[str, str], tmp_path: Path) -> None:
    words = ["--driver", "speechless", "--emulator", "sdt", "--only", "D-01", "--only", "D-03", "--json"]
    words += ["--report", str(tmp_path / "report.html")]
    done = subprocess.run([*CLI, *words], env=installed, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == EXIT_FAILED, done.stderr
    announced, identifies, summary = (json.loads(line) for line in done.stdout.splitlines())
    assert announced["verdict"] == "passed"
    assert identifies["verdict"] == "failed"
    assert identifies["reason"] == "DeviceInfo must have the capabilities `id_reader`; got none."
    assert (summary["conforms"], summary["failed"]) == (False, 1)
    assert "speechless does not conform" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_driver_without_an_emulator_needs_a_link(installed: dict[str, str]) -> None:
    words = [*CLI, "--driver", "speechless"]
    done = subprocess.run(words, env=installed, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == EXIT_FAILED
    assert "No emulator is made for the driver speechless." in done.stderr
    assert "--link URL" in done.stderr


def test_without_a_person_hands_are_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link to a device that is not there: what needs it fails, what needs hands is skipped, and the rest passes."""
    words = ["--driver", "sdt", "--link", f"serial://{tmp_path}/nothing", "--unattended", "--json"]
    only = ["--only", "D-02", "--only", "D-03", "--only", "D-05"]
    assert main(["conformance", *words, *only]) == EXIT_FAILED
    *verdicts, _ = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [one["verdict"] for one in verdicts] == ["passed", "failed", "skipped"]
    assert verdicts[2]["reason"] == "needs a person at the device"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "--driver: expected one of "),
        (["--driver", "sdtt"], "--driver: expected one of "),
        (["--driver", "sdt", "--kind", "camera"], "--kind: the driver sdt is of the kind id_reader; got camera."),
        (["--driver", "sdt", "--emulator", "nothing"], "--emulator: expected one of sdt; got 'nothing'."),
        (["--driver", "sdt", "--emulator", "camera"], "--emulator: expected one of sdt; got 'camera'."),
        (["--driver", "sdt", "--only", "Q-01"], "--only: expected requirements among D-01"),
        (["--driver", "sdt", "--option", "baud"], "Options are given as NAME=VALUE; got 'baud'."),
        (["--driver", "sdt", "--option", "speed=1"], "--option: speed: Extra inputs are not permitted."),
        (["--driver", "sdt", "--link", "nonsense"], "--link: expected a link such as "),
    ],
)
def test_mistakes_are_named(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", *words]) == EXIT_FAILED
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.out == ""


def test_a_link_and_an_emulator_exclude_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--driver", "sdt", "--link", "tcp://127.0.0.1:9", "--emulator", "sdt"]
    assert main(["conformance", *words]) == EXIT_USAGE
    assert "not allowed with" in capsys.readouterr().err
