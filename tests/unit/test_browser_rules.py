"""Which requests the browser door lets in: hosts, origins, preflights."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.server.doors.browser.rules import Rules, Use

OWN = "http://127.0.0.1:7480"
RULES = Rules(["127.0.0.1", "localhost", "[::1]"], ["https://teller.bank.example"], own=True)


def judge(use: Use = "rpc", method: str = "POST", host: str = "127.0.0.1:7480", **headers: str) -> tuple[int, str]:
    given = [(b"host", host.encode("latin-1"))]
    given += [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    judged = RULES.judge(method, given, use)
    return judged.status, judged.origin


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"origin": "https://teller.bank.example"}, (0, "https://teller.bank.example")),
        ({"origin": OWN}, (0, OWN)),
        ({"sec_fetch_site": "same-origin"}, (0, OWN)),
        ({}, (0, "")),
        ({"origin": "https://evil.example"}, (403, "")),
        ({"origin": "null"}, (403, "")),
        ({"origin": "http://teller.bank.example"}, (403, "")),
        ({"origin": "https://teller.bank.example.evil.example"}, (403, "")),
        ({"origin": "http://127.0.0.1:8080"}, (403, "")),
        ({"sec_fetch_site": "cross-site"}, (403, "")),
        ({"host": "evil.example", "origin": "http://evil.example"}, (421, "")),
        ({"host": "evil.example:7480"}, (421, "")),
        ({"host": "127.0.0.1.evil.example:7480"}, (421, "")),
        ({"host": "[::1]:7480", "origin": "http://[::1]:7480"}, (0, "http://[::1]:7480")),
        ({"host": "LOCALHOST:7480", "origin": "http://localhost:7480"}, (0, "http://localhost:7480")),
        ({"method": "OPTIONS", "origin": "https://teller.bank.example"}, (204, "https://teller.bank.example")),
        ({"method": "OPTIONS", "origin": "https://evil.example"}, (403, "")),
        ({"use": "file", "method": "GET"}, (0, "")),
        ({"use": "file", "method": "GET", "sec_fetch_site": "none"}, (0, "")),
        ({"use": "file", "method": "GET", "origin": "https://evil.example"}, (403, "")),
        ({"use": "file", "method": "GET", "sec_fetch_site": "cross-site"}, (403, "")),
        ({"use": "file", "method": "GET", "origin": OWN}, (0, "")),
        ({"use": "file", "method": "POST"}, (405, "")),
        ({"use": "file", "method": "GET", "host": "evil.example"}, (421, "")),
        ({"use": "picture", "method": "GET", "sec_fetch_site": "cross-site"}, (0, "")),
    ],
)
def test_each_request_by_its_headers(headers: dict[str, str], expected: tuple[int, str]) -> None:
    assert judge(**headers) == expected  # type: ignore[arg-type]


def test_a_preflight_says_what_may_be_sent_and_to_whom_alone() -> None:
    asked = [(b"host", b"127.0.0.1"), (b"origin", b"https://teller.bank.example")]
    headers = dict(RULES.judge("OPTIONS", asked, "rpc").headers)
    assert headers[b"access-control-allow-origin"] == b"https://teller.bank.example"
    assert b"authorization" in headers[b"access-control-allow-headers"]
    assert headers[b"vary"] == b"origin"
    assert b"access-control-allow-credentials" not in headers, "no cookies: a token proves who calls"


def test_no_host_or_two_are_no_request() -> None:
    assert RULES.judge("POST", [], "rpc").status == 400
    assert RULES.judge("POST", [(b"host", b"127.0.0.1"), (b"host", b"evil.example")], "rpc").status == 400
    origins = [(b"host", b"127.0.0.1"), (b"origin", OWN.encode()), (b"origin", b"https://evil.example")]
    assert RULES.judge("POST", origins, "rpc").status == 400


def test_without_a_console_the_doors_own_pages_are_strangers() -> None:
    rules = Rules(["127.0.0.1"], [])
    assert rules.judge("POST", [(b"host", b"127.0.0.1:1"), (b"origin", b"http://127.0.0.1:1")], "rpc").status == 403


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_no_bytes_get_in_that_are_not_listed(host: bytes, origin: bytes) -> None:
    judged = RULES.judge("POST", [(b"host", host), (b"origin", origin)], "rpc")
    if judged.status in (0, 204):
        assert judged.origin.startswith(("https://teller.bank.example", "http://"))
        assert judged.origin in ("https://teller.bank.example", f"http://{host.decode('latin-1').lower()}")
