"""A server's certificate and key for Python's own TLS, read anew when their files change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from pathlib import Path

__all__ = ["Certificates"]

LOOK_SECONDS = 5.0


def _no_password() -> bytes:
    """An encrypted key is refused; without this OpenSSL would ask for its password on the daemon's terminal."""
    return b""


log = logging.getLogger("countertop.doors")


class Certificates:
    """Keeps `context` as the files have it: the next connection gets the new certificate, no restart is needed.

    Raises OSError that names the files when they cannot be used at the start; a bad file later leaves the old one.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._stamp = self._stamps()
        try:
            self.context.load_cert_chain(certificate, key, _no_password)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror or type(error).__name__
            raise OSError(f"the certificate {certificate} and the key {key} cannot be used: {why}") from error
        self._watching: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Look at the files now and then, from here on."""
        self._watching = asyncio.create_task(self._watch(), name="certificates")

    async def stop(self) -> None:
        """Look no more."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching

    def look(self) -> bool:
        """Read the files when they have changed; True when there is a new certificate."""
        stamp = self._stamps()
        if stamp == self._stamp:
            return False
        try:
            # a pair that does not fit would leave the context with half of it, and no connection would succeed
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files, _no_password)
            self.context.load_cert_chain(*self._files, _no_password)
        except (OSError, ssl.SSLError) as error:
            log.warning(
                "the new certificate %s cannot be used (%s); the old one stays", self._files[0], type(error).__name__
            )
            self._stamp = stamp
            return False
        self._stamp = stamp
        log.info("there is a new certificate in %s", self._files[0])
        return True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def _stamps(self) -> list[tuple[int, int]]:
        stamps = []
        for file in self._files:
            try:
                found = file.stat()
            except OSError:
                stamps.append((0, 0))
            else:
                stamps.append((found.st_ino, found.st_mtime_ns))
        return stamps
