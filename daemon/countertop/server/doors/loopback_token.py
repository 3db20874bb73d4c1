"""The token with which programs of the daemon's own user call on loopback TCP, with nothing to configure.

Loopback TCP tells nobody who calls. What proves it there is that a program can read a file of the daemon's user: a
token in a file of mode 0600, beside the default socket, named as the address.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from pathlib import Path

from countertop.server.access.tokens import Token, TokenStore
from countertop.server.config import default_socket

__all__ = ["OWNER_TOKEN", "LoopbackTokens"]

OWNER_TOKEN = "owner"  # noqa: S105 - its name

MANY = 64
PROBE_SECONDS = 0.2

log = logging.getLogger("countertop.doors")


class LoopbackTokens:
    """Writes the token's files and takes them away; `role` is what it is good for, and without one there is none."""

    def __init__(self, tokens: TokenStore, role: str) -> None:
        self._tokens = tokens
        self._role = role
        self._secret = ""
        self._files: list[Path] = []

    def offer(self, address: str) -> None:
        """For an address, `127.0.0.1:7411`. Where the file cannot be written a token has to be issued instead."""
        if not self._role:
            return
        self._secret = self._secret or self._tokens.issue_in_memory(Token(OWNER_TOKEN, (self._role,)))
        folder = Path(default_socket().removeprefix("unix:")).parent / "tokens"
        file = folder / address
        try:
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            if {folder.stat().st_uid, folder.parent.stat().st_uid} - {os.geteuid(), 0}:
                raise PermissionError(f"{folder} belongs to another user")
            _sweep(folder)
            new = folder / f".{address}.{os.getpid()}"
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(self._secret)
            new.replace(file)
        except OSError as error:
            log.warning("no token for %s: %s; issue one with `countertop pair`", address, _why(error))
            return
        self._files.append(file)

    def withdraw(self) -> None:
        """Take the files away, unless another daemon's lie there by now."""
        for file in self._files:
            try:
                if file.read_text() == self._secret:
                    file.unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning("%s is left behind: %s", file, error.strerror)
        self._files.clear()


def _sweep(folder: Path) -> None:
    """Take away what daemons left that were killed: nobody listens there any more."""
    for file in list(folder.iterdir())[:MANY]:
        host, _, port = file.name.rpartition(":")
        if not port.isdigit():
            continue
        with socket.socket(socket.AF_INET6 if host.startswith("[") else socket.AF_INET) as probe:
            probe.settimeout(PROBE_SECONDS)
            if probe.connect_ex((host.strip("[]"), int(port))) == errno.ECONNREFUSED:
                file.unlink(missing_ok=True)


def _why(failed: OSError) -> str:
    return failed.strerror or str(failed.args[0])
