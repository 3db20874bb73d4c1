"""What driver authors, apps and their tests build on changes only when somebody means it."""

from __future__ import annotations

import difflib
import importlib
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import griffe
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
ADVICE = """\
The public API differs from docs/public-api.txt (- as listed, + as it is now):

{difference}
A line that is gone or changed breaks drivers, apps and tests that other people have written: think twice whether the
old form can stay beside the new one. When the change is meant, accept it, and say it in the commit's message:

    python docs/generate_api.py
"""


@pytest.fixture(scope="module")
def api() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(DOCS / "generate_api.py")))


def test_the_public_api_is_as_listed(api):
    listed = (DOCS / "public-api.txt").read_text(encoding="utf-8").splitlines()
    found = api.listing().splitlines()
    if found != listed:
        changes = difflib.unified_diff(listed, found, "public-api.txt", "the sources", n=0, lineterm="")
        difference = "\n".join(line for line in changes if not line.startswith("@@"))
        pytest.fail(ADVICE.format(difference=difference), pytrace=False)


def test_every_public_name_is_there_when_the_program_runs(api):
    countertop = api.load()
    for path in api.PUBLIC:
        module = importlib.import_module(path)
        exports = {str(name) for name in countertop[path.removeprefix("countertop.")].exports}
        assert exports == set(module.__all__), path
        assert [name for name in module.__all__ if not hasattr(module, name)] == [], path


def test_every_public_module_has_its_place_in_the_reference(api):
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    shown = set(re.findall(r"^::: (\S+)$", pages, re.MULTILINE))
    assert [path for path in api.PUBLIC if path not in shown and not path.endswith(".client.errors")] == []


def test_lines_say_all_that_a_caller_depends_on(api):
    source = """
from abc import ABC, abstractmethod
from dataclasses import dataclass

__all__ = ["Base", "LIMIT", "Point", "call"]
LIMIT: int = 3
_hidden = 1

def call(a, /, b: int = 1, *rest: str, c: bool, d: str = "x", **more: object) -> None: ...

class Base(ABC):
    table = {"a long value": 1, "that is cut off": 2, "since nobody depends on it": 3}
    def __init__(self, a: int) -> None:
        self.a = a
        self._b = 1
    @property
    @abstractmethod
    def c(self) -> int: ...
    @classmethod
    async def make(cls, *, d: int) -> "Base": ...
    def _own(self) -> None: ...

@dataclass
class Point(Base):
    x: float = 0.0
"""
    with griffe.temporary_visited_package("made_up", {"__init__.py": source}) as module:
        names = {f"made_up.{name}": module.members[name] for name in module.exports}
        first = {target.path: path for path, target in names.items()}
        lines = [line for path, target in names.items() for line in api._lines(path, target, first)]
    assert lines == [
        "class made_up.Base(ABC)",
        "def made_up.Base.__init__(self, a: int) -> None",
        "name made_up.Base.a",
        "abstract property made_up.Base.c: int",
        "classmethod async def made_up.Base.make(cls, *, d: int) -> Base",
        "name made_up.Base.table = ...",
        "name made_up.LIMIT: int = 3",
        "dataclass made_up.Point(Base)",
        "def made_up.Point.__init__(self, x: float = 0.0) -> None",
        "name made_up.Point.x: float = 0.0",
        "def made_up.call(a, /, b: int = 1, *rest: str, c: bool, d: str = 'x', **more: object) -> None",
    ]
