"""One run of a codec's tests in a forked process. pytest and what the tests import from elsewhere are loaded once, in
the parent: on a slow machine a run then costs half a second instead of five.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import signal
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from quality.mutation.tree import strangers

__all__ = ["Limits", "NoBaseline", "baseline", "passes"]

_FORK = multiprocessing.get_context("fork")
_PLUGINS = ("_hypothesis_pytestplugin", "pytest_asyncio.plugin", "pytest_timeout", "countertop.testing.plugin")
_OPTIONS = (
    "-x", "-q", "--tb=no", "--no-header", "--assert=plain", "--hypothesis-profile=mutation", "-p", "no:cacheprovider",
)  # fmt: skip
_MEMORY = 4 << 30
_NOT_PRELOADED = re.compile(r"(countertop(?!\.v1|\.bench)|tests|grpc)\b")
"""What may be mutated, what tests it, and what does not survive a fork."""

os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
os.environ.pop("PYTEST_ADDOPTS", None)  # it may ask for plugins
# the same examples for every mutant, and no shrinking: that an example fails is all that is asked
settings.register_profile(
    "mutation",
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Limits:
    """Of one run: seconds of the processor, and seconds on the wall for what waits for ever."""

    processor: float
    wall: float


class NoBaseline(Exception):
    """The tests fail, or test another tree, before anything is mutated."""


def baseline(copy: Path, tests: tuple[str, ...]) -> Limits:
    """Run the tests on the unchanged copy; returns limits for the mutants: ten times what it took.

    Raises NoBaseline.
    """
    names = copy.parent / "imported.txt"
    names.unlink(missing_ok=True)
    began, used = time.monotonic(), _used()
    code = _run(copy, tests, None, names)
    if code != 0:
        raise NoBaseline(f"{', '.join(tests)}: pytest ended with {code} before any mutation")
    wall, used = time.monotonic() - began, _used() - used
    imported, foreign = (part.split() for part in names.read_text().split("\n\n"))
    if foreign:
        raise NoBaseline(f"not imported from the copy: {', '.join(foreign)}")
    _preload(imported)
    return Limits(10 + 10 * used, 30 + 10 * wall)


def passes(copy: Path, tests: tuple[str, ...], limits: Limits) -> bool | None:
    """Whether the tests pass; None when they did not end within the limits."""
    code = _run(copy, tests, limits, None)
    return None if code is None else code == 0


def _run(copy: Path, tests: tuple[str, ...], limits: Limits | None, names: Path | None) -> int | None:
    process = _FORK.Process(target=_child, args=(copy, tests, limits, names))
    process.start()
    assert process.pid is not None
    late = True
    try:
        process.join(limits.wall if limits else None)
        late = process.exitcode is None or process.exitcode == -signal.SIGXCPU
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with whatever the tests started
        process.join()
    return None if late else process.exitcode


def _child(copy: Path, tests: tuple[str, ...], limits: Limits | None, names: Path | None) -> None:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    # a mutant of the same second and size must not be taken for the module that was compiled before it
    sys.dont_write_bytecode = names is None
    if limits is not None:
        seconds = int(limits.processor) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    plugins = [part for name in _PLUGINS for part in ("-p", name)]
    place = f"--basetemp={copy.parent / 'pytest'}"
    code = pytest.main([*_OPTIONS, *plugins, place, *(str(copy / test) for test in tests)], [_ExamplesFirst()])
    if names is not None:
        names.write_text("\n".join(sys.modules) + "\n\n" + "\n".join(strangers(copy)) + "\n")
    os._exit(int(code))


class _ExamplesFirst:
    """Most mutants fail at an example; properties, which take a hundred times as long, come after them."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: item.get_closest_marker("hypothesis") is not None)


def _preload(imported: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in imported:
            if not _NOT_PRELOADED.match(name):
                with suppress(ImportError):  # made by other modules, not imported: `six.moves`
                    import_module(name)


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime
