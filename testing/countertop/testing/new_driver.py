"""Writes the distribution of a new driver: its templates are whole projects for a made-up maker, Acme, whose name is
replaced by the driver's.
"""

from __future__ import annotations

import keyword
import re
import sys
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path

__all__ = ["KINDS", "Kind", "Names", "check_name", "write_project"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device, as far as its project differs from the others."""

    devices: str
    """For people."""
    extra: str
    """The extra of Countertop that the driver needs at run time; empty for none."""


KINDS = {
    "id_reader": Kind("ID readers", ""),
    "receipt_printer": Kind("receipt printers", "receipt"),
    "signature_pad": Kind("signature pads", "signature"),
    "card_printer": Kind("card printers", "card"),
    "camera": Kind("cameras", "camera"),
}
"""By the names of their folders among the templates."""

PARTS = "README.parts.toml"
"""What the README of a kind has in the places of the common one's `@marks@`."""
_LONGEST_NAME = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MODULE = re.compile(r"(?<=src/)acme|acme(?=[./:_]\w)|(?<=import )acme|acme(?=/)")
"""Outside of Python: where the module is meant, not the distribution or the driver."""


@dataclass(frozen=True, slots=True)
class Names:
    """A driver's name in its forms."""

    name: str
    """`blue-box`: of the distribution, the driver, the emulator and the folder."""

    @property
    def module(self) -> str:
        """`blue_box`."""
        return self.name.replace("-", "_")

    @property
    def words(self) -> str:
        """`BlueBox`: the beginning of its classes, and the maker's name until somebody writes it as it is."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    def in_text(self, text: str, *, python: bool) -> str:
        """A template's text for this driver."""
        if python:
            text = text.replace('"acme"', f'"{self.name}"').replace("acme", self.module)
        else:
            text = _MODULE.sub(self.module, text).replace("acme", self.name)
        return text.replace("Acme", self.words).replace("ACME", self.module.upper())

    def in_path(self, path: str) -> str:
        """A template's path for this driver. The project's pyproject.toml has another name here, since tools would take
        it for theirs.
        """
        return path.replace("acme", self.module).replace("pyproject.template", "pyproject")


def check_name(name: str, taken: Collection[str]) -> Names:
    """Raises ValueError that says what was expected. `taken` are names of installed drivers and emulators."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(f"expected a name of small letters, digits and single '-', such as blue-box; got {name!r}")
    names = Names(name)
    if keyword.iskeyword(names.module) or names.words in ("None", "True", "False"):
        raise ValueError(f"{name!r} is a word of Python; expected another name")
    if name in taken:
        raise ValueError(f"a driver or an emulator {name!r} is installed already; expected another name")
    if names.module in sys.stdlib_module_names or find_spec(names.module) is not None:
        raise ValueError(f"a module {names.module!r} can be imported already; expected another name")
    return names


def write_project(names: Names, kind: str, into: Path) -> list[Path]:
    """Write the project; the files, in order. Raises KeyError for an unknown kind, FileExistsError when the folder is
    there.
    """
    chosen, target = KINDS[kind], into / names.name
    templates = files("countertop.testing") / "templates"
    texts = _read(templates / "common") | _read(templates / kind)
    countertop = f"countertop[{chosen.extra}]" if chosen.extra else "countertop"
    marks = {f"@{name}@": text.strip("\n") for name, text in tomllib.loads(texts.pop(PARTS)).items()}
    marks |= {"@devices@": chosen.devices, "countertop>=0": f"{countertop}>={version('countertop')}"}
    target.mkdir(parents=True)
    written = []
    for place, text in sorted(texts.items()):
        for mark, value in marks.items():
            text = text.replace(mark if value else f"{mark}\n", value)
        path = target / names.in_path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(names.in_text(text, python=path.suffix == ".py"), encoding="utf-8")
        written.append(path)
    return written


def _read(folder: Traversable, prefix: str = "") -> dict[str, str]:
    """The texts of a folder and those below it, by their paths."""
    texts: dict[str, str] = {}
    for entry in folder.iterdir():
        if entry.name == "__pycache__" or entry.name.startswith("."):
            continue
        if entry.is_dir():
            texts |= _read(entry, f"{prefix}{entry.name}/")
        else:
            texts[f"{prefix}{entry.name}"] = entry.read_text(encoding="utf-8")
    return texts
