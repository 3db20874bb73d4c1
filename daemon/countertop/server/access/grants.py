"""Grants: which roles a caller gets for what its door has proven."""

from __future__ import annotations

import grp
import os
import pwd
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from countertop.server.caller import Door
from countertop.server.config import AccessConfig, GrantConfig

__all__ = ["Grants", "TlsPeer", "UnixPeer"]

GROUPS_SECONDS = 60.0
"""How long the groups of a user are taken as they were looked up."""
_SUBJECT_PARTS = re.compile(r"(?:\\.|[^\\,+])+")
"""Of a subject in the form of RFC 2253, in which commas and pluses inside a value are escaped."""


@dataclass(frozen=True, slots=True)
class UnixPeer:
    """Who is at the other end of a unix socket, as the kernel says (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class TlsPeer:
    """Who is at the other end of a TLS connection, as its verified certificate says."""

    spiffe: str = ""
    """Its SPIFFE URI, `spiffe://bank.example/branch/0371/role/teller`."""
    subject: str = ""
    """As RFC 2253 writes it: `CN=till-3,OU=tellers,O=Bank`."""
    common_name: str = ""


class Grants:
    """Who gets which roles; several grants may match, and their roles add up.

    `uid` is the daemon's own user; by default the one that this process runs as. `clock` gives seconds.
    Raises ValueError for a grant to nobody, or to a user or group that this system does not know.
    """

    def __init__(
        self,
        grants: Iterable[GrantConfig],
        access: AccessConfig,
        *,
        uid: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._owners = frozenset({0, os.geteuid() if uid is None else uid})
        self._clock = clock
        self._groups: dict[int, tuple[float, frozenset[int]]] = {}
        grants = list(grants)
        self._unix = [_UnixGrant(grant) for grant in grants if grant.door == "unix"]
        self._tls = [_TlsGrant(grant) for grant in grants if grant.door == "tls"]

    def roles(self, door: Door, facts: UnixPeer | TlsPeer | None) -> frozenset[str]:
        """The roles of a caller; none of one to whom nothing is granted. Tokens carry theirs themselves.

        On the unix socket root and the daemon's own user have the owner's role. Where a grant names a group, the
        user's groups are looked up in the system's user database, once a minute for each user.
        """
        if isinstance(facts, UnixPeer) and door == "unix":
            return self._of_unix(facts)
        if isinstance(facts, TlsPeer) and door == "tls":
            return frozenset(role for grant in self._tls if grant.matches(facts) for role in grant.roles)
        if door == "loopback" and facts is None:
            return _named(self._access.loopback)
        return frozenset()

    def _of_unix(self, peer: UnixPeer) -> frozenset[str]:
        found = _named(self._access.owner) if peer.uid in self._owners else frozenset()
        for grant in self._unix:
            if grant.user_matches(peer) and (grant.gid is None or grant.gid in self._groups_of(peer)):
                found |= grant.roles
        return found

    def _groups_of(self, peer: UnixPeer) -> frozenset[int]:
        now = self._clock()
        until, groups = self._groups.get(peer.uid, (now, frozenset[int]()))
        if until <= now:
            groups = _looked_up(peer.uid)
            self._groups[peer.uid] = now + GROUPS_SECONDS, groups
        return groups | {peer.gid}


class _UnixGrant:
    def __init__(self, grant: GrantConfig) -> None:
        self.roles = frozenset(grant.roles)
        try:
            self._uid = pwd.getpwnam(grant.user).pw_uid if grant.user else grant.uid
            self.gid = grp.getgrnam(grant.group).gr_gid if grant.group else grant.gid
        except KeyError as error:
            raise ValueError(f"grants: {error.args[0]}") from error
        if self._uid is None and self.gid is None:
            raise ValueError("grants: expected user, uid, group or gid")

    def user_matches(self, peer: UnixPeer) -> bool:
        return self._uid is None or self._uid == peer.uid


class _TlsGrant:
    def __init__(self, grant: GrantConfig) -> None:
        if not (grant.spiffe or grant.subject):
            raise ValueError("grants: expected spiffe or subject")
        self.roles = frozenset(grant.roles)
        self._spiffe = _pattern(grant.spiffe, "[^/]+") if grant.spiffe else None
        self._subject = [_pattern(part, ".+") for part in _parts(grant.subject)]

    def matches(self, peer: TlsPeer) -> bool:
        if self._spiffe is not None and not self._spiffe.fullmatch(peer.spiffe):
            return False
        parts = _parts(peer.subject)
        return all(any(pattern.fullmatch(part) for part in parts) for pattern in self._subject)


def _looked_up(uid: int) -> frozenset[int]:
    try:
        user = pwd.getpwuid(uid)
    except KeyError:  # a user that the database does not know has the group that it came with
        return frozenset()
    return frozenset(os.getgrouplist(user.pw_name, user.pw_gid))


def _named(role: str) -> frozenset[str]:
    return frozenset({role}) if role else frozenset()


def _pattern(pattern: str, star: str) -> re.Pattern[str]:
    return re.compile(star.join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _parts(subject: str) -> list[str]:
    return [part.strip() for part in _SUBJECT_PARTS.findall(subject)]
