"""Where umockdev's preload library is."""

from __future__ import annotations

import ctypes.util
from pathlib import Path

__all__ = ["UmockdevMissingError", "find_library", "preload_environment"]

_NAME = "libumockdev-preload.so.0"
_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")


class UmockdevMissingError(Exception):
    """The library is not installed; the message names the packages."""


def find_library() -> str:
    """The library as LD_PRELOAD wants it. Raises UmockdevMissingError."""
    for folder in _FOLDERS:
        for found in (Path(folder) / _NAME, *sorted(Path(folder).glob(f"*-linux-gnu*/{_NAME}"))):
            if found.exists():
                return str(found)
    if ctypes.util.find_library("umockdev-preload") == _NAME:
        return _NAME
    raise UmockdevMissingError(
        f"{_NAME} is not there; install it: `apt-get install umockdev` on Debian and Ubuntu (which brings"
        " libumockdev0), `dnf install umockdev` on Fedora. It needs Linux and glibc."
    )


def preload_environment(directory: Path, base: dict[str, str], library: str | None = None) -> dict[str, str]:
    """`base` with what makes a program see the nodes in `directory`. Raises UmockdevMissingError."""
    preloaded = [library or find_library(), *base.get("LD_PRELOAD", "").split()]
    return {**base, "LD_PRELOAD": " ".join(preloaded), "UMOCKDEV_DIR": str(directory)}
