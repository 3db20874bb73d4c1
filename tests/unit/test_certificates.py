"""Certificates for pages: read anew when they change, and never half."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from countertop.server.doors.certificates import Certificates

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def pair(name: str, password: bytes = b"") -> tuple[bytes, bytes]:
    """A certificate that signs itself, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + datetime.timedelta(days=3650))
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    return built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), pem


def shown(context: ssl.SSLContext) -> str:
    """The name in the certificate that a client is shown."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname, client_context.verify_mode = False, ssl.CERT_NONE
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = client_context.wrap_bio(down, up), context.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = client.getpeercert(binary_form=True)
    assert found is not None
    (name,) = x509.load_der_x509_certificate(found).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


def test_a_new_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    for path, data in zip((certificate, key), pair("first"), strict=True):
        path.write_bytes(data)
    certificates = Certificates(certificate, key)
    assert shown(certificates.context) == "first"
    assert not certificates.look()
    new_certificate, new_key = pair("second, which is longer")
    certificate.write_bytes(new_certificate)
    assert not certificates.look(), "its key has not come yet"
    assert shown(certificates.context) == "first"
    key.write_bytes(new_key)
    assert certificates.look()
    assert shown(certificates.context) == "second, which is longer"
    certificate.write_bytes(b"no certificate")
    assert not certificates.look()
    certificate.unlink()
    assert not certificates.look()
    assert shown(certificates.context) == "second, which is longer"


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    with pytest.raises(OSError, match=r"c\.pem"):
        Certificates(certificate, key)
    for path, data in zip((certificate, key), pair("locked", b"secret"), strict=True):
        path.write_bytes(data)
    with pytest.raises(OSError, match=r"k\.pem"):
        Certificates(certificate, key)
