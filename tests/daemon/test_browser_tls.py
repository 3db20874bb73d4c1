"""The browser door behind a certificate, called over TLS."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from countertop.server.app import Daemon
from countertop.server.config import BrowserConfig, Config, ListenConfig, TerminalConfig

pytest.importorskip("connectrpc")
pytest.importorskip("cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIST = "/countertop.v1.DeviceService/ListDevices"


def write_pair(certificate: Path, key: Path) -> None:
    """A certificate for 127.0.0.1 that signs itself."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a terminal")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    certificate.write_bytes(built.sign(secret, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    write_pair(certificate, key)
    config = Config(
        terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state", drain_seconds=0),
        listen=ListenConfig(addresses=[f"unix:{tmp_path}/t.sock"]),
        browser=BrowserConfig(address="127.0.0.1:0", console=True, certificate=str(certificate), key=str(key)),
    )
    async with Daemon(config) as daemon:
        assert daemon.browser is not None
        url, _, token = daemon.browser.console_url().partition("/#token=")
        yield SimpleNamespace(daemon=daemon, url=url, token=token, certificate=certificate, key=key)


async def list_devices(door: Any, **headers: str) -> tuple[int, Any]:
    trusting = ssl.create_default_context(cafile=door.certificate)
    sent = {"authorization": f"Bearer {door.token}", "content-type": "application/json", "origin": door.url, **headers}
    async with (
        aiohttp.ClientSession() as http,
        http.post(door.url + LIST, data=b"{}", headers=sent, ssl=trusting) as answer,
    ):
        return answer.status, await answer.read()


async def test_pages_call_over_tls(door: SimpleNamespace) -> None:
    assert door.url.startswith("https://127.0.0.1:")
    status, body = await list_devices(door)
    assert (status, json.loads(body)) == (200, {})


async def test_its_own_page_is_of_https(door: SimpleNamespace) -> None:
    plain = door.url.replace("https:", "http:")
    status, body = await list_devices(door, origin=plain)
    assert status == 403
    assert b"origin is not listed" in body


async def test_who_does_not_trust_it_or_speaks_no_tls_gets_nothing_and_harms_nobody(door: SimpleNamespace) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.post(door.url + LIST)
        with pytest.raises(aiohttp.ClientError):
            await http.post(door.url.replace("https:", "http:") + LIST)
    assert (await list_devices(door))[0] == 200


async def test_a_new_certificate_is_shown_to_the_next_connection(door: SimpleNamespace) -> None:
    old = door.certificate.read_bytes()
    write_pair(door.certificate, door.key)
    assert door.certificate.read_bytes() != old
    assert door.daemon.browser._certificates.look(), "the files have changed"
    assert (await list_devices(door))[0] == 200, "trusting nothing but the new one"
