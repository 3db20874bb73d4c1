"""Mutual TLS of the native doors, by gRPC itself; certificates are read anew when their files change."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

import grpc

from countertop.server.config import ListenTlsConfig

__all__ = ["TlsFiles"]

log = logging.getLogger("countertop.doors")


class TlsFiles:
    """The server's certificate and key, and the certificates by which clients are known.

    Raises OSError that names the file when they cannot be used at the start. New files that cannot be used leave the
    old ones in force.
    """

    def __init__(self, config: ListenTlsConfig) -> None:
        self._certificate, self._key, self._client_ca = (
            Path(config.certificate),
            Path(config.key),
            Path(config.client_ca),
        )
        self._stamp = self._stamps()
        self._first = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """For gRPC; who shows no certificate of ours is not let in."""
        return grpc.dynamic_ssl_server_credentials(self._first, self._fetch, require_client_authentication=True)

    def _fetch(self) -> Any:
        """GRPC asks on a thread of its own, at each handshake; None lets everything be as it is."""
        stamp = self._stamps()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            found = self._read()
        except OSError as error:
            log.warning("the old certificates stay in force: %s", error.strerror or error.args[0])
            return None
        log.info("there are new certificates in %s", self._certificate)
        return found

    def _read(self) -> Any:
        try:
            key, certificate, client_ca = (
                path.read_bytes() for path in (self._key, self._certificate, self._client_ca)
            )
        except OSError as error:
            raise OSError(f"listen.tls: {error.filename} cannot be read: {error.strerror}") from error
        try:
            trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trial.load_cert_chain(self._certificate, self._key)
            trial.load_verify_locations(self._client_ca)
        except (ssl.SSLError, ValueError) as error:
            why = getattr(error, "reason", None) or type(error).__name__
            files = f"{self._certificate}, {self._key} and {self._client_ca}"
            raise OSError(f"listen.tls: {files} cannot be used together: {why}") from error
        return grpc.ssl_server_certificate_configuration([(key, certificate)], client_ca)

    def _stamps(self) -> list[tuple[int, int]]:
        stamps = []
        for path in (self._certificate, self._key, self._client_ca):
            try:
                found = path.stat()
            except OSError:
                stamps.append((0, 0))
            else:
                stamps.append((found.st_ino, found.st_mtime_ns))
        return stamps
