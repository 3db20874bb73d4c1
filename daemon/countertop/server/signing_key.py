"""The terminal's own key, which seals signature files. Made when it is first needed, kept in the state directory."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from countertop.sdk.errors import CountertopError
from countertop.v1 import error_pb2

if TYPE_CHECKING:
    from countertop.sdk.ink.signer import Signer

__all__ = ["SigningKey"]

FILE_NAME = "signing-key.pem"


class SigningKey:
    """Gives the terminal's signer. A key that cannot be read is never replaced: signatures hang on it."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE_NAME
        self._signer: Signer | None = None
        self._lock = threading.Lock()

    def signer(self) -> Signer:
        """Reads the key, or makes it. Blocks on the disk. Raises CountertopError: SIGNING_KEY_UNUSABLE, NOT_SUPPORTED
        where the package `cryptography` is missing.
        """
        with self._lock:  # seals are made in several threads, the audit's checkpoints in another
            return self._load()

    def _load(self) -> Signer:
        if self._signer is None:
            from countertop.sdk.ink.signer import Ed25519Signer

            try:
                if not self._path.exists():
                    self._put(Ed25519Signer.generate().private_pem())
                self._signer = Ed25519Signer.load(self._path.read_bytes())
            except (OSError, ValueError) as error:
                raise CountertopError(
                    error_pb2.REASON_SIGNING_KEY_UNUSABLE,
                    f"The terminal's signing key {self._path} cannot be used ({type(error).__name__}). It is left as "
                    "it is; bring it back from a backup, or move it away to have a new one made.",
                ) from error
        return self._signer

    def _put(self, pem: bytes) -> None:
        """Whole or not at all, on the disk, and for nobody else to read; a key that somebody made meanwhile stays."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(f".{os.getpid()}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(new, self._path)
            except FileExistsError:
                return
        finally:
            new.unlink()
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
