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

NAMES = {kind: f"blue-{kind.replace('_', '-')}" for kind in KINDS}

READY = """
import sys
from countertop.testing.terminal import EmulatedTerminal

names = sys.argv[1:]
with EmulatedTerminal(devices=names) as terminal:
    drivers = {driver.name: driver for driver in terminal.counter.terminal().drivers}
    for name in names:
        device, driver = terminal.counter.device(name), drivers[name]
        assert device.driver == name and device.emulated, device
        assert not driver.error and driver.distribution == f"{name} 0.1.0", driver
        print(device.info.vendor, device.info.model)
"""

FEWER = """
from hypothesis import settings

settings.register_profile("fewer", max_examples=20, deadline=None)
settings.load_profile("fewer")
"""
"""Their examples are for who changes the codec; what is looked at here is that they pass as they were written."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of each kind, installed into one folder by one pip: the projects beside `site`."""
    into = tmp_path_factory.mktemp("projects")
    for kind, name in NAMES.items():
        write_project(Names(name), kind, into)
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target"]
    done = subprocess.run(
        [sys.executable, "-m", *install, str(into / "site"), *(str(into / name) for name in NAMES.values())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (into / "site" / "fewer_examples.py").write_text(FEWER, encoding="utf-8")
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


@pytest.mark.timeout(300)
def test_a_daemon_lists_the_emulated_devices_as_ready(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "-c", READY, *NAMES.values(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == len(NAMES)
    for name, line in zip(NAMES.values(), told, strict=True):
        assert line.startswith(f"{Names(name).words} A"), line


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_its_types_are_clean(installed: Path, kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As its author sees them: strict, by the project's own configuration. What mypy learns of Countertop is shared."""
    pytest.importorskip("mypy")
    cache = tmp_path_factory.getbasetemp() / "mypy-of-new-drivers"
    done = run(installed, "-m", "mypy", "--cache-dir", str(cache), "src", "tests", cwd=installed / NAMES[kind])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_its_own_tests_and_its_conformance_suite_pass(installed: Path, kind: str) -> None:
    """Without the plugins that only our own tests need: whoever writes a driver may have none of them. The tests of the
    framing, which are those of every kind, are run for one.
    """
    project = installed / NAMES[kind]
    chosen = [
        "-p",
        "no:asyncio",
        "-p",
        "no:xdist",
        "-p",
        "no:timeout",
        "-p",
        "no:cacheprovider",
        "-p",
        "fewer_examples",
    ]
    if kind != next(iter(KINDS)):
        chosen += ["--ignore", "tests/test_framing.py"]
    done = run(installed, "-m", "pytest", "-q", "-x", *chosen, cwd=project)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert (project / "tests" / "test_conformance.py").is_file()


def test_the_framing_is_the_same_in_every_kind(installed: Path) -> None:
    """Its tests are run for one kind only."""
    files = (
        "src/{module}/framing.py",
        "src/{module}/masking.py",
        "src/{module}/emulator/wire.py",
        "tests/test_framing.py",
    )
    for file in files:
        texts = set()
        for name in NAMES.values():
            names = Names(name)
            text = (installed / name / file.format(module=names.module)).read_text(encoding="utf-8")
            texts.add(text.replace(names.module, "M").replace(names.words, "W").replace(name, "N"))
        assert len(texts) == 1, file
