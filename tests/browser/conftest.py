"""A real browser before a real daemon: Debian's Chromium, driven by Playwright.

Screenshots go to the folder COUNTERTOP_SCREENSHOTS, else to the test's own folder. Without Chromium or Playwright the
tests are skipped; with COUNTERTOP_REQUIRE_BROWSER=1 that is a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REQUIRED = os.environ.get("COUNTERTOP_REQUIRE_BROWSER") == "1"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _missing(what: str) -> None:
    if REQUIRED:
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


class Counter:
    """`countertop serve --console` as a process of its own, on one port and one state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._address = "127.0.0.1:0"
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        """The console's, with its token."""
        self.base = ""
        """`http://127.0.0.1:PORT`."""

    def start(self, *options: str) -> None:
        """Start, or start again on the same port."""
        command = [sys.executable, "-m", "countertop.cli", "serve", "--console", "--json-logs"]
        command += [
            "--browser",
            self._address,
            "--listen",
            f"unix:{self.folder}/c.sock",
            "--state",
            f"{self.folder}/state",
        ]
        log = (self.folder / "daemon.log").open("a")
        self._process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=log, text=True)
        log.close()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the daemon did not start: {(self.folder / 'daemon.log').read_text()}"
        self.url = json.loads(line)["console"]
        self.base = self.url.partition("/#")[0]
        self._address = self.base.removeprefix("http://")

    @property
    def token(self) -> str:
        """Of the console's page."""
        return self.url.partition("#token=")[2]

    def stop(self, *, kill: bool = False) -> None:
        """Stop with SIGTERM, or with SIGKILL."""
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.kill()
        else:
            process.terminate()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium, for one module: while it is open, Playwright's event loop runs, and no other test's can."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("the package playwright")
    if CHROMIUM is None:
        _missing("Chromium")
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--host-resolver-rules=MAP rebound.example 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def options() -> list[str]:
    """Of `countertop serve`, beside those that every counter has."""
    return []


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory, options: list[str]) -> Iterator[Counter]:
    """An emulated terminal with the console."""
    made = Counter(tmp_path_factory.mktemp("counter"))
    made.start(*options)
    yield made
    made.stop()


class Complaints:
    """What a page complained of in its console, and what it threw."""

    def __init__(self, page: Any) -> None:
        self.all: list[str] = []
        page.on("console", lambda message: message.type in ("error", "warning") and self.all.append(message.text))
        page.on("pageerror", lambda error: self.all.append(str(error)))


@pytest.fixture
def shoot(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any, str], Path]:
    """Takes a screenshot that is kept."""
    folder = Path(os.environ.get("COUNTERTOP_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Any, name: str) -> Path:
        path = folder / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take


@pytest.fixture
def complaints() -> Callable[[Any], Complaints]:
    return Complaints
