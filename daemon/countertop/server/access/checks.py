"""Mistakes in the configuration's roles and grants that one table alone does not show."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from countertop.server.access.builtin import BUILT_IN, METHODS, kinds_of
from countertop.server.access.roles import matcher
from countertop.v1.device_pb2 import DeviceKind

__all__ = ["access_problems"]

Problem: TypeAlias = "tuple[tuple[str | int, ...], str]"
"""Where, and what is wrong."""
_DOORS = {"unix": ("user", "uid", "group", "gid"), "tls": ("spiffe", "subject")}
"""By door, what a grant may go by."""


def access_problems(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Look at a file as TOML gives it; what has the wrong type is passed over, since others report it."""
    roles, grants, access = raw.get("roles"), raw.get("grants"), raw.get("access")
    roles = roles if isinstance(roles, dict) else {}
    for name, role in roles.items():
        if isinstance(role, dict):
            yield from _role_problems(name, role)
    known = {*BUILT_IN, *roles}
    for index, grant in enumerate(grants if isinstance(grants, list) else []):
        if isinstance(grant, dict):
            yield from _grant_problems(index, grant, known)
    for key in ("owner", "loopback"):
        name = access.get(key) if isinstance(access, dict) else None
        if isinstance(name, str) and name:
            yield from _unknown_role(("access", key), name, known)


def _role_problems(name: str, role: dict[str, Any]) -> Iterator[Problem]:
    for key in ("allow", "deny"):
        for pattern in _texts(role.get(key)):
            if not any(map(matcher([pattern]).fullmatch, METHODS)):
                yield ("roles", name, key), f"expected patterns of methods, such as DeviceService.*, got {pattern!r}"
    for kind in _texts(role.get("kinds")):
        try:
            kinds_of([kind])
        except ValueError:
            known = ", ".join(value.removeprefix("DEVICE_KIND_") for value in DeviceKind.keys()[1:])
            yield ("roles", name, "kinds"), f"expected some of {known}, got {kind!r}"


def _grant_problems(index: int, grant: dict[str, Any], known: set[str]) -> Iterator[Problem]:
    for role in _texts(grant.get("roles")):
        yield from _unknown_role(("grants", index, "roles"), role, known)
    door = grant.get("door")
    mine = _DOORS.get(door, ()) if isinstance(door, str) else ()
    if mine:
        for key in (key for keys in _DOORS.values() for key in keys if key in grant and key not in mine):
            yield ("grants", index, key), f"expected {_words(mine)} at the door {door}"
        if not any(key in grant and grant[key] != "" for key in mine):
            yield ("grants", index), f"expected {_words(mine)}"
    for name, number in (("user", "uid"), ("group", "gid")):
        if name in grant and number in grant:
            yield ("grants", index, number), f"expected either {name} or {number}"
    yield from _unknown_names(index, grant)


def _unknown_names(index: int, grant: dict[str, Any]) -> Iterator[Problem]:
    user, group = grant.get("user"), grant.get("group")
    if isinstance(user, str) and user and not _known(pwd.getpwnam, user):
        yield ("grants", index, "user"), f"expected a user of this system, got {user!r}"
    if isinstance(group, str) and group and not _known(grp.getgrnam, group):
        yield ("grants", index, "group"), f"expected a group of this system, got {group!r}"


def _known(look_up: Any, name: str) -> bool:
    try:
        look_up(name)
    except (KeyError, ValueError):  # ValueError: a NUL in it
        return False
    return True


def _unknown_role(place: tuple[str | int, ...], name: str, known: set[str]) -> Iterator[Problem]:
    if name not in known:
        yield place, f"expected one of the roles {', '.join(sorted(known))}, got {name!r}"


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _words(keys: tuple[str, ...]) -> str:
    return f"{', '.join(keys[:-1])} or {keys[-1]}"
