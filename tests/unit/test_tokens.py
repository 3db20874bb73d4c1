"""Tokens: shown once, kept as hashes, for one origin, until they expire or are revoked."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from countertop.server.access.tokens import MAX_TOKENS, Token, TokenStore, TokensUnusable


def test_a_token_is_known_by_its_secret_alone(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    secret = store.issue(Token("till-3", ("teller",)))
    found = TokenStore(tmp_path).check(secret)
    assert found is not None
    assert (found.name, found.roles) == ("till-3", ("teller",))
    assert store.check(secret[:-1]) is None
    assert store.check("") is None
    assert store.check("x" * 100_000) is None


def test_the_secret_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    secret = TokenStore(tmp_path).issue(Token("till-3", ("teller",)))
    kept = (tmp_path / "tokens.json").read_bytes()
    assert secret.encode() not in kept
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600


def test_a_pages_token_is_worth_nothing_elsewhere(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    page = store.issue(Token("page", ("app",), origin="https://a.example"))
    program = store.issue(Token("program", ("app",)))
    assert store.check(page, "https://a.example") is not None
    assert store.check(page, "https://b.example") is None
    assert store.check(page) is None
    assert store.check(program, "https://a.example") is None


def test_what_another_process_issues_or_revokes_holds_at_once(tmp_path: Path) -> None:
    daemon, command = TokenStore(tmp_path), TokenStore(tmp_path)
    assert daemon.check("x") is None
    secret = command.issue(Token("till-3", ("teller",)))
    assert daemon.check(secret) is not None
    assert command.revoke("till-3")
    assert daemon.check(secret) is None
    assert not command.revoke("till-3")


def test_a_token_expires(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    assert store.check(store.issue(Token("old", (), expires=time.time() - 1))) is None
    assert store.check(store.issue(Token("new", (), expires=time.time() + 60))) is not None


def test_names_are_given_once(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.issue(Token("till-3", ()))
    with pytest.raises(ValueError, match="revoke it first"):
        store.issue(Token("till-3", ("admin",)))
    assert [token.name for token in store.tokens()] == ["till-3"]
    assert MAX_TOKENS > 1


def test_a_token_of_this_run_is_not_kept(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    secret = store.issue_in_memory(Token("console", ("admin",), origin="http://127.0.0.1:1"))
    assert store.check(secret, "http://127.0.0.1:1") is not None
    assert not (tmp_path / "tokens.json").exists()
    assert TokenStore(tmp_path).check(secret, "http://127.0.0.1:1") is None


@pytest.mark.parametrize(
    "content", ["", "{}", '{"tokens": 1}', '{"tokens": [{"sha256": "x"}]}', '{"tokens": [1]}', "\udcff"]
)
def test_a_damaged_file_lets_nobody_in_and_is_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokens.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    store = TokenStore(tmp_path)
    with pytest.raises(TokensUnusable, match="countertop pair"):
        store.check("x")
    with pytest.raises(TokensUnusable):
        store.issue(Token("till-3", ()))
    assert path.read_bytes() == content.encode("utf-8", "surrogateescape")
    path.unlink()
    assert store.check("x") is None
