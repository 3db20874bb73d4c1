"""Files that hold secrets: whole or not at all, and for nobody else to read."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_private"]


def write_private(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file of mode 0600. Raises OSError; FileExistsError where there is one that must not be replaced."""
    if not replace and path.exists():
        raise FileExistsError(17, "there is a file already, which is left as it is", str(path))
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
