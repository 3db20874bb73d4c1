"""Roles: what each may do, and the decision over one call.

Who has no role that allows a call may not make it. Roles add up: one that allows is enough, and a `deny` limits the
role that it stands in, never another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Literal, TypeAlias

from countertop.server.caller import Caller
from countertop.v1.device_pb2 import DeviceKind

__all__ = ["Decision", "Role", "RoleTable", "matcher"]

_SHOWN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""What a device's id may be; anything else that a request calls a device is not repeated to anybody."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the roles say of one call."""

    allowed: bool
    customer_data: bool = True
    """The answers may hold what identifies a person; else the marked fields are taken out."""
    why: str = ""
    """Of a refusal: a sentence for the developer, with the role that would be needed; no customer data."""


@dataclass(frozen=True, slots=True)
class Role:
    """What who has it may do. Patterns are as of fnmatch, with their case: `*`, `?`, `[...]`."""

    name: str
    allow: tuple[str, ...] = ()
    """Patterns of methods, `ReceiptPrinterService.Print`."""
    deny: tuple[str, ...] = ()
    """Patterns of methods that `allow` does not mean."""
    devices: tuple[str, ...] = ("*",)
    """Patterns of devices' ids. Calls that name no device are not limited."""
    kinds: frozenset[DeviceKind] = frozenset()
    """Kinds of devices; empty for all."""
    claim: Literal["any", "held"] = "any"
    """"held": what takes a claim's token is allowed only with the token of a claim on the device."""
    customer_data: bool = False
    """Answers may hold what identifies a person."""


_Place: TypeAlias = tuple[str, DeviceKind, bool]
"""A device, its kind, and whether the call comes under a claim on it."""


def matcher(patterns: Iterable[str]) -> re.Pattern[str]:
    """Matches (`fullmatch`) what one of the patterns matches; without patterns nothing."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")


class _Bound:
    """A role with its patterns compiled."""

    def __init__(self, role: Role) -> None:
        self.name = role.name
        self.customer_data = role.customer_data
        self.held = role.claim == "held"
        self.everywhere = "*" in role.devices and not role.kinds
        self._kinds = role.kinds
        self._allow, self._deny, self._devices = map(matcher, (role.allow, role.deny, role.devices))

    def allows(self, method: str) -> bool:
        return bool(self._allow.fullmatch(method)) and not self._deny.fullmatch(method)

    def covers(self, device_id: str, kind: DeviceKind) -> bool:
        if not device_id or self.everywhere:
            return True
        return (not self._kinds or kind in self._kinds) and bool(self._devices.fullmatch(device_id))


class _Rule:
    """What a set of roles says of a method."""

    __slots__ = ("able", "always", "known", "needs_claim", "roles", "whole")

    def __init__(self, names: frozenset[str], able: Sequence[_Bound], *, needs_claim: bool, whole: bool) -> None:
        self.able = able
        """Those of all roles that allow the method."""
        self.roles = [role for role in able if role.name in names]
        self.needs_claim = needs_claim
        self.whole = whole
        self.always = self._always()
        """The same for every device, where it is."""
        self.known: dict[_Place, Decision] = {}
        """What was decided of this terminal's devices; of made-up ones nothing is kept, since they have no end."""

    def decide(self, device_id: str, kind: DeviceKind, claimed: bool) -> Decision | None:
        """None for a refusal."""
        allowing = [
            role
            for role in self.roles
            if role.covers(device_id, kind) and (claimed or not device_id or not (role.held and self.needs_claim))
        ]
        if not allowing:
            return None
        return Decision(allowed=True, customer_data=self.whole or any(role.customer_data for role in allowing))

    def _always(self) -> Decision | None:
        free = [role for role in self.roles if role.everywhere and not (role.held and self.needs_claim)]
        if not free:
            return None
        sees = self.whole or any(role.customer_data for role in free)
        settled = sees or not any(role.customer_data for role in self.roles)
        return Decision(allowed=True, customer_data=sees) if settled else None


class RoleTable:
    """All roles of a terminal; a Decider.

    `under_claim` are the methods whose requests carry a claim's token. `whole` are methods whose marked fields are no
    customer data: their answers are given whole to everybody who may call them.
    """

    def __init__(
        self, roles: Iterable[Role], *, under_claim: frozenset[str] = frozenset(), whole: frozenset[str] = frozenset()
    ) -> None:
        self._roles = {role.name: _Bound(role) for role in roles}
        self._under_claim = under_claim
        self._whole = whole
        self._rules: dict[tuple[frozenset[str], str], _Rule] = {}
        """As many as sets of roles that callers have, times methods."""

    @property
    def names(self) -> list[str]:
        """Of all roles, sorted."""
        return sorted(self._roles)

    def decide(self, caller: Caller, method: str, device_id: str, kind: DeviceKind, *, claimed: bool) -> Decision:
        """`method` is `ReceiptPrinterService.Print`; `device_id` is empty and `kind` UNSPECIFIED where no device is
        meant; `claimed`: the call comes under a claim on the device.
        """
        rule = self._rules.get((caller.roles, method)) or self._rule(caller.roles, method)
        if rule.always is not None:
            return rule.always
        place = (device_id, kind, claimed)
        return rule.known.get(place) or self._weigh(rule, caller.roles, method, place)

    def _rule(self, names: frozenset[str], method: str) -> _Rule:
        able = [role for _, role in sorted(self._roles.items()) if role.allows(method)]
        rule = _Rule(names, able, needs_claim=method in self._under_claim, whole=method in self._whole)
        self._rules[names, method] = rule
        return rule

    def _weigh(self, rule: _Rule, names: frozenset[str], method: str, place: _Place) -> Decision:
        device_id, kind, claimed = place
        found = rule.decide(device_id, kind, claimed)
        decision = found or Decision(allowed=False, customer_data=False, why=self._why(rule, names, method, place))
        if kind or not device_id:
            rule.known[place] = decision
        return decision

    def _why(self, rule: _Rule, names: frozenset[str], method: str, place: _Place) -> str:
        device_id, kind, _ = place
        where = f" on {device_id!r}" if _SHOWN.fullmatch(device_id) else " on that device" if device_id else ""
        if rule.decide(device_id, kind, claimed=True) is not None:
            own = _words([role.name for role in rule.roles if role.covers(device_id, kind)], "or")
            return f"{method}{where} needs a claim on it: the role {own} allows it only under one."
        have = f"you have {_words(sorted(names), 'and')}" if names else "you have none"
        able = [role.name for role in rule.able if role.covers(device_id, kind)]
        if not able:
            return f"No role allows {method}{where}; {have}."
        return f"{method}{where} needs the role {_words(able, 'or')}; {have}."


def _words(names: Sequence[str], last: str) -> str:
    """`a, b or c`"""
    return f" {last} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
