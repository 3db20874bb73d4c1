"""For every test: daemons keep their journals in a folder of the test's own; properties have no time limits."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# how fast a machine is says nothing about a property
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# every driver's suite runs here, and those of generated projects: two examples each, and ten for who runs one alone
os.environ.setdefault("COUNTERTOP_CONFORMANCE_EXAMPLES", "2")


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
