"""Grants: which roles follow from what a door has proven; and the mistakes in a file's roles and grants."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from countertop.server.access import grants as grants_module
from countertop.server.access.grants import GROUPS_SECONDS, Grants, TlsPeer, UnixPeer
from countertop.server.config import AccessConfig, Config, ConfigError, GrantConfig
from countertop.server.config_file import load_config
from countertop.server.plugins import Plugins

NOBODY = pwd.getpwnam("nobody")
OWNER = 4001
SPIFFE = "spiffe://bank.example/branch/*/role/teller"


def made(*grants: GrantConfig, **access: str) -> Grants:
    return Grants(grants, AccessConfig(**access), uid=OWNER)


def unix(uid: int, gid: int = 60_001) -> UnixPeer:
    return UnixPeer(4711, uid, gid)


def test_root_and_the_daemons_own_user_own_it() -> None:
    for uid in (0, OWNER):
        assert made().roles("unix", unix(uid)) == {"admin"}
        assert made(owner="engineer").roles("unix", unix(uid)) == {"engineer"}
        assert made(owner="").roles("unix", unix(uid)) == frozenset()
    assert made().roles("unix", unix(4002)) == frozenset()
    assert Grants((), AccessConfig()).roles("unix", unix(os.geteuid())) == {"admin"}


def test_loopback_has_the_role_of_the_configuration_or_none() -> None:
    assert made().roles("loopback", None) == frozenset()
    assert made(loopback="observer").roles("loopback", None) == {"observer"}
    assert made(loopback="observer").roles("unix", None) == frozenset()
    assert made(loopback="observer").roles("tls", None) == frozenset()


def test_users_and_groups_by_name_or_number_and_roles_that_add_up() -> None:
    group = grp.getgrgid(NOBODY.pw_gid).gr_name
    grants = made(
        GrantConfig("unix", ["a"], user="nobody"),
        GrantConfig("unix", ["b"], uid=4002),
        GrantConfig("unix", ["c", "d"], group=group),
        GrantConfig("unix", ["e"], gid=4003),
        GrantConfig("unix", ["f"], uid=4002, gid=4003),
    )
    assert grants.roles("unix", unix(NOBODY.pw_uid)) == {"a", "c", "d"}, "its group is known, whichever it came with"
    assert grants.roles("unix", unix(4002)) == {"b"}
    assert grants.roles("unix", unix(4002, 4003)) == {"b", "e", "f"}
    assert grants.roles("unix", unix(4004, 4003)) == {"e"}
    assert grants.roles("tls", unix(4002)) == frozenset(), "facts of one door prove nothing at another"


def test_groups_are_looked_up_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    groups, now, asked = {7}, [100.0], []

    def looked_up(uid: int) -> frozenset[int]:
        asked.append(uid)
        return frozenset(groups)

    monkeypatch.setattr(grants_module, "_looked_up", looked_up)
    grants = Grants([GrantConfig("unix", ["a"], gid=7)], AccessConfig(), uid=OWNER, clock=lambda: now[0])
    assert grants.roles("unix", unix(4002)) == {"a"}
    groups.clear()
    assert grants.roles("unix", unix(4002)) == {"a"}
    assert grants.roles("unix", unix(4005)) == frozenset()
    now[0] += GROUPS_SECONDS
    assert grants.roles("unix", unix(4002)) == frozenset()
    assert asked == [4002, 4005, 4002]


@pytest.mark.parametrize(
    ("spiffe", "matches"),
    [
        ("spiffe://bank.example/branch/0371/role/teller", True),
        ("spiffe://bank.example/branch/0371/x/role/teller", False),
        ("spiffe://bank.example/branch//role/teller", False),
        ("spiffe://bank.example/branch/0371/role/teller/admin", False),
        ("spiffe://bankxexample/branch/0371/role/teller", False),
        ("", False),
    ],
)
def test_a_star_in_a_spiffe_pattern_stays_within_its_part_of_the_path(spiffe: str, matches: bool) -> None:
    grants = made(GrantConfig("tls", ["teller"], spiffe=SPIFFE))
    assert bool(grants.roles("tls", TlsPeer(spiffe=spiffe))) == matches


@pytest.mark.parametrize(
    ("pattern", "subject", "matches"),
    [
        ("OU=tellers", "CN=till-3,OU=tellers,O=Bank", True),
        ("OU=tellers", "CN=till-3,OU=tellers2,O=Bank", False),
        ("OU=tellers", r"CN=evil\,OU=tellers,O=Bank", False),
        ("OU=tellers", "CN=till-3+OU=tellers,O=Bank", True),
        ("O=Bank,OU=tellers", "CN=till-3,OU=tellers,O=Bank", True),
        ("O=Other,OU=tellers", "CN=till-3,OU=tellers,O=Bank", False),
        ("CN=till-*", "CN=till-3,OU=tellers", True),
        ("CN=till-*", r"CN=shop\,CN=till-3,OU=tellers", False),
        ("CN=till-*", "", False),
    ],
)
def test_a_subject_has_the_parts_that_the_pattern_names(pattern: str, subject: str, matches: bool) -> None:
    grants = made(GrantConfig("tls", ["teller"], subject=pattern))
    assert bool(grants.roles("tls", TlsPeer(subject=subject))) == matches


def test_everything_that_a_grant_names_must_match() -> None:
    grants = made(GrantConfig("tls", ["teller"], spiffe=SPIFFE, subject="OU=tellers"))
    spiffe = SPIFFE.replace("*", "0371")
    assert grants.roles("tls", TlsPeer(spiffe, "OU=tellers")) == {"teller"}
    assert grants.roles("tls", TlsPeer(spiffe, "OU=guests")) == frozenset()


def test_a_grant_to_nobody_is_no_grant_to_everybody() -> None:
    for grant in (
        GrantConfig("unix", ["a"]),
        GrantConfig("tls", ["a"]),
        GrantConfig("unix", ["a"], user="no-such-user"),
        GrantConfig("unix", ["a"], group="no-such-group"),
    ):
        with pytest.raises(ValueError, match="grants"):
            made(grant)


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "countertop.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, Plugins())


def test_every_mistake_in_roles_and_grants_is_reported_at_once_with_its_place(tmp_path: Path) -> None:
    text = """
[[grants]]
door = "unix"
roles = ["kiosk", "nope"]
user = "no-such-user"
uid = 7
spiffe = "spiffe://bank.example/*"

[[grants]]
door = "tls"
roles = ["teller"]
group = "no-such-group"

[access]
owner = "boss"

[roles.kiosk]
allow = ["IdReaderService.Raed", "DeviceService.*"]
deny = ["Nothing.*"]
kinds = ["ID_READER", "TOASTER"]
claim = "maybe"
colour = "red"
"""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == [
        "line 21, roles.kiosk.claim",
        "line 22, roles.kiosk.colour",
        "line 18, roles.kiosk.allow",
        "line 19, roles.kiosk.deny",
        "line 20, roles.kiosk.kinds",
        "line 4, grants[0].roles",
        "line 7, grants[0].spiffe",
        "line 6, grants[0].uid",
        "line 5, grants[0].user",
        "line 12, grants[1].group",
        "line 9, grants[1]",
        "line 12, grants[1].group",
        "line 15, access.owner",
    ]
    assert "got 'IdReaderService.Raed'" in caught.value.problems[2]
    assert "expected one of the roles admin, app, bench" in caught.value.problems[5]
    assert caught.value.problems[10].endswith("expected spiffe or subject")


def test_roles_grants_and_access_are_read(tmp_path: Path) -> None:
    text = """
[access]
owner = ""
loopback = "observer"

[roles.kiosk]
allow = ["IdReaderService.Read"]
kinds = ["ID_READER"]
claim = "held"

[[grants]]
door = "unix"
uid = 4002
roles = ["kiosk", "observer"]
"""
    config = load(tmp_path, text)
    assert (config.access.owner, config.access.loopback) == ("", "observer")
    assert (config.roles["kiosk"].claim, config.roles["kiosk"].devices) == ("held", ["*"])
    assert Grants(config.grants, config.access).roles("unix", unix(4002)) == {"kiosk", "observer"}
    assert load(tmp_path, "").access.owner == "admin"
