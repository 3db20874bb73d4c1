"""What a real browser may and may not do at the door."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

CALL = """async ([base, token]) => {
  try {
    const answer = await fetch(base + '/countertop.v1.DeviceService/ListDevices', {
      method: 'POST', body: '{}',
      headers: {'content-type': 'application/json', authorization: 'Bearer ' + token}});
    return answer.status;
  } catch (error) { return String(error); }
}"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>foreign</title>")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def foreign() -> Iterator[str]:
    """The address of a page that is nobody's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_of_a_foreign_origin_gets_nothing_even_with_the_token(chromium: Any, counter: Any, foreign: str) -> None:
    page = chromium.new_page()
    page.goto(foreign)
    seen = []
    page.on("response", lambda response: seen.append((response.request.method, response.status)))
    assert "TypeError" in str(page.evaluate(CALL, [counter.base, counter.token]))
    assert seen in ([("OPTIONS", 403)], []), "not even the preflight passes"
    simple = """async (base) => { await fetch(base + '/countertop.v1.DeviceService/ListDevices',
      {method: 'POST', body: '{}', mode: 'no-cors'}); }"""
    page.evaluate(simple, counter.base)
    assert seen[-1][1] == 403, "nor does a request that needs no preflight"
    page.close()


def test_a_rebound_name_gets_nothing(chromium: Any, counter: Any) -> None:
    page = chromium.new_page()
    port = counter.base.rpartition(":")[2]
    answer = page.goto(f"http://rebound.example:{port}/")
    assert answer.status == 421
    assert page.evaluate(CALL, [f"http://rebound.example:{port}", counter.token]) == 421
    page.close()


def test_a_foreign_page_cannot_frame_the_console(chromium: Any, counter: Any, foreign: str) -> None:
    page = chromium.new_page()
    page.goto(foreign)
    page.evaluate(
        """(base) => new Promise((done) => { const frame = document.createElement('iframe');
        frame.onload = done; frame.src = base + '/'; document.body.append(frame); })""",
        counter.base,
    )
    framed = page.frames[1]
    assert not framed.url.startswith(counter.base) or framed.title() == ""
    page.close()


def test_a_foreign_page_cannot_show_the_camera(chromium: Any, counter: Any, foreign: str) -> None:
    page = chromium.new_page()
    page.goto(foreign)
    loaded = page.evaluate(
        """(base) => new Promise((done) => { const image = new Image();
        image.onload = () => done(true); image.onerror = () => done(false);
        image.src = base + '/cameras/camera/snapshot.jpg'; })""",
        counter.base,
    )
    assert not loaded
    page.close()
