"""Keys that seal signature files, behind an interface: a table by the algorithm's name, so that others can be added."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from countertop.sdk.errors import CountertopError
from countertop.v1 import error_pb2

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["VERIFIERS", "Ed25519Signer", "Signer", "public_key_of", "public_pem"]


class Signer(Protocol):
    """Signs for the terminal."""

    @property
    def algorithm(self) -> str:
        """Its name in signature files."""
        ...

    @property
    def public_key(self) -> bytes:
        """The public half, as it lies in signature files."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature of a message."""
        ...


def _cryptography() -> tuple[Any, Any]:
    """The modules `ed25519` and `serialization`. Raises CountertopError(NOT_SUPPORTED)."""
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise CountertopError(
            error_pb2.REASON_NOT_SUPPORTED,
            "Signature files need the package cryptography: run `pip install 'countertop[signature]'`.",
        ) from error
    return ed25519, serialization


class Ed25519Signer:
    """Ed25519 (RFC 8032): keys of 32 bytes, signatures of 64."""

    algorithm = "Ed25519"

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        _, serialization = _cryptography()
        self._raw = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    @classmethod
    def generate(cls) -> Ed25519Signer:
        """A new key."""
        return cls(_cryptography()[0].Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, pem: bytes) -> Ed25519Signer:
        """A key from PKCS #8 PEM without a password. Raises ValueError."""
        ed25519, serialization = _cryptography()
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except TypeError as error:
            raise ValueError("expected a key without a password") from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise ValueError("expected an Ed25519 key")  # noqa: TRY004 - the file is wrong, not the program
        return cls(key)

    def private_pem(self) -> bytes:
        """The key as PKCS #8 PEM, not encrypted: keep it where only the daemon can read it."""
        _, serialization = _cryptography()
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return self._key.public_key().public_bytes(*self._raw)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)


def _verify_ed25519(public_key: bytes, signature: bytes, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    ed25519, _ = _cryptography()
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


VERIFIERS: dict[str, Callable[[bytes, bytes, bytes], bool]] = {"Ed25519": _verify_ed25519}
"""By algorithm: whether (public key, signature, message) fit."""


def public_pem(algorithm: str, public_key: bytes) -> str:
    """A public key of a signature file as PEM (SubjectPublicKeyInfo). Raises ValueError."""
    ed25519, serialization = _cryptography()
    if algorithm != "Ed25519":
        raise ValueError(f"expected the algorithm Ed25519, got {algorithm!r}")
    key = ed25519.Ed25519PublicKey.from_public_bytes(public_key)
    pem: bytes = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.decode("ascii")


def public_key_of(pem: bytes) -> bytes:
    """A public key as it lies in signature files, from PEM. Raises ValueError."""
    ed25519, serialization = _cryptography()
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise ValueError("expected an Ed25519 key")  # noqa: TRY004 - the file is wrong, not the program
    raw: bytes = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return raw
