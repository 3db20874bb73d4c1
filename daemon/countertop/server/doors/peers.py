"""Who is at the other end of a connection, as far as the socket itself tells."""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from dataclasses import dataclass, field
from typing import Literal

from countertop.server.access.grants import UnixPeer
from countertop.server.caller import Caller

__all__ = ["TOO_MANY", "Peer", "one_client", "peer_of"]

TOO_MANY = "too many connections"
"""Why a door turns a client away that has its share of them."""
_CREDENTIALS = struct.Struct("3i")
KNOWS_CREDENTIALS = sys.platform == "linux"
"""Elsewhere a unix socket's file permissions are all that is known of who calls: nobody but its owner and, where the
mode says so, its group.
"""


@dataclass(slots=True)
class Peer:
    """One connection's client."""

    door: Literal["unix", "loopback", "tls"]
    place: str
    """`pid=4711`, `127.0.0.1:40312`."""
    client: str
    """What counts as one client where connections are counted: `uid=1000`, or `one_client` of its address."""
    unix: UnixPeer | None = None
    proven: bool = field(default=False, compare=False)
    """It is known who calls: by the kernel at once, else since the first call that proved it."""

    @property
    def stranger(self) -> Caller:
        """For the audit: nobody who may do anything, from where he is."""
        return Caller(self.door, f"uid={self.unix.uid}" if self.unix is not None else "", self.place)


def peer_of(accepted: socket.socket, *, tls: bool) -> Peer:
    """Who was accepted. Raises OSError when it is gone already."""
    if accepted.family == socket.AF_UNIX:
        if not KNOWS_CREDENTIALS:
            return Peer("unix", "", "unix", None)
        found = UnixPeer(
            *_CREDENTIALS.unpack(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        )
        return Peer("unix", f"pid={found.pid}", f"uid={found.uid}", found, proven=True)
    name = accepted.getpeername()
    place = f"[{name[0]}]:{name[1]}" if accepted.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"
    return Peer("tls" if tls else "loopback", place, one_client(str(name[0])))


def one_client(host: str) -> str:
    """What counts as one client of an address: all of loopback, a network of 64 bits in IPv6, where anybody has as many
    addresses as he likes.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # with a zone, as fe80::1%eth0
        return host
    if address.is_loopback:
        return "loopback"
    return host if address.version == 4 else str(ipaddress.ip_network((host, 64), strict=False))
