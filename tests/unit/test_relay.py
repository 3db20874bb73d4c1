"""The relay between a client and gRPC, and the addresses that doors take, without any gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.server.doors.addresses import address_problems, is_loopback, parse_address
from countertop.server.doors.relay import Relay

PIECES = st.lists(st.binary(min_size=1, max_size=3000), max_size=12)


@asynccontextmanager
async def relayed(first: bytes = b"", buffer_bytes: int = 1024) -> AsyncIterator[SimpleNamespace]:
    """A client and a server with a relay between them."""
    (client, outer), (inner, server) = socket.socketpair(), socket.socketpair()
    for sock in (client, outer, inner, server):
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    closed = asyncio.Event()
    relay = Relay(outer, inner, memoryview(bytearray(buffer_bytes)), first, closed.set)
    try:
        yield SimpleNamespace(client=client, server=server, relay=relay, closed=closed, outer=outer, inner=inner)
    finally:
        relay.close()
        client.close()
        server.close()


async def send(sock: socket.socket, pieces: list[bytes]) -> None:
    """All of it, and then the end."""
    for piece in pieces:
        await asyncio.get_running_loop().sock_sendall(sock, piece)
    sock.shutdown(socket.SHUT_WR)


async def receive(sock: socket.socket) -> bytes:
    """All of it, to the end."""
    came = b""
    while piece := await asyncio.get_running_loop().sock_recv(sock, 700):
        came += piece
    return came


@given(to_server=PIECES, to_client=PIECES, first=st.binary(max_size=40), buffer_bytes=st.integers(1, 2000))
def test_bytes_come_out_as_they_went_in_both_ways_at_once(
    to_server: list[bytes], to_client: list[bytes], first: bytes, buffer_bytes: int
) -> None:
    async def go() -> None:
        async with asyncio.timeout(10), relayed(first, buffer_bytes) as link:
            _, _, there, back = await asyncio.gather(
                send(link.client, to_server), send(link.server, to_client), receive(link.server), receive(link.client)
            )
            await link.closed.wait()
            assert there == first + b"".join(to_server)
            assert back == b"".join(to_client)
            assert (link.outer.fileno(), link.inner.fileno()) == (-1, -1)

    asyncio.run(go())


async def test_who_has_said_all_may_still_listen():
    async with relayed() as link:
        await send(link.client, [b"question"])
        assert await receive(link.server) == b"question"
        assert not link.closed.is_set()
        await send(link.server, [b"answer"])
        assert await receive(link.client) == b"answer"
        await link.closed.wait()


async def test_a_reader_that_stands_still_holds_the_sender_up_and_little_is_kept():
    loop = asyncio.get_running_loop()
    async with relayed(buffer_bytes=1 << 20) as link:
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 1 << 24:
                async with asyncio.timeout(0.1):
                    await loop.sock_sendall(link.client, bytes(1000))
                sent += 1000
        assert sent < 1 << 20  # what four small socket buffers hold, and one piece in the relay
        held: Any = link.relay._flows[0]._left
        assert 0 < len(held) <= sent
        received = 0
        while received < sent:
            received += len(await loop.sock_recv(link.server, 65536))
        assert link.relay._flows[0]._left == b""


@pytest.mark.parametrize("end", ["client", "server"])
async def test_a_broken_side_ends_the_other(end):
    async with relayed() as link:
        getattr(link, end).close()
        other = link.server if end == "client" else link.client
        assert await receive(other) == b""
        other.close()
        async with asyncio.timeout(5):
            await link.closed.wait()


async def test_a_side_that_is_gone_before_the_first_byte_ends_it_at_once():
    (client, outer), (inner, server) = socket.socketpair(), socket.socketpair()
    server.close()
    ended: list[bool] = []
    Relay(outer, inner, memoryview(bytearray(10)), b"first", lambda: ended.append(True)).close()
    assert ended == [True]
    client.close()


@pytest.mark.parametrize(
    ("text", "kind", "target", "tls"),
    [
        ("unix:/run/countertop/countertop.sock", "unix", "/run/countertop/countertop.sock", False),
        ("127.0.0.1:7411", "tcp", "127.0.0.1:7411", False),
        ("localhost:0", "tcp", "localhost:0", False),
        ("[::1]:7411", "tcp", "[::1]:7411", False),
        ("tls:127.0.0.1:7412", "tcp", "127.0.0.1:7412", True),
        ("10.1.2.3:7412", "tcp", "10.1.2.3:7412", True),
        ("0.0.0.0:7412", "tcp", "0.0.0.0:7412", True),
        ("[::]:7412", "tcp", "[::]:7412", True),
        ("till-3.branch.example:7412", "tcp", "till-3.branch.example:7412", True),
        ("systemd:app", "systemd", "app", False),
        ("tls:systemd:net", "systemd", "net", True),
    ],
)
def test_addresses_are_what_they_say_and_beyond_loopback_is_tls(text, kind, target, tls):
    found = parse_address(text)
    assert (found.kind, found.target, found.tls) == (kind, target, tls)
    assert parse_address(str(found)) == found


@pytest.mark.parametrize(
    "text",
    ["", "7411", "127.0.0.1", "127.0.0.1:70000", "unix:relative", "tls:unix:/a", "systemd:", "http://a:1", "::1"],
)
def test_what_is_no_address_is_refused(text):
    assert address_problems([text], tls=True)[0].endswith(f"got {text!r}")


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_problem_and_never_plain_beyond_loopback(text: str) -> None:
    if not address_problems([text], tls=True):
        found = parse_address(text)
        assert found.kind != "tcp" or found.tls or is_loopback(found.target.rpartition(":")[0])
    assert address_problems([text], tls=False) or not parse_address(text).tls
