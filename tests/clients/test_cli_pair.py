"""`countertop pair`: what it issues lets callers in, and what it revokes lets nobody in."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from countertop.cli import main
from countertop.server.access.tokens import TokenStore
from countertop.server.app import Daemon
from countertop.server.config import AccessConfig, Config, GrantConfig, ListenConfig, ListenTlsConfig, TerminalConfig


@pytest.fixture
def pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command for programs; the objects that it prints, or its exit code and what it complains of."""

    def run(*words: str, fails: bool = False) -> Any:
        capsys.readouterr()  # of commands before
        code = main(["pair", "--json", "--state", str(tmp_path / "state"), *words])
        told = capsys.readouterr()
        assert (code != 0) is fails, told.err
        return told.err if fails else [json.loads(line) for line in told.out.splitlines()]

    return run


async def countertop(*words: str) -> int:
    """A command beside the daemon that runs on this event loop."""
    return await asyncio.to_thread(main, list(words))


def mode(file: str) -> int:
    return Path(file).stat().st_mode & 0o777


async def test_a_token_lets_in_until_it_is_revoked(tmp_path, pair, capsys):
    issued = pair("--token", "till-3", "--role", "observer", "--role", "bench")[0]
    assert issued["roles"] == ["observer", "bench"]
    file = tmp_path / "token"
    file.write_text(issued["token"] + "\n")
    config = Config(
        terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state"),
        listen=ListenConfig(["127.0.0.1:0"]),
        access=AccessConfig(owner=""),
    )
    async with Daemon(config) as daemon:
        words = ["devices", "--address", daemon.addresses[0], "--token-file", str(file)]
        assert await countertop(*words[:3]) == 1
        assert "pair --token" in capsys.readouterr().err
        assert await countertop(*words) == 0
        pair("--revoke", "till-3")
        assert await countertop(*words) == 1
        assert issued["token"] not in "".join(capsys.readouterr())
    assert "Nothing was issued" in pair("--revoke", "till-3", fails=True)


def test_a_token_of_web_pages_is_theirs_alone_and_can_end_by_itself(tmp_path, pair):
    page = "https://teller.bank.example"
    secret = pair("--token", "counter", "--role", "teller", "--origin", page, "--days", "30")[0]["token"]
    store = TokenStore(tmp_path / "state")
    assert store.check(secret) is None
    found = store.check(secret, page)
    assert found is not None
    assert 29 < (found.expires - found.created) / 86400 <= 30.01
    assert pair("--list")[0]["origin"] == page


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--token", "x"], "needs a role"),
        (["--token", "x", "--role", "king"], "no role 'king'; there are admin"),
        (["--token", "x", "--role", "app", "--origin", "teller.bank.example"], "Expected an origin"),
        (["--token", "x", "--role", "app", "--spiffe", "spiffe://a/b"], "--spiffe belongs to --certificate"),
        (["--certificate", "x"], "one --role, or a --spiffe"),
        (["--certificate", "../x", "--role", "app"], "no file name"),
        (["--certificate", "x", "--spiffe", "https://a/b"], "expected a SPIFFE URI"),
        (["--list", "--role", "app"], "--role belongs to"),
    ],
)
def test_what_makes_no_sense_is_said_so_and_nothing_is_issued(tmp_path, pair, words, complaint):
    assert complaint in pair(*words, "--out", str(tmp_path / "out"), fails=True)
    assert pair("--list") == []
    assert not list(tmp_path.glob("out/*"))


def test_a_name_is_given_once(pair):
    pair("--token", "till-3", "--role", "app")
    assert "revoke it first" in pair("--token", "till-3", "--role", "app", fails=True)


async def test_certificates_of_the_terminals_own_authority_let_in_until_they_are_revoked(tmp_path, pair, capsys):
    pytest.importorskip("cryptography")
    out = str(tmp_path / "out")
    server = pair("--server", "127.0.0.1", "localhost", "--out", out)[0]
    client = pair("--certificate", "backoffice", "--role", "observer", "--out", out)[0]
    assert (mode(server["key"]), mode(client["key"])) == (0o600, 0o600)
    assert "left as it is" in pair("--server", "127.0.0.1", "--out", out, fails=True)
    config = Config(
        terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state"),
        listen=ListenConfig(
            ["tls:127.0.0.1:0"], tls=ListenTlsConfig(server["certificate"], server["key"], client["ca"])
        ),
        grants=[GrantConfig("tls", ["observer"], spiffe=client["says"])],
    )
    async with Daemon(config) as daemon:
        words = ["devices", "--address", daemon.addresses[0]]
        proof = ["--tls-cert", client["certificate"], "--tls-key", client["key"], "--tls-ca", client["ca"]]
        assert await countertop(*words) == 1
        assert "mutual TLS" in capsys.readouterr().err
        assert await countertop(*words, *proof[:2]) == 1
        assert "belong together" in capsys.readouterr().err
        assert await countertop(*words, *proof) == 0
        pair("--revoke", "backoffice")
        assert await countertop(*words, *proof) == 1
        assert "revoked" in capsys.readouterr().err
    assert {row["name"]: row["revoked"] for row in pair("--list")} == {"127.0.0.1": False, "backoffice": True}


def test_a_person_is_shown_the_secret_alone_on_standard_output(tmp_path, capsys):
    words = ["pair", "--state", str(tmp_path), "--token", "till-3", "--role", "app"]
    assert main(words) == 0
    told = capsys.readouterr()
    assert len(told.out.split()) == 1
    assert told.out.strip() not in told.err
    assert main(["pair", "--state", str(tmp_path), "--list"]) == 0
    assert "till-3" in capsys.readouterr().out
