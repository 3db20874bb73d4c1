"""A copy of the tree to mutate. The working tree is read and never written: others may be working in it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

__all__ = ["REPOSITORY", "copy_tree", "import_only_from", "strangers"]

REPOSITORY = Path(__file__).resolve().parents[2]
ROOTS = ("analysis", "daemon", "drivers", "emulators", "protos", "testing")
"""The folders that hold a part of the namespace `countertop`: `dev-mode-dirs` in pyproject.toml."""


def copy_tree(folder: Path) -> Path:
    """Copy the code, its tests and its configuration into `folder`; returns the root of the copy."""
    copy = folder / "tree"
    for name in (*ROOTS, "tests"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    shutil.copy(REPOSITORY / "pyproject.toml", copy)
    return copy


def import_only_from(copy: Path) -> None:
    """From now on `countertop` is the copy, here and in every process that is started from here.

    The editable install names the working tree's roots. They are taken off the path, not only preceded: `countertop`
    is a namespace package and would be put together from both.
    """
    theirs = {str(REPOSITORY / root) for root in ROOTS}
    ours = [str(copy / root) for root in ROOTS]
    sys.path[:] = ours + [entry for entry in sys.path if entry not in theirs]
    os.environ["PYTHONPATH"] = os.pathsep.join(ours)
    os.chdir(copy)


def strangers(copy: Path) -> list[str]:
    """Modules of `countertop` in this process that were not imported from the copy. There must be none."""
    return [
        name
        for name, module in sys.modules.items()
        if name.startswith("countertop.")
        and (path := getattr(module, "__file__", None))
        and not Path(path).resolve().is_relative_to(copy.resolve())
    ]
