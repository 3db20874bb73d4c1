"""The kiosk in `examples/node-kiosk`: its own tests pass, with clients generated from the protos as they are now."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "node-kiosk"
REQUIRED = bool(os.environ.get("COUNTERTOP_REQUIRE_NODE"))


def reason_to_skip() -> str:
    """Why the example cannot run here; empty when it can, or must."""
    if REQUIRED:
        return ""
    if shutil.which("npm") is None:
        return "Node.js is not installed"
    if not (EXAMPLE / "node_modules").is_dir():
        return f"its packages are not installed (cd {EXAMPLE} && npm install; COUNTERTOP_REQUIRE_NODE=1 does it here)"
    return ""


pytestmark = [
    pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip()),
    pytest.mark.timeout(300),
]


def npm(*words: str, **environment: str) -> str:
    """Run npm in the example. Its output; fails the test with it where npm fails."""
    command = [str(shutil.which("npm") or "npm"), *words]
    done = subprocess.run(
        command, cwd=EXAMPLE, env=os.environ | environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_kiosks_own_tests_pass(tmp_path):
    if not (EXAMPLE / "node_modules").is_dir():
        npm("install", "--no-audit", "--no-fund")
    npm("run", "generate")
    daemon = tmp_path / "countertop"  # the one that is tested, whatever is on the path
    daemon.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m countertop.cli "$@"\n', encoding="utf-8")
    daemon.chmod(0o755)
    told = npm("test", "--", "--test-reporter=tap", COUNTERTOP=str(daemon))
    assert "# fail 0" in told
    assert "# pass 5" in told
