"""The kept corpus: inputs that reach what others do not, and every finding of the past. Tests replay it.

A file for each target, a line for each input in base64: there are many, and most are a few bytes long.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

__all__ = ["keep", "kept"]

_FOLDER = Path(__file__).with_name("corpus")


def kept(name: str) -> list[bytes]:
    """What is kept for a target; nothing at first."""
    file = _file(name)
    return [base64.b64decode(line) for line in file.read_text("ascii").splitlines()] if file.exists() else []


def keep(name: str, inputs: Iterable[bytes]) -> None:
    """Keep these, and no others."""
    lines = sorted({base64.b64encode(data).decode() for data in inputs}, key=lambda line: (len(line), line))
    file = _file(name)
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), "ascii")


def _file(name: str) -> Path:
    return _FOLDER / f"{name}.txt"
