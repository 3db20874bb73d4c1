"""Encryption of recordings to a public key: X25519 (RFC 7748), HKDF-SHA256 (RFC 5869), ChaCha20-Poly1305 (RFC 8439).

Each section has a key of its own, from an ephemeral key pair whose public half stands in the header. Each entry is
sealed by itself, with its number in the section as nonce and the header beside it: entries that are altered, left out
in the middle or put into another order are not opened. A recording that was cut off at its end is.

Importing it raises CountertopError(NOT_SUPPORTED) where the package cryptography is missing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from countertop.sdk.errors import CountertopError
from countertop.sdk.trace.format import Header, header_lines
from countertop.v1 import error_pb2

try:
    from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
        load_pem_public_key,
    )
except ImportError as error:
    raise CountertopError(
        error_pb2.REASON_NOT_SUPPORTED,
        "Encrypted recordings need the package cryptography: run `pip install 'countertop[signature]'`.",
    ) from error

__all__ = ["Sealer", "Unsealer", "new_key_pair", "read_public_key"]

_INFO = b"countertop-trace 1 chacha20-poly1305"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_PREFIX = "x25519:"
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)  # of a PEM; TypeError: it has a password


def new_key_pair() -> tuple[bytes, bytes]:
    """A private key (PKCS #8) and its public key (SubjectPublicKeyInfo), in PEM."""
    key = X25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_public_key(pem: str) -> X25519PublicKey:
    """Raises ValueError when it is no X25519 public key in PEM."""
    wrong = ValueError("expected an X25519 public key in PEM, as `countertop record --new-key` makes it")
    try:
        key = load_pem_public_key(pem.encode())
    except _UNREADABLE:
        raise wrong from None
    if not isinstance(key, X25519PublicKey):
        raise wrong
    return key


class Sealer:
    """Seals the entries of one section."""

    def __init__(self, header: Header, public_key: str) -> None:
        """`public_key` is in PEM. Raises ValueError."""
        recipient, own = read_public_key(public_key), X25519PrivateKey.generate()
        public = own.public_key().public_bytes_raw()
        self.header = replace(header, sealed=_PREFIX + base64.b64encode(public).decode())
        """The section's header, with what the key's holder needs."""
        self._cipher = _cipher(own.exchange(recipient), public + recipient.public_bytes_raw())
        self._bound = _bound(self.header)
        self._number = 0

    def seal(self, lines: list[str]) -> str:
        """The line that stands for these."""
        nonce = self._number.to_bytes(_NONCE_BYTES, "big")
        self._number += 1
        sealed = self._cipher.encrypt(nonce, "\n".join(lines).encode(), self._bound)
        return f"* {base64.b64encode(sealed).decode()}"


class Unsealer:
    """Opens what was sealed to a key; an `Unseal` of `reading`."""

    def __init__(self, private_key: bytes) -> None:
        """`private_key` is in PEM. Raises ValueError."""
        wrong = ValueError("expected an X25519 private key in PEM, without a password")
        try:
            key = load_pem_private_key(private_key, password=None)
        except _UNREADABLE:
            raise wrong from None
        if not isinstance(key, X25519PrivateKey):
            raise wrong
        self._key = key

    @classmethod
    def from_file(cls, path: Path) -> Unsealer:
        """Raises ValueError, OSError."""
        return cls(path.read_bytes())

    def __call__(self, header: Header) -> Callable[[int, str], str]:
        """What opens the section's entries: called with their numbers, from 0, and their base64. Raises ValueError."""
        wrong = ValueError("a header whose field 'sealed' has an X25519 key")
        ephemeral = _base64(header.sealed.removeprefix(_PREFIX))
        if len(ephemeral) != _KEY_BYTES or not header.sealed.startswith(_PREFIX):
            raise wrong
        try:
            shared = self._key.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        except ValueError:  # a point of small order
            raise wrong from None
        cipher = _cipher(shared, ephemeral + self._key.public_key().public_bytes_raw())
        bound = _bound(header)

        def unseal(number: int, entry: str) -> str:
            try:
                opened = cipher.decrypt(number.to_bytes(_NONCE_BYTES, "big"), _base64(entry), bound)
            except InvalidTag:
                raise ValueError("an entry that this key opens, unaltered and in its place") from None
            return opened.decode("utf-8", "replace")

        return unseal


def _bound(header: Header) -> bytes:
    return "\n".join(header_lines(header)).encode()


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("base64") from None


def _cipher(shared: bytes, keys: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(HKDF(SHA256(), length=_KEY_BYTES, salt=keys, info=_INFO).derive(shared))
