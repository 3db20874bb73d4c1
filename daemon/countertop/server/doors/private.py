"""The socket on which gRPC itself listens: nobody but the daemon's relay can reach it."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["PrivateSocket"]

_LINUX = sys.platform == "linux"


class PrivateSocket:
    """Made by `bind`, which is given the address for gRPC and makes gRPC listen there.

    It lies in a folder that only the daemon's user can enter. On Linux its name is taken away as soon as gRPC listens,
    and the relay reaches it through a descriptor: nothing is left on the disk, however the daemon ends.
    Raises OSError.
    """

    def __init__(self, bind: Callable[[str], object], *, tls: bool) -> None:
        self.tls = tls
        """gRPC speaks mutual TLS there."""
        self._folder = Path(tempfile.mkdtemp(prefix="countertop-door-"))
        self._is_there = True
        path = self._folder / "grpc"
        self._descriptor = -1
        self._address = str(path)
        try:
            self._bind(bind, path)
            if _LINUX:
                self._descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
                self._address = f"/proc/self/fd/{self._descriptor}"
                self._remove()
        except BaseException:
            self.close()
            raise

    def _bind(self, bind: Callable[[str], object], path: Path) -> None:
        """On Linux through a descriptor of the folder: a socket's name may have 107 bytes, a TMPDIR more."""
        if not _LINUX:
            bind(f"unix:{path}")
            return
        folder = os.open(self._folder, os.O_PATH | os.O_CLOEXEC)
        try:
            bind(f"unix:/proc/self/fd/{folder}/grpc")
        finally:
            os.close(folder)

    def connect(self) -> tuple[socket.socket, str]:
        """A connection that does not block, and the name by which gRPC calls it. Raises OSError."""
        inner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        inner.setblocking(False)
        name = f"countertop-{secrets.token_hex(16)}"
        try:
            if _LINUX:
                inner.bind(f"\0{name}")
                inner.connect(self._address)
                return inner, f"unix-abstract:{name}"
            own = self._folder / name
            inner.bind(str(own))
            try:
                inner.connect(self._address)
            finally:
                own.unlink()
        except BaseException:
            inner.close()
            raise
        return inner, f"unix:{own}"

    def close(self) -> None:
        """Free it; gRPC must have stopped."""
        if self._descriptor != -1:
            os.close(self._descriptor)
            self._descriptor = -1
        self._remove()

    def _remove(self) -> None:
        if self._is_there:
            self._is_there = False
            (self._folder / "grpc").unlink(missing_ok=True)
            self._folder.rmdir()
