"""What a browser may send here at all: which hosts this door answers to, which pages may call it. No I/O.

A page on the internet can make a browser send requests to 127.0.0.1. `Host` shows a name that was rebound to this
machine, `Origin` and `Sec-Fetch-Site` show the page; none of them can be set by a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Header", "Judgement", "Rules", "Use"]

Header = tuple[bytes, bytes]
Use = Literal["rpc", "picture", "file"]
"""A call; a camera's picture, which `<img>` may load; a file of the console, which holds no data."""

_ALLOWED_HEADERS = (
    b"authorization, content-type, connect-protocol-version, connect-timeout-ms, countertop-claim, countertop-client, "
    b"grpc-timeout, x-grpc-web, x-user-agent"
)
_EXPOSED_HEADERS = b"grpc-status, grpc-message, grpc-status-details-bin, x-sequence, x-timestamp"
_MAX_AGE = b"7200"
"""Seconds for which a browser remembers a preflight; Chromium takes no more."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a request."""

    status: int = 0
    """0 lets it in; else it is answered with this HTTP status."""
    why: str = ""
    """Of a refusal."""
    origin: str = ""
    """The page's; empty for a program that is no browser."""
    headers: tuple[Header, ...] = ()
    """That go with the answer."""


class Rules:
    """The rules of one door. `scheme` is "http" or "https"; `own`: pages of this door's own may call it."""

    def __init__(
        self, hosts: Iterable[str], origins: Iterable[str], *, scheme: str = "http", own: bool = False
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origins)
        self._scheme = scheme
        self._own = own

    def judge(self, method: str, headers: Sequence[Header], use: Use) -> Judgement:
        """Of a request with these headers, whose names are in small letters."""
        hosts = _values(headers, b"host")
        if len(hosts) != 1:
            return Judgement(400, "expected one Host header")
        if _name(hosts[0]) not in self._hosts:
            return Judgement(421, "this door does not answer to that host")
        given = _values(headers, b"origin")
        if len(given) > 1:
            return Judgement(400, "expected at most one Origin header")
        site = (_values(headers, b"sec-fetch-site") or [""])[0]
        here = f"{self._scheme}://{hosts[0].lower()}"
        if use == "file":
            return self._file(method, foreign=given not in ([], [here]) or site == "cross-site")
        origin = given[0] if given else (here if site == "same-origin" else "")
        if not origin:
            if site in ("cross-site", "same-site") and use == "rpc":
                return Judgement(403, "a page must say its origin")
            return Judgement()  # no browser, or an <img>: a token or a ticket must prove it
        if origin not in self._origins and not (self._own and origin == here):
            return Judgement(403, "that origin is not listed")
        if method == "OPTIONS":
            return Judgement(204, origin=origin, headers=self._preflight(origin))
        return Judgement(origin=origin, headers=_cors(origin))

    @staticmethod
    def _file(method: str, *, foreign: bool) -> Judgement:
        if foreign:
            return Judgement(403, "the console's files are for its own page")
        return Judgement() if method in ("GET", "HEAD") else Judgement(405, "files can only be read")

    @staticmethod
    def _preflight(origin: str) -> tuple[Header, ...]:
        return (
            *_cors(origin),
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", _MAX_AGE),
            (b"access-control-allow-private-network", b"true"),  # asked for by browsers before Local Network Access
        )


def _cors(origin: str) -> tuple[Header, ...]:
    return (
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _EXPOSED_HEADERS),
        (b"vary", b"origin"),
    )


def _values(headers: Sequence[Header], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _name(host: str) -> str:
    """A Host header without its port: `localhost`, `[::1]`."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower()
