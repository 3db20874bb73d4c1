"""Tokens: what proves who calls where the kernel cannot tell.

A token is shown once, when it is issued. What is kept is its SHA-256, which is enough for a random secret of 256 bits:
nobody guesses it, so that no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

__all__ = ["FILE_NAME", "Token", "TokenStore", "TokensUnusable"]

FILE_NAME = "tokens.json"
SECRET_BYTES = 32
MAX_TOKENS = 1000
MAX_SECRET = 256
"""Characters of a token that are looked at."""


class TokensUnusable(Exception):
    """The file of tokens cannot be read; `sentence` says what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Token:
    """What a token stands for."""

    name: str
    """Who it was issued to: `till-3`."""
    roles: tuple[str, ...]
    origin: str = ""
    """The web pages that may use it: `https://teller.bank.example`; empty for programs that are no web pages."""
    created: float = 0.0
    """Unix time."""
    expires: float = 0.0
    """Unix time; 0 for never."""

    def valid(self, now: float) -> bool:
        """It has not expired."""
        return not self.expires or now < self.expires


class TokenStore:
    """The tokens of a terminal: those in its state directory, and those that live as long as the daemon.

    A change of the file, by `countertop pair`, is seen at the next `check`.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE_NAME
        self._stamp: tuple[int, int, int] | None = None
        self._kept: dict[str, Token] = {}
        self._in_memory: dict[str, Token] = {}

    def check(self, secret: str, origin: str = "") -> Token | None:
        """The token of a secret; None for an unknown or an expired one, or one that is not for this origin.

        A web page's token is worth nothing outside its origin, and a program's nothing in a page. Raises
        TokensUnusable.
        """
        if not secret or len(secret) > MAX_SECRET:
            return None
        self._reload()
        digest = _digest(secret)  # the look-up compares digests: its time tells nothing about a secret
        token = self._in_memory.get(digest) or self._kept.get(digest)
        if token is None or token.origin != origin or not token.valid(time.time()):
            return None
        return token

    def stands(self, secret: str, origin: str = "") -> bool:
        """`check` would still find it; False also where the tokens cannot be read."""
        try:
            return self.check(secret, origin) is not None
        except TokensUnusable:
            return False

    def tokens(self) -> list[Token]:
        """Those that are kept, oldest first. Raises TokensUnusable."""
        self._reload()
        return sorted(self._kept.values(), key=lambda token: token.created)

    def issue(self, token: Token) -> str:
        """Keep a new one; returns its secret, which nobody can find out again.

        Raises ValueError when its name is taken, TokensUnusable, OSError.
        """
        self._reload()
        if any(kept.name == token.name for kept in self._kept.values()):
            raise ValueError(f"there is a token of the name {token.name!r} already; revoke it first")
        if len(self._kept) >= MAX_TOKENS:
            raise ValueError(f"there are {MAX_TOKENS} tokens already; revoke some first")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self._write({**self._kept, _digest(secret): replace(token, created=time.time())})
        return secret

    def issue_in_memory(self, token: Token) -> str:
        """A new one that ends with this process; returns its secret."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        self._in_memory[_digest(secret)] = replace(token, created=time.time())
        return secret

    def revoke(self, name: str) -> bool:
        """End a kept one; False when there is none of the name. Raises TokensUnusable, OSError."""
        self._reload()
        left = {digest: token for digest, token in self._kept.items() if token.name != name}
        if len(left) == len(self._kept):
            return False
        self._write(left)
        return True

    def _reload(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._kept, self._stamp = {}, None
            return
        stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            self._kept = dict(_read(self._path))
            self._stamp = stamp

    def _write(self, tokens: dict[str, Token]) -> None:
        """Whole or not at all, and for nobody else to read."""
        body = [{"sha256": digest, **asdict(token)} for digest, token in tokens.items()]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(f".{os.getpid()}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"tokens": body}, file, indent=2, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        self._stamp = None
        self._reload()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _read(path: Path) -> Iterable[tuple[str, Token]]:
    try:
        for item in json.loads(path.read_text(encoding="utf-8"))["tokens"]:
            digest = str(item.pop("sha256"))
            token = Token(**{**item, "roles": tuple(item["roles"])})
            yield digest, token
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TokensUnusable(
            f"The tokens in {path} cannot be read ({type(error).__name__}). Nobody is let in by a token until the file "
            "is mended or moved away; then issue new ones with `countertop pair`."
        ) from error
