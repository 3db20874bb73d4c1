"""Addresses that the native doors listen on, as the configuration writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Address", "address_problems", "is_loopback", "parse_address"]

_TCP = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(?P<port>\d{1,5})")
_LOOPBACK = re.compile(r"localhost|127(\.\d{1,3}){3}|::1|\[::1\]")
_EXPECTED = "expected unix:/PATH, HOST:PORT, tls:HOST:PORT or systemd:NAME"


@dataclass(frozen=True, slots=True)
class Address:
    """One address."""

    kind: Literal["unix", "tcp", "systemd"]
    target: str
    """The path, HOST:PORT, or the name of an inherited socket."""
    tls: bool = False
    """Mutual TLS is spoken there: written with `tls:`, and whatever is not on loopback."""

    def __str__(self) -> str:
        """As the configuration writes it."""
        kind = "" if self.kind == "tcp" else f"{self.kind}:"
        return f"{'tls:' if self.tls else ''}{kind}{self.target}"


def parse_address(text: str) -> Address:
    """Raises ValueError for what is no address."""
    rest, secured = text.removeprefix("tls:"), text.startswith("tls:")
    if rest.startswith("systemd:") and rest != "systemd:":
        return Address("systemd", rest.removeprefix("systemd:"), secured)
    if re.fullmatch(r"unix:/.{1,100}", rest) and not secured:
        return Address("unix", rest.removeprefix("unix:"))
    found = _TCP.fullmatch(rest)
    if found is None or int(found["port"]) > 65535:
        raise ValueError(f"{_EXPECTED}, got {text!r}")
    return Address("tcp", rest, secured or not is_loopback(found["host"]))


def is_loopback(host: str) -> bool:
    """A host that only this machine can call: `127.0.0.1`, `[::1]`, `localhost`. What is written
    otherwise, or is a name, counts as beyond.
    """
    return _LOOPBACK.fullmatch(host) is not None


def address_problems(addresses: Sequence[str], *, tls: bool) -> list[str]:
    """What is wrong with the addresses of a daemon, in sentences; `tls`: certificates are configured."""
    problems: list[str] = []
    for text in addresses:
        try:
            address = parse_address(text)
        except ValueError as error:
            problems.append(str(error))
            continue
        if address.tls and not tls:
            why = "is served with mutual TLS" if text.startswith("tls:") else "is not on loopback"
            problems.append(
                f"{text!r} {why}: expected certificate, key and client_ca in [listen.tls]; "
                "`countertop pair --server HOST` makes them"
            )
    return problems
