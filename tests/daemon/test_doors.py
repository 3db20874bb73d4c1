# ruff: noqa: ASYNC240 - files in a temporary folder block nobody
"""The native doors: who calls, as the kernel, a token or a certificate proves it; and how addresses are taken."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from countertop.client import ConnectionLost, CountertopError, Tls, connect
from countertop.server.access.revoked import RevokedCertificates, fingerprint
from countertop.server.access.tokens import Token, TokenStore
from countertop.server.app import Daemon
from countertop.server.audit.log import AuditLog
from countertop.server.config import (
    AccessConfig,
    Config,
    GrantConfig,
    ListenConfig,
    ListenTlsConfig,
    TerminalConfig,
)
from countertop.server.doors import sockets
from countertop.server.doors.listener import NO_TLS

NOBODY = 65534


@asynccontextmanager
async def daemon(tmp_path: Path, listen: ListenConfig, *grants: GrantConfig, **access: str) -> AsyncIterator[Daemon]:
    """A daemon without devices."""
    config = Config(
        terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state"),
        listen=listen,
        grants=list(grants),
        access=AccessConfig(**access),
    )
    async with Daemon(config) as running:
        yield running


async def outcome(address: str, **how: Any) -> str:
    """How a harmless call ends: OK, or the reason."""
    async with connect(address, **how) as counter:
        try:
            await counter.devices()
        except ConnectionLost:
            return "ConnectionLost"
        except CountertopError as error:
            return error.reason_name
    return "OK"


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[SimpleNamespace]:
    """What goes to the audit."""
    found: list[SimpleNamespace] = []
    record = AuditLog.record

    def spy(self: AuditLog, what: str, caller: Any, **fields: Any) -> None:
        found.append(SimpleNamespace(what=what, caller=caller, **fields))
        record(self, what, caller, **fields)

    monkeypatch.setattr(AuditLog, "record", spy)
    return found


async def seen(recorded: list[SimpleNamespace], address: str, **how: Any) -> Any:
    """The caller as the gate sees it, by a call that is written down."""
    async with connect(address, **how) as counter:
        with pytest.raises(CountertopError, match="unheard-of"):
            await counter.set_maintenance("unheard-of", True, "to be written down")
    return recorded[-1].caller


async def test_the_kernel_tells_who_calls_on_a_socket(tmp_path, recorded):
    async with daemon(tmp_path, ListenConfig([f"unix:{tmp_path}/t.sock"])) as running:
        caller = await seen(recorded, running.addresses[0])
    assert (caller.door, caller.identity, caller.peer) == ("unix", f"uid={os.geteuid()}", f"pid={os.getpid()}")
    assert caller.roles == {"admin"}


AS_NOBODY = """
import json, os, sys
import grpc
from countertop.client import CountertopError, sync
with sync.connect(sys.argv[1]) as counter:
    try:
        counter.devices()
    except CountertopError:
        pass  # everything is imported now
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
with sync.connect(sys.argv[1]) as counter:
    said = []
    for call in (counter.devices, lambda: counter.reset("unheard-of")):
        try:
            call()
            said.append("OK")
        except CountertopError as error:
            said.append(error.reason_name or str(error))
print(json.dumps([os.getpid(), *said]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("grants", "devices"),
    [([GrantConfig("unix", ["observer"], uid=NOBODY)], "OK"), ([], "PERMISSION_DENIED")],
    ids=["granted", "not granted"],
)
async def test_another_user_has_the_roles_that_it_is_granted_and_no_more(tmp_path, recorded, grants, devices):
    with tempfile.TemporaryDirectory(prefix="ct-doors-") as folder:
        Path(folder).chmod(0o755)
        async with daemon(tmp_path, ListenConfig([f"unix:{folder}/t.sock"], mode="0666"), *grants) as running:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", AS_NOBODY, running.addresses[0], stdout=subprocess.PIPE
            )
            out, _ = await process.communicate()
    pid, *said = json.loads(out)
    assert said == [devices, "PERMISSION_DENIED"]
    caller = recorded[-1].caller
    assert (caller.identity, caller.peer) == (f"uid={NOBODY}", f"pid={pid}")


async def test_a_socket_has_the_mode_and_the_group_that_are_configured_and_its_folder_lets_them_through(tmp_path):
    path = tmp_path / "private" / "t.sock"
    async with daemon(tmp_path, ListenConfig([f"unix:{path}"], mode="0660")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o710
    with pytest.raises(OSError, match="no group 'unheard-of'"):
        async with daemon(tmp_path, ListenConfig([f"unix:{path}"], mode="0660", group="unheard-of")):
            pass
    assert not path.exists()


async def test_tokens_add_their_roles_on_a_socket_and_are_needed_on_loopback(tmp_path, recorded):
    store = TokenStore(tmp_path / "state")
    async with daemon(tmp_path, ListenConfig([f"unix:{tmp_path}/t.sock", "127.0.0.1:0"]), owner="") as running:
        on_socket, loopback = running.addresses
        assert await outcome(on_socket) == "PERMISSION_DENIED"
        assert await outcome(loopback) == "UNAUTHENTICATED"
        secret = store.issue(Token("till-3", ("app",)))  # as `countertop pair` does it, beside the daemon
        page = store.issue(Token("page", ("app",), origin="https://teller.bank.example"))
        assert await outcome(on_socket, token=secret) == "OK"
        assert await outcome(loopback, token=secret) == "OK"
        assert await outcome(loopback, token=page) == "UNAUTHENTICATED"
        assert await outcome(loopback, token="wrong") == "UNAUTHENTICATED"
        assert await outcome(on_socket, token="wrong") == "UNAUTHENTICATED"
        assert store.revoke("till-3")
        assert await outcome(loopback, token=secret) == "UNAUTHENTICATED"
    refused = [item for item in recorded if item.what == "refused"]
    assert [item.why for item in refused] == ["no token"] + ["wrong token"] * 4
    assert {item.method for item in refused} == {"DeviceService.ListDevices"}
    assert {item.caller.roles for item in refused} == {frozenset()}
    assert not any(secret in str(item) for item in recorded)


async def test_a_stream_ends_at_its_next_message_when_its_token_or_certificate_is_revoked(tmp_path, recorded):
    bank, store = Bank(tmp_path / "bank"), TokenStore(tmp_path / "state")
    listen = ListenConfig([f"unix:{tmp_path}/t.sock", "127.0.0.1:0", "tls:127.0.0.1:0"], tls=bank.server())
    async with daemon(tmp_path, listen, TELLERS) as running:
        secret, till = store.issue(Token("till-3", ("app",))), bank.client("till-3", "teller")
        for address, proof in ((running.addresses[1], {"token": secret}), (running.addresses[2], {"tls": till})):
            async with connect(address, **proof) as counter, asyncio.timeout(10):
                events = counter.watch(heartbeat_seconds=1)
                await anext(events)
                store.revoke("till-3")
                if "tls" in proof:
                    RevokedCertificates(tmp_path / "state").add(fingerprint(till.certificate.read_text()), "till-3")
                with pytest.raises(CountertopError) as ended:
                    async for _ in events:
                        pass
                assert ended.value.reason_name == "UNAUTHENTICATED"
            assert (recorded[-1].what, recorded[-1].method) == ("denied", "DeviceService.WatchEvents")


async def test_a_token_names_who_calls(tmp_path, recorded):
    store = TokenStore(tmp_path / "state")
    async with daemon(tmp_path, ListenConfig([f"unix:{tmp_path}/t.sock", "127.0.0.1:0"])) as running:
        secret = store.issue(Token("till-3", ("engineer",)))
        on_socket = await seen(recorded, running.addresses[0], token=secret)
        loopback = await seen(recorded, running.addresses[1], token=secret)
    assert on_socket.identity == f"uid={os.geteuid()} token till-3"
    assert on_socket.roles == {"admin", "engineer"}
    assert (loopback.door, loopback.identity, loopback.roles) == ("loopback", "token till-3", {"engineer"})
    assert loopback.peer.startswith("127.0.0.1:")


async def test_a_program_of_the_same_user_needs_to_configure_nothing_on_loopback(tmp_path, recorded):
    folder = Path(os.environ["XDG_RUNTIME_DIR"]) / "countertop" / "tokens"
    async with daemon(tmp_path, ListenConfig(["127.0.0.1:0"])) as running:
        address = running.addresses[0]
        file = folder / address
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        caller = await seen(recorded, address)
        assert (caller.identity, caller.roles) == ("token owner", {"admin"})
        assert await outcome(f"localhost:{address.rpartition(':')[2]}") == "OK"
        file.chmod(0o644)  # what others can read proves nothing
        assert await outcome(address) == "UNAUTHENTICATED"
        file.chmod(0o600)
        async with connect(address) as counter:
            assert file.read_text() not in f"{counter!r}{counter._connection._access!r}"
    assert not file.exists()


async def test_a_client_finds_the_new_token_of_a_daemon_that_was_started_anew(tmp_path):
    async with daemon(tmp_path, ListenConfig(["127.0.0.1:0"])) as running:
        address = running.addresses[0]
        counter = connect(address)
        assert await counter.devices() == []
    async with daemon(tmp_path, ListenConfig([address])):
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await counter.devices() == []
                    break
                except ConnectionLost:
                    await asyncio.sleep(0.05)
    await counter.close()


async def test_a_killed_daemons_token_is_swept_away_by_the_next_one(tmp_path):
    folder = Path(os.environ["XDG_RUNTIME_DIR"]) / "countertop" / "tokens"
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as closed, socket.socket() as living:
        for one in (closed, living):
            one.bind(("127.0.0.1", 0))
        living.listen()
        stale, other = (folder / f"127.0.0.1:{one.getsockname()[1]}" for one in (closed, living))
        stale.write_text("stale")
        other.write_text("of another daemon")
        async with daemon(tmp_path, ListenConfig(["127.0.0.1:0"])):
            assert not stale.exists()
            assert other.exists()
        other.unlink()


async def test_loopback_without_a_token_can_be_given_a_role(tmp_path, recorded):
    async with daemon(tmp_path, ListenConfig(["127.0.0.1:0"]), owner="", loopback="observer") as running:
        assert await outcome(running.addresses[0]) == "OK"
        async with connect(running.addresses[0]) as counter:
            with pytest.raises(CountertopError) as denied:
                await counter.reset("unheard-of")
    assert denied.value.reason_name == "PERMISSION_DENIED"
    assert (recorded[-1].caller.door, recorded[-1].caller.identity) == ("loopback", "")


async def test_health_answers_whoever_connects_and_reflection_does_not(tmp_path):
    async with (
        daemon(tmp_path, ListenConfig(["127.0.0.1:0"])) as running,
        grpc.aio.insecure_channel(running.addresses[0]) as channel,
    ):
        assert await channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01"
        watch: Any = channel.unary_stream("/grpc.health.v1.Health/Watch")
        reflect: Any = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        for call in (watch(b""), reflect(iter([b""]))):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call.read()
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_nobody_gets_to_grpcs_own_socket_by_its_name(tmp_path):
    async with daemon(tmp_path, ListenConfig([f"unix:{tmp_path}/t.sock"])):
        assert not list(Path(tempfile.gettempdir()).glob("countertop-door-*/grpc"))
        listed = (line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines())
        private = {path for path in listed if path.endswith("/grpc")}
        assert private  # it is there
        for path in private:
            with (
                socket.socket(socket.AF_UNIX) as intruder,
                pytest.raises(OSError, match=r"No such file|Not a directory"),
            ):
                intruder.connect(path)


async def test_a_call_by_a_name_that_no_connection_has_is_refused(tmp_path):
    async with daemon(tmp_path, ListenConfig([f"unix:{tmp_path}/t.sock"])) as running:
        door: Any = running._door
        private = door._private[False]
        with socket.socket(socket.AF_UNIX) as inner, socket.socket(socket.AF_UNIX) as front:
            inner.bind(f"\0countertop-{'0' * 32}")  # who gets so far could choose any name
            inner.connect(private._address)
            front.bind(f"{tmp_path}/front.sock")
            front.listen()
            front.setblocking(False)
            inner.setblocking(False)
            relaying = asyncio.create_task(_relay_one(front, inner))
            async with grpc.aio.insecure_channel(f"unix:{tmp_path}/front.sock") as channel:
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await channel.unary_unary("/countertop.v1.DeviceService/ListDevices")(b"")
            relaying.cancel()
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def _relay_one(front: socket.socket, inner: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    outer, _ = await loop.sock_accept(front)

    async def pump(source: socket.socket, sink: socket.socket) -> None:
        while piece := await loop.sock_recv(source, 65536):
            await loop.sock_sendall(sink, piece)

    with outer:
        await asyncio.gather(pump(outer, inner), pump(inner, outer))


# systemd


@pytest.fixture
def passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A unix socket `app` and a loopback socket `net`, as systemd passes them; their addresses."""
    with socket.socket(socket.AF_UNIX) as unix, socket.socket() as tcp:
        unix.bind(f"{tmp_path}/inherited.sock")
        tcp.bind(("127.0.0.1", 0))
        for one in (unix, tcp):
            one.listen()
        first = 900
        os.dup2(unix.fileno(), first)
        os.dup2(tcp.fileno(), first + 1)
        monkeypatch.setattr(sockets, "FIRST_INHERITED", first)
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "2")
        monkeypatch.setenv("LISTEN_FDNAMES", "app:net")
        yield {"app": f"unix:{tmp_path}/inherited.sock", "net": f"127.0.0.1:{tcp.getsockname()[1]}"}


async def test_sockets_of_systemd_are_served_and_outlive_the_daemon(tmp_path, passed, recorded):
    async with daemon(tmp_path, ListenConfig(["systemd:app", passed["net"]])) as running:
        assert running.addresses == list(passed.values())
        assert [await outcome(address) for address in running.addresses] == ["OK", "OK"]
        assert (await seen(recorded, passed["app"])).identity == f"uid={os.geteuid()}"
        assert "LISTEN_FDS" not in os.environ
    assert (tmp_path / "inherited.sock").is_socket()


async def test_a_socket_that_systemd_has_not_passed_is_missed(tmp_path, passed):
    with pytest.raises(OSError, match="no socket of the name 'other'"):
        async with daemon(tmp_path, ListenConfig(["systemd:other"])):
            pass
    assert not any(Path(f"/proc/self/fd/{number}").exists() for number in (900, 901))


async def test_sockets_for_another_process_are_left_alone(tmp_path, passed, monkeypatch):
    monkeypatch.setenv("LISTEN_PID", "1")
    async with daemon(tmp_path, ListenConfig([f"unix:{tmp_path}/t.sock"])) as running:
        assert running.addresses == [f"unix:{tmp_path}/t.sock"]
    for number in (900, 901):
        os.close(number)


async def test_beyond_loopback_nothing_is_served_without_certificates(tmp_path):
    for address in ("0.0.0.0:0", "10.1.2.3:7412", "[::]:0", "tls:127.0.0.1:0"):
        with pytest.raises(ValueError, match=r"\[listen.tls\]"):
            async with daemon(tmp_path, ListenConfig([address])):
                pass


# mutual TLS


class Bank:
    """An authority with the certificates of a test."""

    def __init__(self, folder: Path, domain: str = "bank.example") -> None:
        authority = pytest.importorskip("countertop.server.access.authority")
        self._authority = authority.Authority(folder, domain)
        self._folder = folder
        self._folder.mkdir(exist_ok=True)
        self.ca = self._authority.certificate_file

    def server(self, name: str = "server") -> ListenTlsConfig:
        """Files of a daemon on 127.0.0.1."""
        made = self._authority.server(["127.0.0.1", name], 30)
        certificate, key = self._write(name, made)
        return ListenTlsConfig(str(certificate), str(key), str(self.ca))

    def client(self, name: str, role: str, ca: Path | None = None) -> Tls:
        """Files of a client."""
        certificate, key = self._write(name, self._authority.client(name, f"spiffe://bank.example/role/{role}", 30))
        return Tls(certificate, key, ca or self.ca)

    def _write(self, name: str, made: Any) -> tuple[Path, Path]:
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}-key.pem"
        certificate.write_bytes(made.certificate)
        key.write_bytes(made.key)
        return certificate, key


TELLERS = GrantConfig("tls", ["teller"], spiffe="spiffe://bank.example/role/teller")


async def test_a_certificate_proves_who_calls_and_its_spiffe_uri_gives_the_roles(tmp_path, recorded):
    bank, stranger = Bank(tmp_path / "bank"), Bank(tmp_path / "stranger")
    async with daemon(tmp_path, ListenConfig(["tls:127.0.0.1:0"], tls=bank.server()), TELLERS) as running:
        address = running.addresses[0]
        assert address.startswith("tls:127.0.0.1:")
        teller = bank.client("till-3", "teller")
        caller = await seen(recorded, address, tls=teller)
        assert (caller.door, caller.identity) == ("tls", "spiffe://bank.example/role/teller")
        assert caller.roles == {"teller"}
        assert caller.peer.startswith("127.0.0.1:")
        assert await outcome(address, tls=bank.client("guest", "guest")) == "PERMISSION_DENIED"
        unknown = stranger.client("till-3", "teller", ca=bank.ca)
        assert await outcome(address, tls=unknown) == "ConnectionLost"
        assert {item.why for item in recorded if item.what == "refused"} == {NO_TLS}
        deceived = Tls(teller.certificate, teller.key, stranger.client("x", "x").ca)
        assert await outcome(address, tls=deceived) == "ConnectionLost"
        count = len(recorded)
        plain = grpc.ssl_channel_credentials(bank.ca.read_bytes())
        async with grpc.aio.secure_channel(address.removeprefix("tls:"), plain) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as nothing_shown:
                await channel.unary_unary("/countertop.v1.DeviceService/ListDevices")(b"")
        assert nothing_shown.value.code() is grpc.StatusCode.UNAVAILABLE
        assert {item.why for item in recorded[count:] if item.what == "refused"} == {NO_TLS}
        RevokedCertificates(tmp_path / "state").add(fingerprint(Path(teller.certificate).read_text()), "till-3")
        assert await outcome(address, tls=teller) == "UNAUTHENTICATED"
        assert recorded[-1].why == "revoked certificate spiffe://bank.example/role/teller"


async def test_new_certificates_are_taken_without_a_restart_and_broken_ones_are_not(tmp_path, caplog):
    old, new = Bank(tmp_path / "old"), Bank(tmp_path / "new")
    files, fresh = old.server(), new.server()
    async with daemon(tmp_path, ListenConfig(["tls:127.0.0.1:0"], tls=files), TELLERS) as running:
        address = running.addresses[0]
        before, after = old.client("till-3", "teller"), new.client("till-3", "teller")
        assert await outcome(address, tls=before) == "OK"
        Path(files.certificate).write_text("-----BEGIN CERTIFICATE-----\nhalf")
        with caplog.at_level(logging.WARNING, "countertop.doors"):
            assert await outcome(address, tls=before) == "OK"
        assert "the old certificates stay in force" in caplog.text
        for name in ("certificate", "key", "client_ca"):
            Path(getattr(files, name)).write_bytes(Path(getattr(fresh, name)).read_bytes())
        assert await outcome(address, tls=after) == "OK"
        assert await outcome(address, tls=Tls(before.certificate, before.key, after.ca)) == "ConnectionLost"


async def test_certificates_that_do_not_belong_together_keep_the_daemon_from_starting(tmp_path):
    bank, other = Bank(tmp_path / "bank").server(), Bank(tmp_path / "other").server()
    mixed = ListenTlsConfig(bank.certificate, other.key, bank.client_ca)
    with pytest.raises(OSError, match="cannot be used together"):
        async with daemon(tmp_path, ListenConfig(["tls:127.0.0.1:0"], tls=mixed)):
            pass
    missing = ListenTlsConfig(bank.certificate, f"{tmp_path}/none.pem", bank.client_ca)
    with pytest.raises(OSError, match=r"none\.pem cannot be read"):
        async with daemon(tmp_path, ListenConfig(["tls:127.0.0.1:0"], tls=missing)):
            pass


# the client


@pytest.mark.parametrize("address", ["10.1.2.3:7411", "till-3.bank.example:7411", "tls:127.0.0.1:7411"])
def test_a_client_sends_no_token_over_a_network_without_tls(address, monkeypatch):
    for name in ("CERT", "KEY", "CA"):
        monkeypatch.delenv(f"COUNTERTOP_TLS_{name}", raising=False)
    with pytest.raises(ValueError, match="mutual TLS") as refused:
        connect(address, token="a-secret")
    assert "a-secret" not in str(refused.value)


async def test_the_environment_has_what_was_not_given(tmp_path, monkeypatch):
    bank = Bank(tmp_path / "bank")
    async with daemon(
        tmp_path, ListenConfig(["tls:127.0.0.1:0", "127.0.0.1:0"], tls=bank.server()), TELLERS
    ) as running:
        tls = bank.client("till-3", "teller")
        monkeypatch.setenv("COUNTERTOP_TLS_CERT", str(tls.certificate))
        monkeypatch.setenv("COUNTERTOP_TLS_KEY", str(tls.key))
        monkeypatch.setenv("COUNTERTOP_TLS_CA", str(tls.ca))
        assert await outcome(running.addresses[0]) == "OK"
        monkeypatch.setenv("COUNTERTOP_TOKEN", "wrong")
        assert await outcome(running.addresses[1]) == "UNAUTHENTICATED"
