"""The browser door under bytes that no page sends: each ends in a typed answer or is hung up on and is written down,
and others go on.
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from countertop.server import gate
from countertop.server.audit.reading import find
from countertop.testing.terminal import EmulatedTerminal

pytest.importorskip("connectrpc")

from countertop.server.doors.browser import connections
from countertop.server.doors.peers import TOO_MANY

LIST = "/countertop.v1.DeviceService/ListDevices"
WATCH = "/countertop.v1.DeviceService/WatchEvents"
SOON = 10.0
"""Seconds within which all of this must be over; nothing waits for so long."""


@pytest.fixture(scope="module")
def terminal() -> Iterator[EmulatedTerminal]:
    with pytest.MonkeyPatch.context() as patched, EmulatedTerminal(["camera"], browser=True) as found:
        patched.setattr(gate, "MAX_REFUSALS", 10_000)  # each is to be written down here
        yield found


@contextmanager
def connection(terminal: EmulatedTerminal, receive: int = 0) -> Iterator[socket.socket]:
    """A raw connection; `receive` bounds its receive buffer."""
    host, port = terminal.browser_url.removeprefix("http://").split(":")
    with socket.socket() as sock:
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.settimeout(SOON)
        sock.connect((host, int(port)))
        yield sock


def head(terminal: EmulatedTerminal, path: str = LIST, kind: str = "application/json", *more: str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: {terminal.browser_url.removeprefix('http://')}",
        f"origin: {terminal.browser_url}",
        f"authorization: Bearer {terminal.browser_token}",
        f"content-type: {kind}",
        *more,
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer.split()[1])


def until_closed(sock: socket.socket) -> bytes:
    """All that comes until the other side hangs up; TimeoutError when it does not."""
    found = b""
    try:
        while chunk := sock.recv(65536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


def works(terminal: EmulatedTerminal) -> bool:
    """Another page is served."""
    client = http.client.HTTPConnection(terminal.browser_url.removeprefix("http://"), timeout=SOON)
    try:
        client.request(
            "POST",
            LIST,
            b"{}",
            {
                "content-type": "application/json",
                "origin": terminal.browser_url,
                "authorization": f"Bearer {terminal.browser_token}",
            },
        )
        answer = client.getresponse()
        return answer.status == 200 and json.load(answer)["devices"][0]["id"] == "camera"
    finally:
        client.close()


def refusals(terminal: EmulatedTerminal) -> Counter[str]:
    """Why somebody was turned away until now, as the audit has it soon afterwards."""
    found = find(terminal.daemon.terminal.audit.folder, what=("refused",))
    return Counter(str(one.record["details"]["why"]) for one in found)


@contextmanager
def written_down(terminal: EmulatedTerminal, *whys: str) -> Iterator[None]:
    """What happens meanwhile is refused for these reasons, as the audit says."""
    before = refusals(terminal)
    yield
    until(lambda: refusals(terminal) - before >= Counter(whys))


def test_what_is_no_http_is_told_so(terminal: EmulatedTerminal) -> None:
    cases = {
        "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        "a chunk that is none": head(terminal, LIST, "application/json", "transfer-encoding: chunked") + b"ZZZ\r\n",
        "a length below nothing": head(terminal, LIST, "application/json", "content-length: -1"),
        "two lengths": head(terminal, LIST, "application/json", "content-length: 2", "content-length: 3") + b"{}",
        "a head without an end": b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n" + b"x: y\r\n" * 9000,
    }
    for name, sent in cases.items():
        with written_down(terminal, "no HTTP/1.1"), connection(terminal) as sock:
            sock.sendall(sent)
            answer = until_closed(sock)
            assert not answer or status(answer) == 400, name
            assert b"Traceback" not in answer, name
    assert works(terminal)


@pytest.mark.parametrize(
    ("kind", "more", "body", "expected"),
    [
        ("application/grpc", (), b"\0\0\0\0\0", 415),
        ("text/plain", (), b"{}", 415),
        ("", (), b"{}", 415),
        ("application/json", ("connect-timeout-ms: soon",), b"{}", 400),
        ("application/json", ("connect-protocol-version: 9",), b"{}", 400),
        ("application/json", ("content-encoding: gzip",), b"\x1f\x8b", 501),
        ("application/json", ("x: \xff\xfe",), b"{}", 400),
        ("application/json", ("countertop-client: \xff\xfe",), b"{}", 400),
        ("application/json", ("x: " + "y" * 33_000,), b"{}", 431),
        ("application/json", ("origin: https://evil.example",), b"{}", 400),
        ("application/json", ("host: evil.example",), b"{}", 400),
        ("application/json", ("upgrade: websocket", "connection: upgrade"), b"{}", 200),
    ],
)
def test_a_call_that_is_none_has_its_status(
    terminal: EmulatedTerminal, kind: str, more: tuple[str, ...], body: bytes, expected: int
) -> None:
    with connection(terminal) as sock:
        sock.sendall(head(terminal, LIST, kind, *more, f"content-length: {len(body)}") + body)
        assert status(sock.recv(65536)) == expected
    assert works(terminal)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff\0\0\0\2{}", "invalid_argument"),
        (b"\0\xff\xff\xff\xff{}", "resource_exhausted"),
        (b"\0\0\0\0\x09{}", "invalid_argument"),
        (b"\0\0", "invalid_argument"),
        (b"", "unimplemented"),
        (b"\0\0\0\0\2{}\0\0\0\0\2{}", "unimplemented"),
        (b"\1\0\0\0\2{}", "internal"),
        (b"\0\0\0\0\4[[[[", "invalid_argument"),
    ],
)
def test_an_envelope_that_is_none_ends_its_stream(terminal: EmulatedTerminal, body: bytes, code: str) -> None:
    with written_down(terminal, gate.UNREADABLE), connection(terminal) as sock:
        kind = "application/connect+json"
        sock.sendall(head(terminal, WATCH, kind, f"content-length: {len(body)}", "connection: close") + body)
        told = until_closed(sock)
    assert f'"code": "{code}"'.encode() in told
    assert works(terminal)


def test_a_request_that_is_too_large_is_not_read_to_its_end(terminal: EmulatedTerminal) -> None:
    with written_down(terminal, gate.UNREADABLE), connection(terminal) as sock:
        sock.sendall(head(terminal, LIST, "application/json", "content-length: 999999999"))
        answer = b""
        chunk = b"x" * 65536
        for _ in range(200):
            try:
                sock.sendall(chunk)
            except OSError:
                break
            if _readable(sock):
                break
        while b"resource_exhausted" not in answer:
            chunk = sock.recv(65536)
            assert chunk, answer
            answer += chunk
        assert status(answer) == 429
    assert works(terminal)


def test_who_does_not_finish_is_hung_up_on(terminal: EmulatedTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.2)
    whole = head(terminal, LIST, "application/json", "content-length: 2") + b"{}"
    late = [f"a request's {part} that did not come in time" for part in ("head", "head", "body")]
    with written_down(terminal, *late), ExitStack() as held:
        silent, half, bodiless, second = (held.enter_context(connection(terminal)) for _ in range(4))
        half.sendall(whole[:40])
        bodiless.sendall(whole[:-1])
        second.sendall(whole)
        assert status(second.recv(65536)) == 200
        second.sendall(whole[:40])
        for sock in (silent, half, bodiless, second):
            until_closed(sock)
    assert works(terminal)


def test_who_drips_is_hung_up_on(terminal: EmulatedTerminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    late = "a request's head that did not come in time"
    with written_down(terminal, late), connection(terminal) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nx: ")
        end = time.monotonic() + SOON
        while not _readable(sock, 0.02):
            sock.send(b"x")
            assert time.monotonic() < end, "a head that never ends is read for ever"
        assert until_closed(sock) == b""
    assert works(terminal)


def _readable(sock: socket.socket, seconds: float = 0.0) -> bool:
    return bool(select.select([sock], [], [], seconds)[0])


@pytest.mark.parametrize("kernel", [True, False], ids=["by the kernel", "by the door"])
def test_who_does_not_read_is_hung_up_on(
    terminal: EmulatedTerminal, monkeypatch: pytest.MonkeyPatch, kernel: bool
) -> None:
    monkeypatch.setattr(connections, "READ_SECONDS", 0.3)
    if not kernel:
        monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")
    unread = () if kernel else ("answers that were not read in time",)
    with written_down(terminal, *unread), connection(terminal, receive=4096) as sock:
        sock.sendall(head(terminal, "/cameras/camera/stream").replace(b"POST", b"GET", 1))
        until(lambda: bool(_under_way(terminal)))
        until(lambda: not _under_way(terminal))
    assert works(terminal)


def test_a_flood_of_connections_keeps_nobody_out(terminal: EmulatedTerminal) -> None:
    before = refusals(terminal)[TOO_MANY]
    with ExitStack() as held:
        for _ in range(connections.MOST_OF_ONE + 20):
            held.enter_context(connection(terminal))
        assert works(terminal)
        assert works(terminal)
    until(lambda: refusals(terminal)[TOO_MANY] > before)


def test_a_flood_of_busy_connections_is_told_that_there_are_too_many(
    terminal: EmulatedTerminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_OF_ONE", 4)
    body = struct.pack(">BI", 0, 2) + b"{}"
    watch = head(terminal, WATCH, "application/connect+json", f"content-length: {len(body)}") + body
    with ExitStack() as held:
        for _ in range(4):
            sock = held.enter_context(connection(terminal))
            sock.sendall(watch)
            assert status(sock.recv(65536)) == 200
        with written_down(terminal, TOO_MANY), connection(terminal) as fifth:
            answer = until_closed(fifth)
            assert status(answer) == 503
            assert b"resource_exhausted" in answer
    until(lambda: not _under_way(terminal))
    assert works(terminal)


def test_a_page_that_leaves_ends_its_stream(terminal: EmulatedTerminal) -> None:
    for path, method, kind in ((WATCH, "POST", "application/connect+json"), ("/cameras/camera/stream", "GET", "")):
        body = struct.pack(">BI", 0, 2) + b"{}" if method == "POST" else b""
        with connection(terminal) as sock:
            request = head(terminal, path, kind, f"content-length: {len(body)}").replace(b"POST", method.encode(), 1)
            sock.sendall(request + body)
            assert status(sock.recv(65536)) == 200
            assert _under_way(terminal)
        until(lambda: not _under_way(terminal))


def test_garbage_behind_a_running_stream_ends_it(terminal: EmulatedTerminal, caplog: pytest.LogCaptureFixture) -> None:
    with connection(terminal) as sock:
        request = head(terminal, "/cameras/camera/stream", "", "transfer-encoding: chunked")
        sock.sendall(request.replace(b"POST", b"GET", 1))
        assert status(sock.recv(65536)) == 200
        sock.sendall(b"ZZZ\r\n")
        until_closed(sock)
    until(lambda: not _under_way(terminal))
    assert works(terminal)
    assert not [record.getMessage() for record in caplog.records if record.name == "asyncio"]


def test_small_answers_leave_at_once(terminal: EmulatedTerminal) -> None:
    with connection(terminal) as sock:
        sock.sendall(head(terminal, LIST, "application/json", "content-length: 2") + b"{}")
        assert status(sock.recv(65536)) == 200
        door = terminal.daemon.browser
        assert door is not None
        served = [item.transport.get_extra_info("socket") for item in tuple(door._state.connections)]
        assert served
        for taken in served:
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), "each answer waits 40 ms for the client"


def test_many_pages_at_once_are_all_served(terminal: EmulatedTerminal) -> None:
    served: list[bool] = []
    threads = [threading.Thread(target=lambda: served.append(works(terminal))) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert served == [True] * 24


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_get_an_answer_or_a_hang_up(terminal: EmulatedTerminal, data: st.DataObject) -> None:
    whole = head(terminal, LIST, "application/json", "content-length: 2", "connection: close") + b"{}"
    at = data.draw(st.integers(0, len(whole) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=40))
    sent = whole[:at] + noise + whole[at + len(noise) :]
    with connection(terminal) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        answer = until_closed(sock)
    assert not answer or 200 <= status(answer) < 505
    assert b"Traceback" not in answer


def _under_way(terminal: EmulatedTerminal) -> Any:
    door = terminal.daemon.browser
    assert door is not None
    return door._gate._under_way


def until(condition: Any) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)
