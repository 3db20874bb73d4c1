"""What `countertop new-driver` writes works before a line of it is changed: it installs, is found, and its own tests
and conformance suite pass. The name is never that of the templates.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from countertop.testing.new_driver import KINDS, Names, write_project

NAME = "blue-box"

READY = """
from countertop.testing.terminal import EmulatedTerminal

with EmulatedTerminal(devices=["blue-box"]) as terminal:
    device = terminal.counter.device("blue-box")
    assert device.driver == "blue-box" and device.emulated, device
    print(device.info.vendor, device.info.model)
    terminal_info = terminal.counter.terminal()
    (driver,) = [driver for driver in terminal_info.drivers if driver.name == "blue-box"]
    assert not driver.error and driver.distribution == "blue-box 0.1.0", driver
"""


@pytest.fixture(scope="module", params=KINDS)
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, installed into a folder of its own by pip: `project` beside `site`."""
    into = tmp_path_factory.mktemp(request.param)
    write_project(Names(NAME), request.param, into)
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target"]
    done = subprocess.run(
        [sys.executable, "-m", *install, str(into / "site"), str(into / NAME)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return into


def run(installed: Path, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python, with the project installed; one that finds it and nothing of this test."""
    environment = os.environ | {
        "PYTHONPATH": str(installed / "site"),
        "XDG_STATE_HOME": str(installed / "state"),
        "COUNTERTOP_CONFORMANCE_EXAMPLES": "1",
    }
    environment.pop("PYTEST_ADDOPTS", None)
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_a_daemon_lists_the_emulated_device_as_ready(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "-c", READY, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("BlueBox A")


@pytest.mark.timeout(300)
def test_its_types_are_clean(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As its author sees them: strict, by the project's own configuration. What mypy learns of Countertop is shared."""
    pytest.importorskip("mypy")
    cache = tmp_path_factory.getbasetemp() / "mypy-of-new-drivers"
    done = run(installed, "-m", "mypy", "--cache-dir", str(cache), "src", "tests", cwd=installed / NAME)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_its_own_tests_and_its_conformance_suite_pass(installed: Path) -> None:
    """Without the plugins that only our own tests need: whoever writes a driver may have none of them."""
    lacking = ["-p", "no:asyncio", "-p", "no:xdist", "-p", "no:timeout", "-p", "no:cacheprovider"]
    done = run(installed, "-m", "pytest", "-q", "-x", *lacking, cwd=installed / NAME)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert (installed / NAME / "tests" / "test_conformance.py").is_file()
