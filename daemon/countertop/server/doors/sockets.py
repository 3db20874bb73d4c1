"""Listening sockets of the native doors: made by the daemon, or inherited from systemd."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import socket
import stat
from collections.abc import Iterator, MutableMapping
from pathlib import Path

__all__ = ["inherited", "listen_tcp", "listen_unix", "name_of", "unlink"]

BACKLOG = 128
FIRST_INHERITED = 3
"""The descriptor with which sd_listen_fds(3) begins."""


def listen_unix(path: Path, mode: int, group: str) -> socket.socket:
    """A unix socket with this mode, of this group ("" for the process's own); it is its owner's alone until both are
    set. Raises OSError that says why not.
    """
    gid = _gid(group, path) if group else -1
    if not path.parent.exists():
        _make_directory(path.parent, mode, gid)
    if path.parent.stat().st_uid not in (os.geteuid(), 0):
        raise OSError(f"cannot listen on {path}: its directory belongs to another user")
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise OSError(f"cannot listen on {path}: a file that is no socket lies there")
        if _answers(path):
            raise OSError(f"cannot listen on {path}: another daemon answers there; stop it first")
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listening.bind(str(path))
        if gid != -1:
            os.chown(path, -1, gid)
        path.chmod(mode)
        return _listen(listening)
    except OSError as error:
        listening.close()
        what = error.strerror or "the path cannot be used"
        raise OSError(f"cannot listen on {path}: {what}; is the directory missing or not yours?") from error
    finally:
        os.umask(mask)


def listen_tcp(host: str, port: int) -> list[socket.socket]:
    """Sockets on every address of a host, on one port (0 for a free one). Raises OSError that says why not."""
    made: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, place in dict.fromkeys(found):
            listening = socket.socket(family, kind, protocol)
            made.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                listening.bind((place[0], port, *place[2:]))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL or len(found) == 1:
                    raise
                made.pop().close()  # as `localhost` on a machine without IPv6
                continue
            port = listening.getsockname()[1]
            _listen(listening)
    except OSError as error:
        for listening in made:
            listening.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}; is the port in use?") from error
    if not made:
        raise OSError(f"cannot listen on {host}:{port}: this machine has no such address")
    return made


def inherited(environment: MutableMapping[str, str] = os.environ) -> dict[str, list[socket.socket]]:
    """Sockets that systemd passed to this very process, by their names (FileDescriptorName=); they are taken once, and
    are not passed on. Raises OSError for one that is no listening stream socket.
    """
    meant, count = environment.get("LISTEN_PID"), environment.get("LISTEN_FDS", "0")
    if meant != str(os.getpid()) or not count.isdigit():
        return {}
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    for variable in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        environment.pop(variable, None)
    found: dict[str, list[socket.socket]] = {}
    for index in range(int(count)):
        name = names[index] if index < len(names) and names[index] else "unknown"
        taken = socket.socket(fileno=FIRST_INHERITED + index)
        taken.set_inheritable(False)
        taken.setblocking(False)
        found.setdefault(name, []).append(taken)
        if taken.type != socket.SOCK_STREAM or not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            _close(found)
            raise OSError(f"cannot use the inherited socket {name!r}: expected a stream socket that listens")
    return found


def name_of(listening: socket.socket) -> str:
    """Where it listens: `unix:/PATH`, `HOST:PORT`."""
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return f"unix:{os.fsdecode(name)}"
    return f"[{name[0]}]:{name[1]}" if listening.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"


def unlink(listening: socket.socket) -> None:
    """Take away the file of a unix socket of ours, unless somebody else's lies there by now."""
    if listening.family == socket.AF_UNIX:
        with contextlib.suppress(OSError):
            Path(listening.getsockname()).unlink()


def _listen(listening: socket.socket) -> socket.socket:
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening


def _make_directory(path: Path, mode: int, gid: int) -> None:
    """Whoever may use the socket may go through to it, and look at nothing."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if gid != -1 and mode & 0o060:
        os.chown(path, -1, gid)
    path.chmod(0o700 | (0o010 if mode & 0o060 else 0) | (0o001 if mode & 0o006 else 0))


def _gid(group: str, path: Path) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise OSError(f"cannot listen on {path}: there is no group {group!r} (listen.group)") from None


def _answers(path: Path) -> bool:
    """Somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _close(found: dict[str, list[socket.socket]]) -> None:
    for taken in _all(found):
        taken.close()


def _all(found: dict[str, list[socket.socket]]) -> Iterator[socket.socket]:
    for sockets in found.values():
        yield from sockets
