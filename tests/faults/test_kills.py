"""The daemon is killed again and again; paper, journal and client agree. The long run: `python -m tests.faults`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 60
SECONDS = 400

pytestmark = pytest.mark.timeout(SECONDS + 20)


def test_nothing_is_printed_twice_or_lost_when_the_daemon_is_killed() -> None:
    """In a process of its own, since it forks daemons and has an event loop for itself."""
    words = [sys.executable, "-m", "tests.faults", "--kills", str(KILLS)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=SECONDS, check=False)
    print(done.stdout)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "DUPLICATE: 0\nLOST: 0\nHANG: 0\n" in done.stdout
    assert "SUCCEEDED COMPLETE" in done.stdout


def test_no_card_is_issued_twice_or_lost_when_the_daemon_is_killed() -> None:
    """Cables are pulled, cards jam and customers do not come, too."""
    words = [sys.executable, "-m", "tests.faults", "--cards", "--kills", str(KILLS)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=SECONDS, check=False)
    print(done.stdout)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "DOUBLE: 0\nUNACCOUNTED: 0\nLOST: 0\nHANG: 0\n" in done.stdout
    assert "SUCCEEDED COMPLETE" in done.stdout
    assert "FAILED PARTIAL" in done.stdout
