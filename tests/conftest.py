"""For every test: daemons keep their journals in a folder of the test's own; properties have no time limits."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How fast a machine is says nothing about a property. Examples are others in each run: few in many runs find what many
# in one run do. `--hypothesis-profile=thorough`, or COUNTERTOP_EXAMPLES=NUMBER, is for who works on a codec.
for _name, _examples in {"untimed": int(os.environ.get("COUNTERTOP_EXAMPLES", "40")), "thorough": 1000}.items():
    settings.register_profile(
        _name, deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=_examples
    )
settings.load_profile("untimed")

# every driver's suite runs here, and those of generated projects: two examples each, and ten for who runs one alone
os.environ.setdefault("COUNTERTOP_CONFORMANCE_EXAMPLES", "2")


def pytest_collection_finish() -> None:
    """What was imported stays: a collection of garbage need not walk through half a million objects of modules."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def session_state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For daemons that outlive a test: never the user's own state directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state-home")))
        patch.delenv("STATE_DIRECTORY", raising=False)
        # a short path, for sockets; daemons leave tokens for their user there
        with tempfile.TemporaryDirectory(prefix="ct-run-") as runtime:
            patch.setenv("XDG_RUNTIME_DIR", runtime)
            yield


@pytest.fixture(autouse=True)
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's state directory; daemons that are processes of their own inherit it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state-home"))
