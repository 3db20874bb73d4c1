"""Finds out who makes a call at the native doors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn, Protocol

from google.rpc import status_pb2

from countertop.sdk.errors import CountertopError
from countertop.server.access.grants import TlsPeer, UnixPeer
from countertop.server.access.revoked import RevokedCertificates
from countertop.server.access.tokens import Token, TokenStore, TokensUnusable
from countertop.server.caller import CALLER_KEY, Caller, Door
from countertop.server.doors.peers import Peer
from countertop.server.faults import status_of
from countertop.server.gate import Refused
from countertop.v1 import error_pb2

__all__ = ["AUTHORIZATION", "Identify", "RolesOf"]

AUTHORIZATION = "authorization"
_SCHEME = "bearer "
NO_SECRET = "-"  # noqa: S105 - stands for credentials of another scheme, which prove nothing here
_NOTHING = (
    "This address wants a token. Programs of the daemon's own user find theirs in the file of the address's name, in "
    "`tokens` beside the daemon's default socket; others get one by `countertop pair --token NAME --role ROLE`. "
    "Send it as `authorization: Bearer TOKEN`."
)
_UNKNOWN = (
    "The token is unknown, revoked or expired, or it is a web page's. "
    "`countertop pair --token NAME --role ROLE` issues a new one."
)
_NO_CONNECTION = "Who made this call has hung up."

log = logging.getLogger("countertop.doors")


class RolesOf(Protocol):
    """Says who gets which roles."""

    def roles(self, door: Door, facts: UnixPeer | TlsPeer | None) -> frozenset[str]:
        """Of whom a door has proven these facts."""
        ...


class Refusal(Protocol):
    """Writes a refusal down, as `Gate.audit_refusal` does."""

    def __call__(self, caller: Caller, why: str, *, method: str = "") -> None: ...


class Identify:
    """A `Who`: raises Refused with UNAUTHENTICATED for a caller who proves nothing, and writes that down.

    `peer_of` finds a connection's client by gRPC's name of it; `refused` writes a refusal down.
    """

    def __init__(
        self,
        peer_of: Callable[[str], Peer | None],
        roles: RolesOf,
        tokens: TokenStore,
        revoked: RevokedCertificates,
        refused: Refusal,
    ) -> None:
        self._peer_of = peer_of
        self._roles = roles
        self._tokens = tokens
        self._revoked = revoked
        self._refused = refused

    def __call__(self, context: Any, method: str) -> Caller:
        """The caller of a method, which is named as in `ReceiptPrinterService.Print`."""
        peer = self._peer_of(context.peer())
        if peer is None:
            raise Refused(_unauthenticated(_NO_CONNECTION))
        name, secret = _said(context.invocation_metadata() or ())
        shown: dict[str, list[bytes]] = context.auth_context() if peer.door == "tls" else {}
        certificate = _first(shown, "x509_pem_cert")
        identity, roles = self._proven(peer, shown, certificate, method)
        if secret:
            token = self._token(secret, peer, method)
            identity, roles = f"{identity} token {token.name}".strip(), roles | frozenset(token.roles)
        elif not identity and not roles:
            self._refuse(peer, method, _NOTHING, "no token")
        peer.proven = True
        if not secret and not certificate:
            return Caller(peer.door, identity, peer.place, roles, name)
        return Caller(peer.door, identity, peer.place, roles, name, partial(self._stands, secret, certificate))

    def _stands(self, secret: str, certificate: str) -> bool:
        if certificate and self._revoked.has(certificate):
            return False
        return not secret or self._tokens.stands(secret)

    def _proven(
        self, peer: Peer, shown: dict[str, list[bytes]], certificate: str, method: str
    ) -> tuple[str, frozenset[str]]:
        """What the connection proves, without any token."""
        if peer.door == "tls":
            facts = _tls_peer(shown)
            if self._revoked.has(certificate):
                why = f"revoked certificate {facts.spiffe or facts.subject}"
                self._refuse(peer, method, "This certificate has been revoked.", why)
            return facts.spiffe or facts.subject, self._roles.roles("tls", facts)
        if peer.unix is not None:
            return f"uid={peer.unix.uid}", self._roles.roles("unix", peer.unix)
        return "", self._roles.roles(peer.door, None)

    def _token(self, secret: str, peer: Peer, method: str) -> Token:
        try:
            token = self._tokens.check(secret)
        except TokensUnusable as error:
            log.error("%s", error.sentence)
            self._refuse(peer, method, str(error), "tokens unusable")
        if token is None:
            self._refuse(peer, method, _UNKNOWN, "wrong token")
        return token

    def _refuse(self, peer: Peer, method: str, sentence: str, why: str) -> NoReturn:
        self._refused(peer.stranger, why, method=method)
        raise Refused(_unauthenticated(sentence))


def _said(metadata: Iterable[tuple[str, Any]]) -> tuple[str, str]:
    """How the client names itself, and its token."""
    name = secret = ""
    for key, value in metadata:
        if key == CALLER_KEY:
            name = str(value)[:64]
        elif key == AUTHORIZATION and str(value)[: len(_SCHEME)].lower() == _SCHEME:
            secret = str(value)[len(_SCHEME) :].strip()
        elif key == AUTHORIZATION:
            secret = NO_SECRET
    return name, secret


def _tls_peer(shown: dict[str, list[bytes]]) -> TlsPeer:
    return TlsPeer(_first(shown, "peer_spiffe_id"), _first(shown, "x509_subject"), _first(shown, "x509_common_name"))


def _first(shown: dict[str, list[bytes]], key: str) -> str:
    return next((value.decode("utf-8", "replace") for value in shown.get(key, ())), "")


def _unauthenticated(sentence: str) -> status_pb2.Status:
    return status_of(CountertopError(error_pb2.REASON_UNAUTHENTICATED, sentence))
