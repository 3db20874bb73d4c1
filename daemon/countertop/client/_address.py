"""Where the daemon listens when nobody says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["default_address", "folders"]

LOOPBACK = "127.0.0.1:7411"


def default_address() -> str:
    """`COUNTERTOP_ADDRESS`; else the first socket of a daemon that exists; else 127.0.0.1:7411.

    Sockets are looked for in the user's run-time directory, in /run (a daemon of the system), and in the user's private
    directory of /tmp.
    """
    configured = os.environ.get("COUNTERTOP_ADDRESS")
    if configured:
        return configured
    found = next((path for path in _sockets() if path.is_socket()), None)
    return LOOPBACK if found is None else f"unix:{found}"


def folders() -> Iterator[Path]:
    """Where daemons keep what they have for clients: the user's own, the system's, the user's in /tmp."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        yield Path(runtime) / "countertop"
    yield Path("/run/countertop")
    yield Path(f"/tmp/countertop-{os.geteuid()}")  # noqa: S108 - the daemon makes it private


def _sockets() -> Iterator[Path]:
    return (folder / "countertop.sock" for folder in folders())
