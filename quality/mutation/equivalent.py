"""Mutants that no test can kill, because they do what the code does: equivalent.toml, each with its reason."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Equivalents", "changed_line", "load"]

_FILE = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True)
class Equivalents:
    """Reasons by the module, its line, and the line that stands there instead, without their indentation."""

    reasons: dict[tuple[str, str, str], str]

    def reason(self, module: Path, diff: str) -> str | None:
        """Why this mutant does the same as the code, or None."""
        return self.reasons.get((module.as_posix(), *changed_line(diff)))


def load(file: Path = _FILE) -> Equivalents:
    """Read the list. A line is found by its text, not by its number, and must be written anew when it changes."""
    reasons: dict[tuple[str, str, str], str] = {}
    for entry in tomllib.loads(file.read_text(encoding="utf-8")).get("equivalent", []):
        for mutated in entry["mutated"]:
            reasons[entry["module"], entry["line"], mutated] = entry["reason"]
    return Equivalents(reasons)


def changed_line(diff: str) -> tuple[str, str]:
    """The lines before and after, without their indentation, of a unified diff without context."""
    lines = diff.splitlines()[3:]
    before = [line[1:].strip() for line in lines if line.startswith("-")]
    after = [line[1:].strip() for line in lines if line.startswith("+")]
    return "\n".join(before), "\n".join(after)
