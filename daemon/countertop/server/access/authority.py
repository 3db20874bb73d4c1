"""The terminal's own certificate authority, for mutual TLS without a bank's: made when it is first needed.

Certificates have keys on P-256, which every TLS library knows. Who calls is told by a SPIFFE URI in the certificate's
subject alternative names, so that roles hang on that and on no way of writing subjects.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from countertop.server.access.files import write_private

__all__ = ["Authority", "Issued", "Made"]

CA_DAYS = 3650
MAX_DAYS = 825
SPIFFE = re.compile(r"spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+")
"""As the SPIFFE standard has it: a trust domain in small letters, and a path (SPIFFE-ID, 2.1 and 2.2)."""
_BACKDATED = datetime.timedelta(minutes=5)
"""Clocks of terminals differ a little."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What is remembered of a certificate; its key is not kept."""

    name: str
    kind: str
    """`client` or `server`."""
    says: str
    """The SPIFFE URI, or the host names."""
    sha256: str
    """Of the certificate, in hexadecimal digits: what is revoked."""
    expires: float
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new certificate and its key, PEM."""

    certificate: bytes
    key: bytes
    issued: Issued


class Authority:
    """Issues certificates; `terminal` is the trust domain of its SPIFFE URIs. Raises OSError, and ValueError for files
    of its own that cannot be read.
    """

    def __init__(self, state_dir: Path, terminal: str) -> None:
        self._folder = state_dir / "authority"
        self.terminal = terminal
        self.certificate_file = self._folder / "ca.pem"
        """What the other side has to trust."""

    def spiffe(self, role: str) -> str:
        """The URI of whoever has a role on this terminal."""
        return f"spiffe://{self.terminal}/role/{role}"

    def client(self, name: str, spiffe: str, days: int) -> Made:
        """A certificate to call with. Raises ValueError for a URI that is none."""
        if not SPIFFE.fullmatch(spiffe):
            raise ValueError(f"expected a SPIFFE URI such as spiffe://bank.example/role/teller, got {spiffe!r}")
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(spiffe)]
        return self._issue(name, "client", spiffe, names, ExtendedKeyUsageOID.CLIENT_AUTH, days)

    def server(self, hosts: Sequence[str], days: int) -> Made:
        """A certificate for a daemon that is called by these host names and addresses. Raises ValueError."""
        names = [_host(host) for host in hosts]
        return self._issue(hosts[0], "server", ", ".join(hosts), names, ExtendedKeyUsageOID.SERVER_AUTH, days)

    def issued(self) -> list[Issued]:
        """All that were issued, oldest first."""
        return list(self._issued())

    def _issue(
        self, name: str, kind: str, says: str, names: list[x509.GeneralName], use: x509.ObjectIdentifier, days: int
    ) -> Made:
        authority, authority_key = self._load()
        if any(issued.name == name and issued.kind == kind for issued in self._issued()):
            raise ValueError(f"there is a {kind} certificate of the name {name!r} already; choose another name")
        key = ec.generate_private_key(ec.SECP256R1())
        until = min(_now() + datetime.timedelta(days=days), authority.not_valid_after_utc)
        made = (
            _builder(_subject(name), authority.subject, key.public_key(), until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
            .sign(authority_key, hashes.SHA256())
        )
        issued = Issued(name, kind, says, made.fingerprint(hashes.SHA256()).hex(), until.timestamp())
        self._remember(issued)
        return Made(made.public_bytes(serialization.Encoding.PEM), _private_pem(key), issued)

    def _load(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key_file = self._folder / "ca-key.pem"
        if not key_file.exists():
            self._make(key_file)
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key_file} holds another kind of key than an authority of ours has")  # noqa: TRY004
        return x509.load_pem_x509_certificate(self.certificate_file.read_bytes()), key

    def _make(self, key_file: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _subject(f"Countertop {self.terminal}"[:64])
        until = _now() + datetime.timedelta(days=CA_DAYS)
        made = (
            _builder(name, name, key.public_key(), until)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self.certificate_file, made.public_bytes(serialization.Encoding.PEM))
        write_private(key_file, _private_pem(key))  # last: without it there is no authority yet

    def _issued(self) -> Iterator[Issued]:
        file = self._folder / "issued.json"
        with contextlib.suppress(FileNotFoundError):
            yield from (Issued(**item) for item in json.loads(file.read_text(encoding="utf-8")))

    def _remember(self, issued: Issued) -> None:
        all_of_them = [asdict(item) for item in (*self._issued(), issued)]
        write_private(self._folder / "issued.json", json.dumps(all_of_them, indent=2).encode())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    until: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _BACKDATED)
        .not_valid_after(until)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", host):
            raise ValueError(f"expected host names and addresses, got {host!r}") from None
        return x509.DNSName(host)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.UTC)
