"""The pytest plugin: a whole emulated terminal as a fixture. It imports nothing heavy: every run of pytest loads it.

Fixtures: `terminal` (countertop.testing.terminal.EmulatedTerminal), `counter` (countertop.client.sync.Counter), `bench`
(countertop.client.sync.Bench), and one blocking face per kind of device: `id_reader`, `receipt_printer`,
`signature_pad`, `card_printer`, `camera`.

Marker: `@pytest.mark.terminal(devices=[...], faults={...})`, with the arguments of EmulatedTerminal.

When a test fails that has a terminal, what happened on it is written beside the test's results: its events, its
operations, what came out of its printers, what its pads show and its cameras see.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from countertop.client import sync
    from countertop.testing.terminal import EmulatedTerminal

__all__: list[str] = []

_TERMINAL = pytest.StashKey["EmulatedTerminal"]()
_DEFAULT_FOLDER = "test-results"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where artefacts go."""
    help_ = f"folder for what happened on the terminals of failed tests (default: {_DEFAULT_FOLDER})"
    parser.getgroup("countertop").addoption("--countertop-artefacts", metavar="DIR", default=None, help=help_)
    parser.addini("countertop_artefacts", help_, default=_DEFAULT_FOLDER)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers",
        "terminal(devices=[...], faults={...}): what the emulated terminal has, and what is wrong with it; the "
        "arguments of countertop.testing.terminal.EmulatedTerminal",
    )


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[EmulatedTerminal]:
    """A whole emulated terminal: the real daemon behind real gRPC, every device ready. One for each test."""
    from countertop.testing.terminal import EmulatedTerminal

    marker = request.node.get_closest_marker("terminal")
    if marker is not None and marker.args:
        raise pytest.UsageError(f"{request.node.nodeid}: give the marker `terminal` its arguments by name")
    with EmulatedTerminal(**(marker.kwargs if marker is not None else {})) as terminal:
        request.node.stash[_TERMINAL] = terminal
        yield terminal
        del request.node.stash[_TERMINAL]


@pytest.fixture
def counter(terminal: EmulatedTerminal) -> sync.Counter:
    """A blocking client. Asynchronous tests use `async with terminal.connect() as counter`."""
    return terminal.counter


@pytest.fixture
def bench(terminal: EmulatedTerminal) -> sync.Bench:
    """Hands on the devices: lay a card on the reader, open the cover, pull the plug."""
    return terminal.bench


@pytest.fixture
def id_reader(counter: sync.Counter) -> sync.IdReader:
    """The terminal's ID reader."""
    return counter.id_reader()


@pytest.fixture
def receipt_printer(counter: sync.Counter) -> sync.ReceiptPrinter:
    """The terminal's receipt printer."""
    return counter.receipt_printer()


@pytest.fixture
def signature_pad(counter: sync.Counter) -> sync.SignaturePad:
    """The terminal's signature pad."""
    return counter.signature_pad()


@pytest.fixture
def card_printer(counter: sync.Counter) -> sync.CardPrinter:
    """The terminal's card printer."""
    return counter.card_printer()


@pytest.fixture
def camera(counter: sync.Counter) -> sync.Camera:
    """The terminal's camera."""
    return counter.camera()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what happened on the terminal of a test that failed."""
    report = yield
    terminal = item.stash.get(_TERMINAL, None)
    if report.when == "call" and report.failed and terminal is not None:
        report.sections.append(("countertop artefacts", _kept(terminal, _folder(item))))
    return report


def _kept(terminal: EmulatedTerminal, folder: Path) -> str:
    from countertop.testing.artefacts import write_artefacts

    try:
        written = write_artefacts(terminal, folder)
    except Exception as error:  # whatever goes wrong here must not hide why the test failed
        return f"could not be written to {folder}: {type(error).__name__}: {error}"
    return "\n".join(str(path) for path in written)


def _folder(item: pytest.Item) -> Path:
    """A folder of the test's own; two workers never share one, since no two tests do."""
    chosen: str = item.config.getoption("--countertop-artefacts") or item.config.getini("countertop_artefacts")
    name = re.sub(r"[^\w.-]+", "-", item.nodeid, flags=re.ASCII).strip("-")[-120:]
    return item.config.rootpath / chosen / name
