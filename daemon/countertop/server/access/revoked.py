"""Client certificates that are worth nothing any more, whoever has signed them."""

from __future__ import annotations

import hashlib
import json
import logging
import ssl
from pathlib import Path

from countertop.server.access.files import write_private

__all__ = ["RevokedCertificates", "fingerprint"]

log = logging.getLogger("countertop.doors")


def fingerprint(certificate: str) -> str:
    """SHA-256 of a certificate in PEM, in hexadecimal digits. Raises ValueError."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


class RevokedCertificates:
    """The file of them in the state directory; a change is seen at the next look."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "revoked.json"
        self._stamp: tuple[int, int] | None = None
        self._revoked: dict[str, str] = {}
        self._unreadable = False

    def has(self, certificate: str) -> bool:
        """A certificate in PEM is among them; when nobody can tell, it counts as one."""
        self._look()
        try:
            return self._unreadable or (bool(self._revoked) and fingerprint(certificate) in self._revoked)
        except ValueError:
            return True

    def fingerprints(self) -> dict[str, str]:
        """Names by fingerprint. Raises ValueError for a file that cannot be read."""
        self._look()
        if self._unreadable:
            raise ValueError(f"{self._path} cannot be read; mend it or move it away")
        return dict(self._revoked)

    def add(self, digest: str, name: str) -> None:
        """Revoke one. Raises OSError, ValueError."""
        write_private(self._path, json.dumps({**self.fingerprints(), digest: name}, indent=2).encode())

    def _look(self) -> None:
        try:
            found = self._path.stat()
            stamp = (found.st_ino, found.st_mtime_ns)
            if stamp != self._stamp:
                self._stamp = stamp
                self._revoked = {str(digest): str(name) for digest, name in json.loads(self._path.read_bytes()).items()}
                self._unreadable = False
        except FileNotFoundError:
            self._revoked, self._stamp, self._unreadable = {}, None, False
        except (OSError, ValueError, AttributeError) as error:
            if not self._unreadable:
                log.error("%s cannot be read (%s): no certificate is let in", self._path, type(error).__name__)
            self._unreadable = True
