"""What an app pays for `import countertop.client`."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "countertop.server",
    "countertop.drivers",
    "countertop.emulators",
    "countertop.sdk",
    "countertop.cli",
    "pydantic",
    "rich",
    "PIL",
    "numpy",
    "structlog",
)


@pytest.mark.parametrize("module", ["countertop.client", "countertop.client.sync"])
def test_importing_the_client_loads_nothing_heavy(module):
    program = f"import sys, {module}; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    loaded = found.stdout.split()
    assert module in loaded
    assert [name for name in loaded if f"{name}.".startswith(tuple(f"{heavy}." for heavy in HEAVY))] == []
