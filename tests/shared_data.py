"""Bytes, models and pictures of others, which lie beside the project and are never copied into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["shared_file"]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared_file(name: str) -> Path:
    """A file or folder of the shared data; skips where it is absent, fails where it must not be."""
    path = SHARED / name
    if not path.exists():
        if os.environ.get("COUNTERTOP_REQUIRE_SHARED"):
            pytest.fail(f"{name} of the shared data is missing")
        pytest.skip(f"{name} of the shared data is not here")
    return path
