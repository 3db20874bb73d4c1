"""How a client reaches a daemon and proves who it is: the transport's credentials, and the token of each call."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.client._address import folders

if TYPE_CHECKING:
    import grpc

__all__ = ["Access", "Tls"]

_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|\[::1\]")


@dataclass(frozen=True, slots=True)
class Tls:
    """Mutual TLS: PEM files of the client's certificate (with its chain) and key, and of the authorities that the
    daemon's certificate must be signed by.
    """

    certificate: str | Path
    key: str | Path
    ca: str | Path


class Access:
    """An address, and what is shown there. Raises ValueError for what does not fit together.

    `HOST:PORT` beyond loopback means TLS, as `tls:HOST:PORT` does everywhere. Without a token COUNTERTOP_TOKEN is
    taken; without that, and on loopback without TLS, the one that a daemon of the same user has left in a file. Without
    certificates COUNTERTOP_TLS_CERT, COUNTERTOP_TLS_KEY and COUNTERTOP_TLS_CA name them.
    """

    def __init__(self, address: str, token: str | None = None, tls: Tls | None = None) -> None:
        self.address = address
        self.target = address.removeprefix("tls:")
        """For gRPC."""
        on_socket = self.target.startswith("unix:")
        beyond = not on_socket and not _is_loopback(self.target)
        if tls is not None and on_socket:
            raise ValueError(
                f"{address} is a socket of this machine, where no TLS is spoken: leave the certificates away"
            )
        self._tls = tls
        if tls is None and (beyond or address.startswith("tls:")):
            self._tls = _tls_of_environment(address)
        self._token = token or os.environ.get("COUNTERTOP_TOKEN", "")
        self._own = None if self._token or on_socket or self._tls else _OwnToken(self.target)

    def __repr__(self) -> str:
        """Without the token."""
        return f"Access({self.address!r})"

    @property
    def advice(self) -> str:
        """What to look at when nobody answers."""
        if self._tls is None:
            return "is it running (countertop serve)?"
        return "is it running, and do it and this client trust the authorities of each other's certificates?"

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes along with each call. A daemon that was started anew has another token: it is looked for anew."""
        token = self._token or (self._own.read() if self._own is not None else "")
        return (("authorization", f"Bearer {token}"),) if token else ()

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Of a TLS channel; None for one without. Raises ValueError for files that cannot be read."""
        import grpc

        if self._tls is None:
            return None
        try:
            ca, key, certificate = (
                Path(file).read_bytes() for file in (self._tls.ca, self._tls.key, self._tls.certificate)
            )
        except OSError as error:
            raise ValueError(f"{error.filename} cannot be read: {error.strerror}") from error
        return grpc.ssl_channel_credentials(ca, key, certificate)


class _OwnToken:
    """The token in the file that a daemon of this user, or of root for root, keeps for an address on loopback."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        names = [target, f"127.0.0.1:{port}", f"[::1]:{port}"] if host == "localhost" else [target]
        self._files = [folder / "tokens" / name for folder in folders() for name in names]
        self._stamp: tuple[str, int, int] | None = None
        self._token = ""

    def read(self) -> str:
        """Empty when there is none. A file that others could have written is none."""
        for file, found in self._found():
            stamp = (str(file), found.st_ino, found.st_mtime_ns)
            if stamp != self._stamp:
                try:
                    self._token = file.read_text(encoding="ascii").strip()
                except (OSError, ValueError):
                    continue
                self._stamp = stamp
            return self._token
        return ""

    def _found(self) -> Iterator[tuple[Path, os.stat_result]]:
        for file in self._files:
            try:
                found = file.stat()
            except OSError:
                continue
            if found.st_uid in (os.geteuid(), 0) and not found.st_mode & 0o077:
                yield file, found


def _is_loopback(target: str) -> bool:
    return _LOOPBACK.fullmatch(target.rpartition(":")[0]) is not None


def _tls_of_environment(address: str) -> Tls:
    names = ("COUNTERTOP_TLS_CERT", "COUNTERTOP_TLS_KEY", "COUNTERTOP_TLS_CA")
    found = [os.environ.get(name, "") for name in names]
    if not all(found):
        raise ValueError(
            f"{address} is called with mutual TLS: give the client's certificate, its key and the authority's "
            f"certificate (`tls=`, or {', '.join(names)}). `countertop pair --certificate NAME` makes them."
        )
    return Tls(*found)
